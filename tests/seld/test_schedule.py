import pytest

from savg_ray.seld.schedule import FIRST_AVERAGED_EPOCH, ITERATIONS_PER_EPOCH, N_EPOCHS, learning_rate
from tests.toys import golden_json


def test_golden_learning_rates():
    golden = golden_json("seld_lr.json")
    rates = [learning_rate(epoch) for epoch in range(1, N_EPOCHS + 1)]
    assert rates == pytest.approx(golden["lr_used_in_pseudo_epoch_1_to_40"], rel=1e-9)
    assert golden["n_averaged_after_40"] == N_EPOCHS - FIRST_AVERAGED_EPOCH + 1
    assert N_EPOCHS * ITERATIONS_PER_EPOCH == 40000


def test_the_rate_stays_after_the_last_epoch():
    assert learning_rate(100) == learning_rate(31) == 5e-4
