"""Training by Ray Train's workers: the same as alone, through deaths and faults."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from savg_ray.errors import UserError
from savg_ray.training.checkpoints import checkpoint_steps, noted_validations
from savg_ray.training.config import TrainingConfig
from tests.training.toy_task import LineTask

CONFIG = {
    "preset": "toy",
    "trains": "joint",
    "steps": 20,
    "batch_size": 8,
    "optimiser": {"learning_rate": 0.02, "clip_norm": 1.0},
    "checkpoint_every": 6,
    "validate_every": 12,
}


def toy(config, data):
    return LineTask(**config.task)


def toy_worker(work):
    return with_toys().train_worker(work)


def toy_validation(checkpoint, work):
    return with_toys().validate_worker(checkpoint, work)


def with_toys():
    """The module of the worker, in the worker's process, learning lines instead of sounds and pictures."""
    import actors.trainer

    actors.trainer.make_task = toy
    return actors.trainer


@pytest.fixture
def train(monkeypatch, ray_resources):
    from jobs import train as job
    from jobs import train_on_ray

    monkeypatch.setattr(job, "make_task", toy)
    monkeypatch.setattr(train_on_ray, "train_worker", toy_worker)
    monkeypatch.setattr(train_on_ray, "validate_worker", toy_validation)

    def run(out, workers, **changes):
        config = TrainingConfig.model_validate({**CONFIG, **changes})
        return job.run_training(config, Path("unused"), out, workers, "cpu", None)

    return run


def curve(out):
    return pq.read_table(out / "curve.parquet").to_pylist()


def test_two_workers_one_of_which_dies_end_like_one_alone(train, tmp_path):
    alone, two = tmp_path / "alone", tmp_path / "two"
    train(alone, 0, task={})
    # Step 9 of 8 examples: three steps after the checkpoint of step 6.
    paths = train(two, 2, task={"dies_at": 8 * 8 + 3, "grave": str(tmp_path / "grave")})
    assert (tmp_path / "grave").exists()
    assert [row["step"] for row in curve(two)] == list(range(1, 21))
    for ours, wanted in zip(curve(two), curve(alone), strict=True):
        assert ours == pytest.approx(wanted, rel=1e-4)
    assert checkpoint_steps(two) == [18, 20] or 12 in checkpoint_steps(two)
    assert set(noted_validations(two)) == {12, 20}
    assert noted_validations(two)[20] == pytest.approx(noted_validations(alone)[20], rel=1e-3)
    assert [path.name for path in paths] == ["line.safetensors"] * 2


@pytest.mark.slow
def test_a_fault_in_a_worker_is_a_sentence(train, tmp_path):
    with pytest.raises(UserError, match=r"step \d+ is not a finite number.*item7"):
        train(tmp_path, 2, task={"nan_at": 7})


def test_an_interrupt_is_one_with_workers_too(train, tmp_path, monkeypatch):
    from jobs import train_on_ray

    def fit(_):
        # As Ray Train ends the process at Ctrl-C.
        raise SystemExit(0)

    monkeypatch.setattr(train_on_ray.TorchTrainer, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, 1, task={})


def test_more_workers_than_the_machine_has_are_refused(train, tmp_path):
    with pytest.raises(UserError, match=r"--workers 4096 would leave no CPU"):
        train(tmp_path, 4096, task={}, batch_size=4096)
    with pytest.raises(UserError, match="cannot be dealt to 3"):
        train(tmp_path, 3, task={})
