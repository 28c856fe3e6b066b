"""Training on a cluster: Ray Train's workers, validations beside them, and failures in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import ray
import ray.train
from ray.train.torch import TorchTrainer

from actors.trainer import StepsDone, Work, train_worker, validate_worker
from jobs.progress import StreamProgress
from jobs.ray_errors import could_not_go_on
from jobs.ray_stream import connect
from jobs.runner import Device
from savg_ray.errors import ClipError, UserError
from savg_ray.training.checkpoints import CHECKPOINTS, checkpoint_steps
from savg_ray.training.config import TrainingConfig

# A worker that dies is replaced this often; all workers then go on from the last checkpoint.
_MAX_FAILURES = 3
# What a worker reserves of the CPUs: the rest makes its examples and validates.
_CPUS_PER_WORKER = 0.5
_CPUS_PER_VALIDATION = 0.5
_SHOW_EVERY_S = 2.0
_RAYS_RECORD = "checkpoint_manager_snapshot.json"


def train_on_ray(
    config: TrainingConfig, data: Path, out: Path, workers: int, device: Device, start_from: Path | None
) -> None:
    """Train on Ray's workers, one GPU each where there are enough.

    Raises:
        UserError: there are too few GPUs or CPUs, or a worker could not go on.
    """
    resources = connect()
    use_gpu = device != "cpu" and resources.gpus >= workers
    if device == "cuda" and not use_gpu:
        raise UserError(
            f"--workers {workers} with --device cuda needs as many GPUs, but there are {resources.gpus:g}; use fewer "
            "workers, or --device cpu."
        )
    if workers * _CPUS_PER_WORKER >= resources.cpus:
        raise UserError(
            f"--workers {workers} would leave no CPU to make examples, of the {resources.cpus:g} there are; use "
            f"fewer than {resources.cpus / _CPUS_PER_WORKER:g}."
        )
    # Validations must not wait for a GPU that a worker holds to the end.
    spare_gpu = resources.gpus >= workers + 1
    threads = max(1, int(resources.cpus) // workers)
    start_from = start_from and start_from.resolve()
    done = (checkpoint_steps(out) or [0])[-1]
    steps_done = StepsDone.remote(done)
    work = Work(config, data.resolve(), out.resolve(), start_from, threads, steps_done)
    # We know ourselves where to go on; Ray Train would look for checkpoints that are gone.
    (work.out / CHECKPOINTS / _RAYS_RECORD).unlink(missing_ok=True)
    trainer = TorchTrainer(
        lambda: train_worker(work),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker=_resources(use_gpu)
        ),
        run_config=ray.train.RunConfig(
            storage_path=str(work.out),
            name=CHECKPOINTS,
            failure_config=ray.train.FailureConfig(max_failures=_MAX_FAILURES),
        ),
        validation_config=ray.train.ValidationConfig(
            fn=lambda checkpoint: validate_worker(checkpoint, work),
            ray_remote_kwargs={"num_cpus": _CPUS_PER_VALIDATION, "num_gpus": int(use_gpu and spare_gpu)},
        ),
    )
    try:
        with _shown(steps_done, done, config.steps):
            trainer.fit()
    except SystemExit:
        # This is how Ray Train answers Ctrl-C.
        raise KeyboardInterrupt from None
    except ray.train.TrainingFailedError as error:
        causes = list(_causes(error))
        ours = [str(cause) for cause in causes if isinstance(cause, UserError | ClipError)]
        raise UserError(ours[0] if ours else could_not_go_on(causes[-1])) from error


def _resources(use_gpu: bool) -> dict[str, float]:
    return {"CPU": _CPUS_PER_WORKER, **({"GPU": 1} if use_gpu else {})}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, those of the workers behind it, and what each was caused by."""
    waiting = [error]
    while waiting:
        one = waiting.pop()
        yield one
        inner = [one.__cause__, getattr(one, "cause", None), *getattr(one, "worker_failures", {}).values()]
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


@contextmanager
def _shown(steps_done: ray.actor.ActorHandle, done: int, steps: int) -> Iterator[None]:
    """Progress on standard error while training runs."""
    over = Event()

    def show(progress: StreamProgress, seen: int) -> None:
        while True:
            last = over.wait(_SHOW_EVERY_S)
            step = ray.get(steps_done.get.remote())
            progress.advance(step - seen, 0)
            seen = step
            if last:
                return

    with StreamProgress("training", steps, "steps") as progress:
        progress.advance(done, 0)
        shower = Thread(target=show, args=(progress, done), daemon=True)
        shower.start()
        try:
            yield
        finally:
            over.set()
            shower.join()
