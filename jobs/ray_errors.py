"""What goes wrong inside Ray, in a sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from savg_ray.errors import UserError


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Work on Ray whose errors end the command like any other mistake.

    Raises:
        UserError: one was raised in a worker, which Ray hands over as a text only; or Ray itself could not go on.
    """
    try:
        yield
    except ray.exceptions.RayError as error:
        sentence = re.search(r"savg_ray\.errors\.UserError: (.+)", str(error))
        raise UserError(sentence.group(1) if sentence else could_not_go_on(error)) from error


def could_not_go_on(error: BaseException) -> str:
    """What to say of an error that nobody foresaw: its last line, which names it, and what to do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = f"{type(error).__name__}: {lines[-1].rstrip('.')}" if lines else type(error).__name__
    return (
        f"Ray could not go on ({told}); what is finished is kept, and the same command goes on from there. Without "
        "Ray it tells more."
    )
