# SPDX-License-Identifier: EUPL-1.2
"""`python -m bench`: measure, show, and record what was measured at full size on a machine of its own.

Rules
  1. Recorded are `bench/results.json` and the table of docs/reference/performance.md, and only a run of all parts at
     full size whose every part passed the gate before and after; another run is shown, with the reason.
  2. Everything that was started is stopped, however the run ends; what was measured by then is shown and kept for
     `--resume`.
"""

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import FrameType

from bench import machine, measures, page
from bench.measures import ROOT, Measure, alone
from bench.parts import DEPOSITS, FULL, MIB, Notebook, Part, Wanted, chosen, measured
from bench.stage import Stage, staged
from bench.table_of_parts import PARTS


def run(parts: Sequence[Part], wanted: Wanted, notebook: Notebook) -> None:
    """Measure the parts that are not measured yet, those on the common stage first."""
    left = [part for part in parts if not notebook.has(part.name)]
    with ExitStack() as stack:
        stage: Stage | None = None
        for part in left:
            if part.on_stage is not None and stage is None:
                stage = stack.enter_context(staged())
            if part.on_stage is None:
                stack.close()  # what brings its own vault shall not share the memory with another
                stage = None
            print(f"{datetime.now(UTC):%H:%M:%S} {part.name} …", flush=True)
            notebook.keep(measured(part, stage, wanted))
            print(page.table(notebook.figures([part.name])), flush=True)


def main() -> int:
    """Run once; 1 when the run could have been recorded but for the machine, or was broken off."""
    signal.signal(signal.SIGTERM, _broken_off)
    given = _arguments()
    parts = chosen(PARTS, given.only)
    wanted = Wanted(given.size * MIB, given.pairs, given.deposits, is_long=given.full)
    notebook = Notebook(_commit(), repr(wanted))
    if given.resume:
        notebook.go_on()
    busy, what = machine.load(), _when_and_where(wanted)
    is_whole = True
    try:
        run(parts, wanted, notebook)
    except KeyboardInterrupt:
        is_whole = False
    names = [part.name for part in parts]
    found = notebook.figures(names)
    print(f"\n{what}\n\n{page.table(found)}")
    if (reason := _why_not(notebook, names, is_whole=is_whole, wanted=wanted)) is not None:
        print(f"Not recorded: {reason}")
        return 0 if is_whole and (given.only or not wanted.is_full) else 1
    gate = machine.gate()
    found += [_gate(gate), alone("load of the machine in the minute before the run", busy, "processes")]
    measures.write(found)
    page.write(found, measured=what)
    notebook.forget()
    print("Recorded in bench/results.json and docs/reference/performance.md.")
    _tell_missed(found)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="one part, or several")
    parser.add_argument("--size", type=int, default=FULL, help="MiB of the large upload")
    parser.add_argument("--pairs", type=int, default=5, help="how often vault and peer take turns")
    parser.add_argument("--deposits", type=int, default=DEPOSITS, help="small deposits in all")
    parser.add_argument("--full", action="store_true", help="what takes too long for every run: 10 GiB")
    parser.add_argument("--resume", action="store_true", help="go on where a run of this commit was broken off")
    return parser.parse_args()


def _why_not(notebook: Notebook, names: Sequence[str], *, is_whole: bool, wanted: Wanted) -> str | None:
    """Why these figures are not kept."""
    if not is_whole:
        return "the run was broken off; `--resume` goes on with it."
    if len(names) < len(PARTS):
        return "only a part."
    if not wanted.is_full:
        return "smaller than a run that counts."
    if not notebook.are_ours(names):
        shut = ", ".join(name for name in names if not notebook.has(name))
        return f"others used this machine while {shut} was measured; `--resume` repeats that when it is quiet."
    return None


def _tell_missed(found: Sequence[Measure]) -> None:
    for one in found:
        if not one.is_met:
            print(f"Missed: {one.name}, beside {one.peer}: {one.ratio} of {one.goal}")


def _broken_off(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _gate(gate: machine.Gate) -> Measure:
    name = "SHA-256 in two processes, after the run"
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
