# SPDX-License-Identifier: EUPL-1.2
"""The last screen: where everything lies, and what to try next."""

import shlex
import sys
import tempfile
from pathlib import Path

from rich.text import Text

from deploy.demo import cast
from deploy.demo.places import Places
from deploy.demo.proofs import PACKAGE
from deploy.demo.screen import Screen

CONTENTS = (
    ("receipts", "receipts as PDF; in a folder for each envelope the signed note and its evidence"),
    ("minutes", "closing lists and minutes as PDF, each with the signed statement in it"),
    ("sealed", "the envelopes as they were sealed: nobody reads them without three keys and the gate"),
    ("keys", "key files with their passphrases, since this is a demo"),
    ("packages", "the exported procedure, to be checked by anybody"),
    ("trust", "roots of the authorities and of the seal (*.pem), the vault's keys (*.vkey)"),
    ("documents", "what the bidders handed in"),
    ("opened", "what the buyer downloaded: the same bytes"),
)


def tell(screen: Screen, places: Places, *, seconds: float) -> None:
    """Where things are, and exact commands."""
    screen.title("That was it", f"Told in {seconds // 60:.0f} min {seconds % 60:02.0f} s. Everything is stopped.")
    out = _shown(places.out)
    screen.table("", ("where", "what"), [(f"{out}/{name}", what) for name, what in CONTENTS])
    screen.lines([Text("Try next", style="bold")])
    screen.commands(_commands(out, Path(tempfile.gettempdir()) / "changed"))


def _commands(out: str, copy: Path) -> tuple[tuple[str, str], ...]:
    verify, trust = f"{_program()} verify", f"--trust {out}/trust"
    package, receipt = f"{out}/packages/{PACKAGE}", f"{out}/receipts/{cast.ARMOR_BETTER.name}"
    return (
        ("check the package, step by step", f"{verify} {package} {trust}"),
        ("check a receipt as it was signed, and as it was printed", f"{verify} {receipt}/receipt {trust}"),
        ("", f"{verify} {receipt}.fr.pdf {trust}"),
        ("change something in a copy, anything, and check that", f"cp -r {package} {copy}"),
        ("", f"printf x >> {copy}/data/plan.json && {verify} {copy} {trust}"),
        ("search the sealed envelopes for a bidder", f"grep -c -a -i armor {out}/sealed/*.tvse"),
        ("run a vault that stays, and make a key for it", f"{_program()} up"),
        ("", f"{_program()} custodian init my-key --name Me --organisation Us --subject me"),
    )


def _shown(path: Path) -> str:
    """Relative where it lies below; quoted for a shell."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) and path != here else path))


def _program() -> str:
    """How `bidvault` is called from here."""
    beside = Path(sys.executable).with_name("bidvault")
    return _shown(beside) if beside.exists() else "bidvault"
