"""The values of training, step by step: a Parquet file and TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tensorboardX import SummaryWriter

from savg_ray.files import written_at_once

FILE = "curve.parquet"


class Curve:
    """What every step came to, kept in ``curve.parquet`` and shown by TensorBoard.

    Args:
        out: folder of the training.
        step: the step that training goes on from; what an earlier run wrote of later ones is dropped.
    """

    def __init__(self, out: Path, step: int) -> None:
        self._path = out / FILE
        self._rows: list[dict[str, float]] = []
        if self._path.exists():
            self._rows = [row for row in pq.read_table(self._path).to_pylist() if row["step"] <= step]
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Take in a step's values."""
        self._rows.append({"step": step, **values})
        for name, value in values.items():
            self._board.add_scalar(f"training/{name}", value, step)

    def add_validation(self, step: int, values: Mapping[str, float]) -> None:
        """Show a validation's values."""
        for name, value in values.items():
            self._board.add_scalar(f"validation/{name}", value, step)

    def write(self) -> None:
        """Bring the files up to date."""
        self._board.flush()
        with written_at_once(self._path) as part:
            pq.write_table(pa.Table.from_pylist(self._rows), part)
