# SPDX-License-Identifier: EUPL-1.2
"""The last screen: where everything lies, and what to try next."""

import os
from pathlib import Path

from rich.text import Text

from deploy.demo.places import Places
from deploy.demo.proofs import PACKAGE
from deploy.demo.screen import Screen

CONTENTS = (
    ("receipts", "receipts as PDF; in a folder for each envelope the signed note and its evidence"),
    ("minutes", "closing lists and minutes as PDF, and the signed notes"),
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
    receipt = "armor-lot1-financial-new"
    screen.commands(
        (
            ("check the package yourself", f"{_program()} verify {out}/packages/{PACKAGE} --trust {out}/trust"),
            (
                "check a receipt, or its print",
                f"{_program()} verify {out}/receipts/{receipt}.en.pdf --trust {out}/trust",
            ),
            ("change a byte in a copy of anything there, and check again", f"cp -r {out}/packages/{PACKAGE} /tmp/copy"),
            ("read what the notice of the opening says", f"xdg-open {out}/minutes/minutes-technical.fr.pdf"),
            ("search the sealed envelopes for a bidder", f"grep -ac 'Armor' {out}/sealed/*.tvse"),
            ("run a vault that stays", f"{_program()} up"),
        )
    )


def _shown(path: Path) -> str:
    """Relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def _program() -> str:
    """How `bidvault` is called from here."""
    return ".venv/bin/bidvault" if Path(".venv/bin/bidvault").exists() else "bidvault"
