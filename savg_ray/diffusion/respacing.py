"""Which of a schedule's timesteps a shorter sampling run keeps."""

from savg_ray.errors import UserError

_STRIDE_PREFIX = "ddim"


def respaced_timesteps(total: int, spec: str) -> list[int]:
    """The ascending timesteps, out of ``range(total)``, that a respacing keeps (Nichol and Dhariwal 2021).

    ``spec`` is ``"ddimK"`` for K steps at the smallest integer stride that gives exactly K, ``"a,b,..."`` for as many
    sections of equal length with a, b, ... evenly spaced steps, or ``""`` for all steps.

    Raises:
        UserError: a specification that cannot be read or met, or a total below 1.
    """
    if total < 1:
        raise UserError(f"a diffusion needs at least one step, not {total}")
    if not spec:
        return list(range(total))
    if spec.startswith(_STRIDE_PREFIX):
        return _strided(total, spec)
    counts = [_count(spec, part) for part in spec.split(",")]
    short, n_longer = divmod(total, len(counts))
    steps, start = [], 0
    for i, count in enumerate(counts):
        size = short + (i < n_longer)
        if count > size:
            raise UserError(f"respacing {spec!r} asks for {count} of the {size} steps of a section; ask for fewer")
        steps += [start + offset for offset in _evenly_spaced(size, count)]
        start += size
    return steps


def _strided(total: int, spec: str) -> list[int]:
    count = _count(spec, spec.removeprefix(_STRIDE_PREFIX))
    for stride in range(1, total):
        steps = range(0, total, stride)
        if len(steps) == count:
            return list(steps)
    raise UserError(
        f"respacing {spec!r}: no integer stride keeps exactly {count} of {total} steps; use another count"
    )


def _evenly_spaced(size: int, count: int) -> list[int]:
    stride = (size - 1) / (count - 1) if count > 1 else 1
    # A running sum, as the official code has it: rounding would differ from i * stride at halves.
    offsets, position = [], 0.0
    for _ in range(count):
        offsets.append(round(position))
        position += stride
    return offsets


def _count(spec: str, text: str) -> int:
    if not (text.strip().isdecimal() and int(text) > 0):
        raise UserError(f'respacing {spec!r} must be "ddimK", "a,b,..." of positive whole numbers, or empty')
    return int(text)
