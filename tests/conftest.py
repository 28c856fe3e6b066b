"""Shared by all tests: one thread, and one local Ray for the whole session."""

import os
import sys

os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

import pytest

from savg_ray.process import set_up_process

# As every worker does; and networks are faster so when other work shares the cores.
set_up_process()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Which tests stay in one process.

    Those that use Ray, for two Rays would only take turns on the same cores; and the others of a command, which share
    what one run of it left behind. First, for pytest-xdist looks at the groups in this hook too.
    """
    for item in items:
        if "ray_resources" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("ray"))
        elif item.path.parent.name == "jobs":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def _no_ray_unless_asked_for(request, monkeypatch):
    """A test without `ray_resources` that starts or joins Ray, itself or in a process of its own, fails."""
    if "ray_resources" in request.fixturenames:
        return
    monkeypatch.setenv("RAY_ADDRESS", "this test does not ask for ray_resources")
    if "ray" in sys.modules:
        monkeypatch.setattr(sys.modules["ray"], "is_initialized", lambda: False)


@pytest.fixture(scope="session")
def ray_resources():
    """A Ray of this machine's own, started at the first test that needs it."""
    from jobs.ray_stream import connect

    resources = connect()
    yield resources
    import ray

    ray.shutdown()
