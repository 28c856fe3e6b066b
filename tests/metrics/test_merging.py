"""States filled by many workers, in any order and with repeats, say what one loop over all clips says."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from savg_ray.errors import UserError
from savg_ray.metrics.frechet import FrechetDistance
from savg_ray.metrics.kvd import KernelDistance
from savg_ray.metrics.result import Metric, Result
from savg_ray.metrics.spatial_av_align import SpatialAvAlign
from savg_ray.metrics.temporal_av_align import TemporalAvAlign

N_CLIPS = 24
RNG = np.random.Generator(np.random.PCG64(1))
FEATURES = RNG.standard_normal((2, N_CLIPS, 5)).astype(np.float32) * [[[1.0]], [[1.4]]]
COUNTS = RNG.integers(0, 30, size=(N_CLIPS, 2))
SCORES = [None if i % 7 == 3 else float(s) for i, s in enumerate(RNG.random(N_CLIPS))]


def add_features(metric, i, changed=False):
    for side, generated in enumerate((False, True)):
        metric.update([f"clip_{i}"], FEATURES[side, i : i + 1] + changed, generated=generated)


def add_counts(metric, i, changed=False):
    metric.update(f"clip_{i}", int(COUNTS[i, 0]) + changed, int(COUNTS[i, 1]))


def add_score(metric, i, changed=False):
    metric.update(f"clip_{i}", 2.0 if changed else SCORES[i])


KINDS = {
    "fvd": (lambda: FrechetDistance("fvd", "I3D logit distance²", debias=True), add_features),
    "kvd": (KernelDistance, add_features),
    "spatial": (SpatialAvAlign, add_counts),
    "temporal": (TemporalAvAlign, add_score),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def filled(kind, clips) -> Metric:
    make, add = kind
    metric = make()
    for i in clips:
        add(metric, i)
    return metric


def test_a_loop_can_ask_at_any_time(kind):
    make, add = kind
    metric = make()
    for i in range(N_CLIPS):
        add(metric, i)
        metric.compute()
    assert metric.compute() == filled(kind, range(N_CLIPS)).compute()


def test_order_of_clips_does_not_matter(kind):
    expected = filled(kind, range(N_CLIPS)).compute()
    assert filled(kind, reversed(range(N_CLIPS))).compute() == expected
    assert expected.value is not None
    assert expected.ci95 is not None


def test_order_of_merging_does_not_matter(kind):
    expected = filled(kind, range(N_CLIPS)).compute()
    shards = [range(0, 7), range(7, 8), range(8, N_CLIPS), range(0)]
    for order in itertools.permutations(shards):
        whole = kind[0]()
        for shard in order:
            whole.merge(filled(kind, shard))
        assert whole.compute() == expected


def test_merging_is_associative_and_leaves_the_other_state_alone(kind):
    a, b, c = (filled(kind, r) for r in (range(0, 9), range(9, 15), range(15, N_CLIPS)))
    b_alone = b.compute()
    a.merge(b)
    assert b.compute() == b_alone
    b.merge(c)
    a.merge(b)
    assert a.compute() == filled(kind, range(N_CLIPS)).compute()


def test_a_clip_that_arrives_twice_counts_once(kind):
    metric = filled(kind, [*range(N_CLIPS), 3, 3, 5])
    metric.merge(filled(kind, range(2, 11)))
    assert metric.compute() == filled(kind, range(N_CLIPS)).compute()


def test_a_clip_that_arrives_with_another_value_stops_the_run(kind):
    _, add = kind
    metric = filled(kind, range(4))
    with pytest.raises(UserError, match="'clip_2' arrived twice"):
        add(metric, 2, changed=True)
    other = kind[0]()
    add(other, 1, changed=True)
    with pytest.raises(UserError, match="'clip_1' arrived twice"):
        metric.merge(other)


def test_features_belong_to_the_state_once_given():
    rows = FEATURES[0, :3].copy()
    metric = FrechetDistance("fvd", "I3D logit distance²")
    metric.update(["a", "b", "c"], rows, generated=True)
    metric.update(["a", "b", "c"], FEATURES[1, :3], generated=False)
    before = metric.compute()
    rows[:] = 7
    assert metric.compute() == before


def test_states_of_different_networks_do_not_merge():
    narrow, wide = KernelDistance(), KernelDistance()
    narrow.update(["a"], np.ones((1, 3)), generated=True)
    wide.update(["b"], np.ones((1, 4)), generated=True)
    with pytest.raises(UserError, match="same network"):
        narrow.merge(wide)


def test_results_are_json(kind):
    entry = json.loads(json.dumps(filled(kind, range(N_CLIPS)).compute().as_dict(), allow_nan=False))
    assert {"value", "unit", "scale", "higher_is_better", "n", "ci95", "reason"} <= set(entry)
    low, high = entry["ci95"]
    assert low < entry["value"] < high


def test_extras_lie_beside_the_value():
    result = Result("m", 1.0, "1", 1.0, True, 3, None, None, {"tp": 2})
    assert result.as_dict() == {
        "value": 1.0,
        "unit": "1",
        "scale": 1.0,
        "higher_is_better": True,
        "n": 3,
        "ci95": None,
        "reason": None,
        "tp": 2,
    }


def test_importing_the_metrics_does_not_load_the_heavy_libraries():
    script = (
        "import savg_ray.metrics, sys; print([m for m in ('torch', 'cv2', 'librosa', 'ray') if m in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
