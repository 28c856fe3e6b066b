"""Shared by all tests: one thread, and one local Ray for the whole session."""

import os

os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

import pytest

from savg_ray.stages.sequential import use_one_thread

# As every worker does; and networks are faster so when other work shares the cores.
use_one_thread()


def pytest_collection_modifyitems(items):
    """Tests that may start Ray run in one process: two Rays would only take turns on the same cores."""
    for item in items:
        if "ray_resources" in item.fixturenames or item.path.parent.name in ("actors", "jobs"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def ray_resources():
    """A Ray of this machine's own, started at the first test that needs it."""
    from jobs.ray_stream import connect

    resources = connect()
    yield resources
    import ray

    ray.shutdown()
