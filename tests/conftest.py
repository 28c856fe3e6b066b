"""Shared by all tests: one local Ray for the whole session, and folders of small clips."""

import os

os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

import pytest


@pytest.fixture(scope="session")
def ray_resources():
    """A Ray of this machine's own, started at the first test that needs it."""
    from jobs.ray_stream import connect

    resources = connect()
    yield resources
    import ray

    ray.shutdown()
