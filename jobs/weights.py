"""``savg weights``: list, fetch and verify weight files, and bundle small ones with the package."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from jobs.command import run_program
from savg_ray.errors import UserError
from savg_ray.files import file_sha256
from savg_ray.weights.bundle import BUNDLED, Bundle
from savg_ray.weights.checksums import read_record
from savg_ray.weights.load import load_state_dict
from savg_ray.weights.store import WeightStore, default_root

app = typer.Typer(help="Weight files and their checksums.", no_args_is_help=True, add_completion=False)

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        "--weights-dir", help="Folder of the weight files (default: $SAVG_WEIGHTS_DIR, or the user's cache)."
    ),
]


@app.command("list")
def list_files(weights_dir: WeightsDir = None) -> None:
    """Show what there is, what is here, and where the rest comes from."""
    store = _store(weights_dir)
    recorded = read_record(store.root)
    table = Table(show_lines=True)
    for heading in ("name", "size", "present", "sha256"):
        table.add_column(heading, no_wrap=True)
    table.add_column("file, source, licence", overflow="fold")
    for name, file in store.files.items():
        path = store.path(name)
        present = path.is_file()
        size_bytes = path.stat().st_size if present else file.size_bytes
        entry = recorded.get(path.name) if present else None
        table.add_row(
            name,
            f"{size_bytes / 1e6:.1f} MB" if size_bytes else "",
            "yes" if present else "no",
            entry.sha256[:12] if entry else "",
            f"{file.file_name}\n{file.page}\n{file.licence}",
        )
    for name, purpose in BUNDLED.items():
        path = Bundle().path(name)
        present = path.is_file()
        table.add_row(
            name,
            f"{path.stat().st_size / 1e6:.1f} MB" if present else "",
            "bundled" if present else "no",
            file_sha256(path)[:12] if present else "",
            f"{path.name}\n{purpose}",
        )
    Console().print(f"Weights folder: {store.root}", table)


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="As `savg weights list` shows them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every file.")] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Download weight files; a download that was cut goes on where it stopped."""
    store = _store(weights_dir)
    wanted = list(store.files) if every else names
    if not wanted:
        raise UserError(f"name what to fetch ({', '.join(store.files)}), or use --all")
    for name in wanted:
        if name in BUNDLED:
            raise UserError(f"{name} comes with this package; there is nothing to fetch")
        store.file(name)
    with _ProgressBars() as bars:
        for name in wanted:
            bars.console.print(f"{name}: {store.fetch(name, bars.show)}", soft_wrap=True)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="As `savg weights list` shows them; all by default.")
    ] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """Hash weight files and compare with what is published and with their first use."""
    store = _store(weights_dir)
    bundle = Bundle()
    chosen = names or [
        *(name for name in store.files if store.path(name).is_file()),
        *(name for name in BUNDLED if bundle.path(name).is_file()),
    ]
    if not chosen:
        raise UserError(f"there are no weight files in {store.root}; get them with `savg weights fetch --all`")
    faults = []
    for name in chosen:
        try:
            typer.echo(f"{name}: {bundle.sha256(name) if name in BUNDLED else store.verify(name)}")
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("; ".join(faults))


@app.command("bundle")
def bundle_file(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BUNDLED)}.")],
    file: Annotated[Path, typer.Argument(help="What `savg train` exported.")],
) -> None:
    """Put a trained small network into the package, in the place of the bundled one."""
    bundle = Bundle()
    bundle.path(name)
    if not file.is_file():
        raise UserError(f"{file} does not exist; name a file that `savg train` exported")
    path = bundle.add(name, load_state_dict(file, name))
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.2f} MB, sha256 {bundle.sha256(name)}")


def _store(weights_dir: Path | None) -> WeightStore:
    return WeightStore(weights_dir or default_root())


class _ProgressBars(Progress):
    """One bar per file, on stderr."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bars = {}

    def show(self, file_name: str, done: int, total: int | None) -> None:
        """Move the bar of one file."""
        if file_name not in self._bars:
            # A resumed download begins at what is there, so that the speed counts only what comes now.
            self._bars[file_name] = self.add_task(file_name, total=total, completed=done)
        self.update(self._bars[file_name], completed=done, total=total)


if __name__ == "__main__":
    run_program(lambda: app)
