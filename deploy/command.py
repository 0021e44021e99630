# SPDX-License-Identifier: EUPL-1.2
"""The console script `bidvault`: a verb's module is loaded when it is called, so `verify` imports no database.

Rules
  1. A verb is a Typer app named `app` in the module named here; those of `api.cli` start no stack.
  2. `--data`, before the verb, names the data directory of the running vault that it is about: addresses and keys are
     read from there unless the environment gives them.
"""

import os
import sys
from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

ENVIRONMENT_FILE = "bidvault.env"
VERBS = {
    "up": ("deploy.up_command", "Start the vault and serve until Ctrl-C."),
    "demo": ("deploy.demo_command", "Watch real bids being sealed, kept shut, opened, proved and verified."),
    "deposit": ("api.cli.deposit", "Deposit an envelope."),
    "withdraw": ("api.cli.withdraw", "Take an envelope back before the deadline."),
    "procedure": ("api.cli.procedure", "Create, publish, amend and end procedures; open boxes; download."),
    "custodian": ("api.cli.custodian.commands", "Make a key, rehearse, confirm, contribute, decide."),
    "verify": ("api.cli.verify", "Check a receipt, a print or a package, without network and database."),
    "export": ("api.cli.archive", "Export an opened procedure as one package."),
    "rules": ("api.cli.rules", "Show how long each class of documents is kept, and why."),
    "token": ("api.cli.operate", "Issue a token of the local issuer."),
    "recover": ("deploy.recover_command", "Bring back what a restored database or key store has lost."),
    "store": ("deploy.store_command", "Check what an object store really does."),
}
STARTS_A_VAULT = {"up", "demo", "recover"}  # these find out for themselves where everything is

root = typer.Typer(name="bidvault", no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


def default_data() -> Path:
    """Where a vault lies when nobody says where: under the XDG data home."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "bidvault"


@root.callback()
def of_vault(
    ctx: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Data directory of the running vault that a command is about.")
    ] = None,
) -> None:
    """Keeps bids sealed until they may be opened, and proves what happened to them."""
    if ctx.invoked_subcommand in STARTS_A_VAULT:
        return
    file = (data or default_data()) / ENVIRONMENT_FILE
    if data is not None and not file.exists():
        raise typer.BadParameter(f"{file} is missing: no vault was started on this directory", param_hint="--data")
    if os.access(file, os.R_OK):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)


def main() -> None:
    """The entry of the console script: only the verb that was called is loaded."""
    program({word for word in sys.argv[1:] if word in VERBS})()


def program(loaded: Collection[str] = frozenset(VERBS)) -> TyperGroup:
    """The command with all its verbs; those that are not to be loaded are only listed."""
    group = typer.main.get_group(root)
    for verb, (module, summary) in VERBS.items():
        if not _is_there(module):
            continue
        app = import_module(module).app if verb in loaded else _named_only(verb, summary)
        command = typer.main.get_command(app)
        command.name = verb
        group.add_command(command, verb)
    return group


def _named_only(verb: str, summary: str) -> typer.Typer:
    """A verb that is only listed, not called."""
    app = typer.Typer(add_completion=False)
    app.command(name=verb, help=summary)(lambda: None)
    return app


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
