# SPDX-License-Identifier: EUPL-1.2
"""Figures of the long tests: how many kills, how many lost, how long; kept with the commit they were counted on.

Rules
  1. `record` appends one line to the file that BIDVAULT_FIGURES names, and does nothing where it names none.
  2. `python -m tests.figures FILE` takes what a run has recorded into tests/figures.json, with the commit it ran on. A
     figure that a run did not count stays as it was, with its own commit.

Left to others: showing them (tests.rules.reliability_page).
"""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
KEPT: Final = ROOT / "tests" / "figures.json"
VARIABLE: Final = "BIDVAULT_FIGURES"


@dataclass(frozen=True, order=True)
class Figure:
    """One figure, and the commit it was counted on."""

    name: str
    value: float
    unit: str
    commit: str


def record(name: str, value: float, unit: str = "") -> None:
    """Record one figure of this run; of several under one name the last stands."""
    named = os.environ.get(VARIABLE)
    if not named:
        return
    with Path(named).open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # xdist runs several processes
        file.write(json.dumps({"name": name, "value": float(value), "unit": unit}) + "\n")


def kept(path: Path = KEPT) -> list[Figure]:
    """The figures of the last runs, by name."""
    if not path.exists():
        return []
    return sorted(Figure(**row) for row in json.loads(path.read_text(encoding="utf-8")))


def take(lines: Iterable[str], *, commit: str, path: Path = KEPT) -> None:
    """Take a run's figures in the place of older ones of the same name."""
    figures = {one.name: one for one in kept(path)}
    for row in map(json.loads, lines):
        figures[row["name"]] = Figure(**row, commit=commit)
    rows = [asdict(one) for one in sorted(figures.values())]
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def commit() -> str:
    """The commit of the working tree, marked where something is not committed."""
    described = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    found = subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Take the file of a run, and remove it."""
    run = Path(arguments[0])
    if run.exists():
        take(run.read_text(encoding="utf-8").splitlines(), commit=commit())
        run.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
