# SPDX-License-Identifier: EUPL-1.2
"""`bidvault recover`: after a restored database or key store, bring back what was acknowledged, and name the rest.

Rules
  1. It runs alone. On embedded parts the data directory's lock tells, on outside parts a lock in the database.
  2. `--dry-run` finds out all of it and changes nothing.
  3. Exit 0: everything is there. 2: recovered, and something is named. 1: it could not go on. 3: something still runs.

Left to others: the act (vault.recovery), the words (deploy.recover_words).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from api import bootstrap
from crypto.errors import CryptoError
from deploy.command import default_data
from deploy.errors import AlreadyRunning, DeployError
from deploy.recover_words import DONE, LOST, subject
from deploy.up import RunningVault
from deploy.up_command import outside_of_environment
from vault.errors import StillRunning, VaultError
from vault.recovery import Findings, Shown, recover
from vault.settings import read_settings

FAILED, NAMED, RUNNING = 1, 2, 3
EVIDENCE = ".evidence"

app = typer.Typer(add_completion=False, invoke_without_command=True)
console = Console()

Data = Annotated[Path | None, typer.Option(help="Data directory of the vault; outside parts as `up` has them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Find out all of it and change nothing.")]


@app.callback()
def recover_all(
    ctx: typer.Context,
    *,
    receipts: Annotated[
        Path | None,
        typer.Option(help="Folder of receipts, notices and withdrawals.", exists=True, file_okay=False),
    ] = None,
    data: Data = None,
    dry_run: DryRun = False,
) -> None:
    """Bring back what a restored database or key store has lost; what cannot be had again is named.

    Receipts, notices and withdrawals bring back what was deposited in the very last seconds. Stop the vault first.
    """
    if ctx.invoked_subcommand is None:
        _recover(_statements(receipts) if receipts else [], data=data, is_rehearsal=dry_run)


@app.command("show-receipt")
def show_receipt(
    file: Annotated[list[Path], typer.Argument(help="Receipts, notices or withdrawals.", exists=True, dir_okay=False)],
    *,
    data: Data = None,
    dry_run: DryRun = False,
) -> None:
    """The same, with these statements shown."""
    _recover([_shown(path) for path in file], data=data, is_rehearsal=dry_run)


def _recover(shown: list[Shown], *, data: Path | None, is_rehearsal: bool) -> None:
    try:
        with _parts(data):
            works = bootstrap.assemble(read_settings())
            with _Bars() as bars:
                found = recover(works, shown=shown, progress=bars.told, is_rehearsal=is_rehearsal)
    except (AlreadyRunning, StillRunning) as error:
        console.print(f"[red]{error.code}[/]: {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(RUNNING) from error
    except (DeployError, VaultError, CryptoError) as error:
        console.print(f"[red]{error.code}[/]: {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(FAILED) from error
    _tell(found, is_rehearsal=is_rehearsal)
    raise typer.Exit(NAMED if found.lost else 0)


@contextmanager
def _parts(data: Path | None) -> Iterator[None]:
    """The vault's parts without API and worker, and its settings in the environment."""
    vault = RunningVault(data or default_data(), outside=outside_of_environment())
    with console.status("Starting the parts"):
        vault.start(serves=False)
    try:
        os.environ.update(vault.environment)
        yield
    finally:
        with console.status("Stopping the parts"):
            vault.stop()


def _statements(folder: Path) -> list[Shown]:
    """Every file of a folder that says of itself that it is a statement; others lie there too."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != EVIDENCE)
    return [_shown(path) for path in files if path.open("rb").read(9) == b"bidvault/"]


def _shown(path: Path) -> Shown:
    beside = path.with_name(path.name + EVIDENCE)
    other = path.with_suffix(EVIDENCE)
    evidence = next((one.read_bytes() for one in (beside, other) if one.exists()), b"")
    return Shown(path.name, path.read_bytes(), evidence)


class _Bars:
    """Progress of long work: one bar for each thing that is looked at."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
        )
        self._tasks: dict[str, TaskID] = {}

    def told(self, what: str, place: int, of: int) -> None:
        """See vault.recovery."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=place, total=of or None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bars.stop()


def _tell(found: Findings, *, is_rehearsal: bool) -> None:
    if is_rehearsal:
        console.print("Essai : rien n'est changé. / Rehearsal: nothing is changed.")
    if not found.done and not found.lost:
        console.print("Rien à reprendre : tout est là. / Nothing to recover: everything is there.")
        return
    table = Table("", "Français", "English", title=None)
    for what, count in found.done.items():
        table.add_row(str(count), *DONE[what])
    if found.done:
        console.print(table)
    if found.lost:
        named = Table("", "Français", "English", title="À traiter / To be dealt with")
        for loss in found.lost:
            named.add_row(subject(loss), *LOST[loss.kind])
        console.print(named)
