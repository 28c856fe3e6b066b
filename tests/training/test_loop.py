"""Training without a cluster: the whole run, its end, its interruptions and its faults."""

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from savg_ray.errors import ClipError, UserError
from savg_ray.training.checkpoints import checkpoint_folder, checkpoint_steps, load_checkpoint, noted_validations
from savg_ray.training.config import TrainingConfig
from savg_ray.training.examples import LocalFeed, Share, StepPlan
from savg_ray.training.export import export_weights
from savg_ray.training.loop import train, trained_network
from savg_ray.training.validation import validate_checkpoint
from tests.training.toy_task import LineTask


def config(**changes):
    values = {
        "preset": "toy",
        "trains": "joint",
        "task": {"network": {"width": 8}},
        "steps": 12,
        "batch_size": 4,
        "optimiser": {"learning_rate": 0.05},
        "checkpoint_every": 4,
        **changes,
    }
    return TrainingConfig.model_validate(values)


class Watcher:
    """Validates where asked, and may pull the plug."""

    def __init__(self, task, out, stop_after=None):
        self.task, self.out, self.stop_after, self.seen = task, out, stop_after, []

    def stepped(self, step, values):
        self.seen.append((step, values["loss"]))
        if step == self.stop_after:
            raise KeyboardInterrupt

    def saved(self, step, folder, validate):
        if validate:
            validate_checkpoint(self.task, self.out, folder, step, "cpu")


def run(task, settings, out, stop_after=None, start_from=None):
    share = Share()
    feed = LocalFeed(task, StepPlan.of(settings, 1), settings.seed, share)
    watcher = Watcher(task, out, stop_after)
    train(task, settings, out, share, feed, watcher, start_from)
    return watcher.seen


