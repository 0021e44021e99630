# SPDX-License-Identifier: EUPL-1.2
"""`bidvault export`: take an opened procedure away as one package, a directory or a TAR.

Rules
  1. The package comes over the API with the buyer's token; it is whole at its place, or not there at all.
  2. A directory is unpacked here, safely: nothing in a package can be written outside it.

Left to others: what is in it (retention.export), checking it (`bidvault verify`).
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from api.cli.remote import Vault, VaultRefused
from retention.errors import RetentionError
from retention.formats.bagit import unpack

app = typer.Typer(help="Export an opened procedure as one package.")
people = Console(stderr=True)
COLUMNS = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())


@app.command()
def export(
    procedure: Annotated[UUID, typer.Argument(help="The procedure's id.")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="FILE.tar, or a directory that does not exist yet.")],
    url: Annotated[str, typer.Option(help="The vault's address.", envvar="BIDVAULT_URL")],
    token_file: Annotated[Path, typer.Option(help="File that holds the buyer's token.", exists=True, dir_okay=False)],
) -> None:
    """Write the package of a procedure; its boxes must be closed, and no opening under way."""
    try:
        vault = Vault(url, token_file.read_text(encoding="ascii").strip())
        _require_new(out)
        if out.suffix == ".tar":
            _download(vault, procedure, out)
        else:
            _download_and_unpack(vault, procedure, out)
    except (VaultRefused, RetentionError, OSError, ValueError) as error:
        people.print(f"[red]Not exported:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
    people.print(f"The package is in [bold]{out}[/bold]. Check it: bidvault verify {out} --trust DIRECTORY")


def _require_new(out: Path) -> None:
    if out.exists():
        raise VaultRefused(f"{out} exists already; nothing is written over it")


def _download(vault: Vault, procedure: UUID, tar: Path) -> None:
    tar.parent.mkdir(parents=True, exist_ok=True)
    with Progress(*COLUMNS, console=people, transient=True) as bar:
        task = bar.add_task("package", total=None)
        vault.download(
            f"/v1/procedures/{procedure}/package",
            tar,
            progress=lambda done, whole: bar.update(task, completed=done, total=whole or None),
        )


def _download_and_unpack(vault: Vault, procedure: UUID, folder: Path) -> None:
    tar = folder.with_name(f".{folder.name}.tar")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        _download(vault, procedure, tar)
        unpack(tar, partial).rename(folder)
    finally:
        tar.unlink(missing_ok=True)
