"""What workers died at: Ray starts a dead worker again, for ever, and gives it the same batch again."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import ray

# The table of the cluster in which Ray's own libraries keep such things; it has no public name.
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

_NAMESPACE = "savg_ray_attempts"


def deaths_at(*what: str) -> int:
    """How many workers of this job died at something since it last came to an end."""
    return int(_internal_kv_get(_key(what), namespace=_NAMESPACE) or 0)


@contextmanager
def attempt(*what: str) -> Iterator[None]:
    """Something that a worker may die at; once it ends, well or not, earlier deaths are forgotten."""
    _internal_kv_put(_key(what), str(deaths_at(*what) + 1), namespace=_NAMESPACE)
    try:
        yield
    finally:
        _internal_kv_del(_key(what), namespace=_NAMESPACE)


def _key(what: tuple[str, ...]) -> str:
    job = ray.get_runtime_context().get_job_id()
    return hashlib.sha256("\n".join((job, *what)).encode()).hexdigest()
