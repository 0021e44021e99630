# SPDX-License-Identifier: EUPL-1.2
"""`bidvault store check`: try an object store, and say what it does."""

import typer
from rich.console import Console

from deploy.conformance import check, objects_of
from vault.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False)
console = Console()


@app.callback()
def store() -> None:
    """Look at the object store."""


@app.command("check")
def check_store() -> None:
    """Try what the vault relies on, one line each; exit 1 when a promise is not kept."""
    settings = Settings()
    is_fit = True
    for finding in check(objects_of(settings)):
        is_fit = is_fit and finding.is_kept
        word = "[green]kept[/]" if finding.is_kept else "[red]NOT KEPT[/]"
        console.print(f"{finding.number:2} {word} {finding.says}: {finding.answer}", highlight=False)
    if settings.embedded_store is None:
        console.print("Durability is the store's promise: have its operator say what an answer means.")
    raise typer.Exit(0 if is_fit else 1)
