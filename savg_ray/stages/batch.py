"""Batches: columns of NumPy arrays, one row a clip; small results travel as .npy bytes, never as pickled objects."""

import io
from collections.abc import Iterator, Sequence

import numpy as np

Batch = dict[str, np.ndarray]
"""Column name to array; all have the same length. Arrays may be read-only."""

NO_RESULT = b""
"""What a result column holds for a row that a stage was not asked for, or could not do."""


def encode(array: np.ndarray) -> bytes:
    """An array as .npy bytes: dtype and shape included."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def decode(data: bytes) -> np.ndarray:
    """The array behind .npy bytes."""
    return np.load(io.BytesIO(data), allow_pickle=False)


def object_column(values: Sequence[object]) -> np.ndarray:
    """A column of Python strings or bytes (NumPy's own string types would cut or pad them)."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def stack_padded(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stack arrays of one rank, zero-padded behind to the largest; no axis is empty (Arrow has no empty tensors)."""
    shape = [max(1, *(array.shape[axis] for array in arrays)) for axis in range(arrays[0].ndim)]
    if all(list(array.shape) == shape for array in arrays):
        return np.stack(arrays)
    stacked = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for place, array in zip(stacked, arrays, strict=True):
        place[tuple(slice(0, size) for size in array.shape)] = array
    return stacked


def row_batches(batch: Batch) -> list[Batch]:
    """Each row as a batch of its own."""
    return [{name: column[i : i + 1] for name, column in batch.items()} for i in range(batch_length(batch))]


def joined(rows: Sequence[Batch]) -> Batch:
    """Batches of one row each as one batch; arrays of different sizes are zero-padded as in `stack_padded`."""
    columns = {name: [row[name][0] for row in rows] for name in rows[0]}
    return {name: _column(values) for name, values in columns.items()}


def _column(values: Sequence[object]) -> np.ndarray:
    if isinstance(values[0], str | bytes):
        return object_column(values)
    return stack_padded([np.asarray(value) for value in values])


def batch_length(batch: Batch) -> int:
    """Number of rows."""
    return len(next(iter(batch.values())))


def rows_of(batch: Batch) -> Iterator[dict]:
    """The rows of a batch, one dictionary each."""
    for i in range(batch_length(batch)):
        yield {name: column[i] for name, column in batch.items()}
