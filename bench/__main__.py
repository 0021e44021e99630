# SPDX-License-Identifier: EUPL-1.2
"""`python -m bench`: measure, show, and record what was measured at full size on a machine of its own.

Rules
  1. Recorded are `bench/results.json` and the table of docs/reference/performance.md, and only a run at full size that
     passed the gate before and after; another run is shown, with the reason why it is not kept.
  2. Everything that was started is stopped, however the run ends.
"""

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from bench import machine, measures, page, sealing, small, uploads
from bench.measures import ROOT, Measure, alone
from bench.stage import staged

FULL = 1024  # MiB
LEAST_PAIRS = 3
DEPOSITS = 480


@dataclass(frozen=True)
class Wanted:
    """How large a run."""

    size: int  # bytes
    pairs: int
    deposits: int

    @property
    def is_full(self) -> bool:
        """Whether its figures are worth keeping."""
        return self.size >= FULL * uploads.MIB and self.pairs >= LEAST_PAIRS and self.deposits >= DEPOSITS


def run(wanted: Wanted) -> tuple[list[Measure], bool]:
    """Measure everything; whether the machine was ours all the time."""
    busy, before = machine.load(), machine.gate()
    print(f"SHA-256 in two processes: {before.ratio:.2f} of one; load {busy:.2f}", flush=True)
    with staged() as stage:
        print("large uploads …", flush=True)
        found = uploads.measure(stage, size=wanted.size, pairs=wanted.pairs)
        print("sealing in process …", flush=True)
        found += sealing.measure(stage, size=wanted.size // 2, pairs=wanted.pairs)
        print("small deposits …", flush=True)
        found += small.measure(stage, deposits=wanted.deposits, turns=wanted.pairs)
    after = machine.gate()
    found.append(_gate("before the run", before))
    found.append(_gate("after the run", after))
    found.append(alone("load of the machine in the minute before the run", busy, "processes"))
    return found, before.is_open and after.is_open


def main() -> int:
    """Run once; 1 when the run could have been recorded but for the machine."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=FULL, help="MiB of the large upload")
    parser.add_argument("--pairs", type=int, default=5, help="how often vault and peer take turns")
    parser.add_argument("--deposits", type=int, default=DEPOSITS, help="small deposits in all")
    given = parser.parse_args()
    wanted = Wanted(given.size * uploads.MIB, given.pairs, given.deposits)
    measured = _when_and_where(wanted)
    found, is_ours = run(wanted)
    print(f"\n{measured}\n\n{page.table(found)}")
    if not wanted.is_full:
        print("Not recorded: smaller than a run that counts.")
        return 0
    if not is_ours:
        print("Not recorded: one core only, since others used this machine; repeat it when it is quiet.")
        return 1
    measures.write(found)
    page.write(found, measured=measured)
    print("Recorded in bench/results.json and docs/reference/performance.md.")
    return 0


def _gate(when: str, gate: machine.Gate) -> Measure:
    name = f"SHA-256 in two processes, {when}"
    return measures.more_is_better(name, gate.two, "MB/s", peer=("in one", gate.one), goal=machine.ENOUGH)


def _when_and_where(wanted: Wanted) -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {machine.described()}; medians of {wanted.pairs} turns."


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    asked = [git, "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
