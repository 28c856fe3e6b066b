from types import SimpleNamespace

import pytest
import ray

from actors.stage_actor import gpu_share_of_worker


@pytest.mark.parametrize(
    ("assigned", "share"), [({"GPU": 0.25}, 0.25), ({"GPU": 1.0, "CPU": 1.0}, 1.0), ({"GPU": 2.0}, 1.0), ({}, 1.0)]
)
def test_a_worker_with_a_fraction_of_a_gpu_has_that_share_of_its_memory(monkeypatch, assigned, share):
    context = SimpleNamespace(get_assigned_resources=lambda: assigned)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    assert gpu_share_of_worker() == share