def test_a_line_is_learned_validated_and_exported(tmp_path):
    task, settings = LineTask(), config(steps=200, checkpoint_every=50, validate_every=100)
    seen = run(task, settings, tmp_path)
    assert seen[-1][1] < 0.1 * seen[0][1]
    assert set(noted_validations(tmp_path)) == {100, 200}
    assert (tmp_path / "validation" / "step-00000200" / "seen.txt").read_text() == "kept"
    last, best = export_weights(task, tmp_path)
    errors = {step: found["error"] for step, found in noted_validations(tmp_path).items()}
    wanted = load_checkpoint(checkpoint_folder(tmp_path, min(errors, key=errors.get)))["model"]
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in load_file(best).items())
    network = task.build()
    network.load_state_dict(load_file(last))
    assert task.validate(network.eval(), tmp_path)["error"] == errors[200]
    rows = pq.read_table(tmp_path / "curve.parquet").to_pylist()
    assert [row["step"] for row in rows] == list(range(1, 201))
    assert rows[-1]["loss"] == pytest.approx(seen[-1][1]) and rows[-1]["twice"] == pytest.approx(2 * rows[-1]["loss"])
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"average": {"kind": "ema", "decay": 0.9, "bn_batches": 2}, "micro_batch": 2},
        {"average": {"kind": "equal", "first_step": 5, "every": 2, "bn_batches": 3}},
        {"precision": "bfloat16", "schedule": {"kind": "cosine", "warmup_steps": 3}},
        {"precision": "float16"},
    ],
)
def test_an_interrupted_run_ends_as_if_nothing_had_happened(tmp_path, changes):
    task, settings = LineTask(norm="average" in changes, dropout=0.2), config(**changes)
    whole = run(task, settings, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(task, settings, tmp_path / "cut", stop_after=7)
    assert checkpoint_steps(tmp_path / "cut") == [4]
    assert run(task, settings, tmp_path / "cut") == whole[4:]
    ends = [load_checkpoint(checkpoint_folder(tmp_path / name, 12))["model"] for name in ("whole", "cut")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    curves = [pq.read_table(tmp_path / name / "curve.parquet").to_pylist() for name in ("whole", "cut")]
    assert repr(curves[0]) == repr(curves[1])  # float16 skips a step whose gradients are not finite


def test_parts_of_a_step_add_up_to_the_step(tmp_path):
    whole = run(LineTask(), config(batch_size=8), tmp_path / "whole")
    parts = run(LineTask(), config(batch_size=8, micro_batch=2), tmp_path / "parts")
    assert [loss for _, loss in parts] == pytest.approx([loss for _, loss in whole], rel=1e-5)


def test_an_exponential_average_lags_behind_the_network(tmp_path):
    settings = config(average={"kind": "ema", "decay": 0.5}, steps=2, checkpoint_every=1)
    run(LineTask(), settings, tmp_path)
    first, second = (load_checkpoint(checkpoint_folder(tmp_path, step)) for step in (1, 2))
    for key, tensor in second["model"].items():
        torch.testing.assert_close(tensor, 0.5 * first["model"][key] + 0.5 * second["network"][key])


def test_an_equal_average_is_the_mean_and_has_statistics_of_its_own(tmp_path):
    settings = config(
        average={"kind": "equal", "first_step": 2, "every": 1, "bn_batches": 2},
        steps=3,
        checkpoint_every=1,
        keep_last=3,
    )
    run(LineTask(norm=True), settings, tmp_path)
    second, third = (load_checkpoint(checkpoint_folder(tmp_path, step)) for step in (2, 3))
    weight = "0.weight"
    torch.testing.assert_close(third["model"][weight], (second["network"][weight] + third["network"][weight]) / 2)
    statistics = "1.running_mean"
    assert not torch.allclose(third["model"][statistics], third["network"][statistics])


@pytest.mark.parametrize("kind", ["ema", "equal"])
def test_an_average_that_statistics_would_not_fit_is_refused(tmp_path, kind):
    average = {"kind": kind}
    with pytest.raises(UserError, match=rf"average\.kind is {kind}, but .* set average\.bn_batches"):
        run(LineTask(norm=True), config(average=average), tmp_path / "norm")
    assert not (tmp_path / "norm").exists()
    run(LineTask(norm=True), config(steps=1), tmp_path / "none")
    run(LineTask(), config(average=average, steps=1), tmp_path / "no statistics")


def test_the_last_and_the_best_checkpoints_are_kept(tmp_path):
    task, settings = LineTask(), config(steps=24, checkpoint_every=2, validate_every=4, keep_last=2)
    run(task, settings, tmp_path)
    errors = {step: found["error"] for step, found in noted_validations(tmp_path).items()}
    assert checkpoint_steps(tmp_path) == sorted({22, 24, min(errors, key=errors.get)})


def test_a_loss_that_is_no_number_stops_and_names_the_batch(tmp_path):
    settings = config(steps=40, batch_size=2, checkpoint_every=1)
    with pytest.raises(
        UserError, match=r"loss of step \d+ is not a finite number.*item7.*last checkpoint is kept"
    ) as caught:
        run(LineTask(nan_at=7), settings, tmp_path)
    last = checkpoint_steps(tmp_path)[-1] if checkpoint_steps(tmp_path) else 0
    assert f"step {last + 1} " in str(caught.value)
    if last:
        assert all(
            torch.isfinite(tensor).all()
            for tensor in load_checkpoint(checkpoint_folder(tmp_path, last))["model"].values()
        )


def test_memory_that_runs_out_is_said_with_a_remedy(tmp_path):
    class Hungry(LineTask):
        def loss(self, network, batch):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(UserError, match="4 examples at a time; set micro_batch to a smaller divisor of 4"):
        run(Hungry(), config(), tmp_path)


def test_another_error_is_not_taken_for_memory(tmp_path):
    class Broken(LineTask):
        def loss(self, network, batch):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        run(Broken(), config(), tmp_path)


def test_a_clip_that_cannot_be_read_stops_with_its_sentence(tmp_path):
    class Unreadable(LineTask):
        def example(self, index, draw):
            raise ClipError("unreadable", f"item{index} cannot be decoded; remove it")

    with pytest.raises(UserError, match=r"item\d cannot be decoded"):
        run(Unreadable(), config(), tmp_path)


def test_a_changed_configuration_is_refused_by_key(tmp_path):
    run(LineTask(), config(), tmp_path)
    for changes, said in [
        ({"batch_size": 8}, "trained with batch_size 4, not 8"),
        ({"task": {"network": {"width": 9}}}, "trained with task.network.width 8, not 9"),
        ({"optimiser": {"learning_rate": 0.1}}, "optimiser.learning_rate 0.05, not 0.1"),
    ]:
        with pytest.raises(UserError, match=said):
            run(LineTask(), config(**changes, steps=20), tmp_path)
    assert run(LineTask(), config(steps=13), tmp_path)[0][0] == 13


def test_weights_of_another_architecture_are_refused_by_key(tmp_path):
    save_file({"0.weight": torch.zeros(3, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other.safetensors is of another architecture: 0.weight has shape \(3, 2\)"):
        run(LineTask(), config(), tmp_path / "out", start_from=tmp_path / "other.safetensors")


def test_training_starts_from_given_weights(tmp_path):
    run(LineTask(), config(steps=100), tmp_path / "first")
    path, *_ = export_weights(LineTask(), tmp_path / "first")
    continued = run(LineTask(), config(seed=5), tmp_path / "second", start_from=path)
    assert continued[0][1] < 0.7 * run(LineTask(), config(seed=5), tmp_path / "fresh")[0][1]


def test_a_damaged_checkpoint_is_named(tmp_path):
    run(LineTask(), config(), tmp_path)
    (checkpoint_folder(tmp_path, 12) / "training.pt").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"step-00000012/training\.pt cannot be read.*remove"):
        run(LineTask(), config(steps=13), tmp_path)


def test_the_trained_network_is_the_average_in_evaluation_mode(tmp_path):
    run(LineTask(norm=True), config(average={"kind": "ema", "decay": 0.9, "bn_batches": 2}), tmp_path)
    network = trained_network(LineTask(norm=True), checkpoint_folder(tmp_path, 12), "cpu")
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("changes", "world", "said"),
    [
        ({"batch_size": 4}, 3, "cannot be dealt to 3"),
        ({"batch_size": 8, "micro_batch": 3}, 2, "does not divide the 4"),
    ],
)
def test_a_batch_that_cannot_be_dealt_is_refused(changes, world, said):
    with pytest.raises(UserError, match=said):
        StepPlan.of(config(**changes), world)


def test_positions_do_not_depend_on_the_number_of_workers():
    alone, shared = StepPlan.of(config(batch_size=8), 1), StepPlan.of(config(batch_size=8, micro_batch=2), 2)
    for step in (1, 5):
        mine = set(alone.positions(step, 0, 0))
        assert mine == {p for rank in (0, 1) for part in (0, 1) for p in shared.positions(step, rank, part)}
        assert mine == set(range(8 * (step - 1), 8 * step))


def test_what_is_to_be_validated_is_saved(tmp_path):
    run(LineTask(), config(steps=11, checkpoint_every=4, validate_every=3), tmp_path)
    assert set(noted_validations(tmp_path)) == {3, 6, 9, 11}
    assert checkpoint_steps(tmp_path)[-2:] == [9, 11]
