# SPDX-License-Identifier: EUPL-1.2
"""What there is to measure, each part by its name; what was measured is kept as soon as it is.

Rules
  1. A part is measured between two looks at the machine; where one of them fails, the part is repeated once.
  2. Each part's figures are written to `bench/.measured.json` when they are there, with the commit they are of: a run
     that was broken off is gone on with, at the same commit, by `--resume`.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import machine
from bench.measures import ROOT, Measure
from bench.stage import Stage

MEASURED = ROOT / "bench" / ".measured.json"
MIB = 1024 * 1024
FULL = 1024  # MiB
LEAST_PAIRS = 3
DEPOSITS = 480


@dataclass(frozen=True)
class Wanted:
    """How large a run."""

    size: int  # bytes
    pairs: int
    deposits: int
    is_long: bool = False  # 10 GiB and a million rows, whatever it takes

    @property
    def is_full(self) -> bool:
        """Whether its figures are worth keeping."""
        return self.size >= FULL * MIB and self.pairs >= LEAST_PAIRS and self.deposits >= DEPOSITS


@dataclass(frozen=True)
class Part:
    """One part: it needs the common stage, or brings what it needs."""

    name: str
    on_stage: Callable[[Stage, Wanted], list[Measure]] | None = None
    alone: Callable[[Wanted], list[Measure]] | None = None

    def measure(self, stage: Stage | None, wanted: Wanted) -> list[Measure]:
        """All its figures."""
        if self.on_stage is not None:
            assert stage is not None
            return self.on_stage(stage, wanted)
        assert self.alone is not None
        return self.alone(wanted)


@dataclass(frozen=True)
class Found:
    """A part's figures, and whether the machine was ours all the time."""

    part: str
    figures: tuple[Measure, ...]
    is_ours: bool


class Notebook:
    """What this commit has measured so far."""

    def __init__(self, commit: str, size: str, path: Path = MEASURED) -> None:
        """Begin an empty one for this commit and this size of run."""
        self._path, self._of = path, f"{commit} {size}"
        self._found: dict[str, Found] = {}

    def go_on(self) -> None:
        """Take what an earlier run of the same commit and size has left."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return
        if kept["of"] != self._of:
            return
        for one in kept["parts"]:
            figures = tuple(Measure(**figure) for figure in one["figures"])
            self._found[one["part"]] = Found(one["part"], figures, one["is_ours"])

    def has(self, part: str) -> bool:
        """Whether a part is measured, on a machine that was ours."""
        return part in self._found and self._found[part].is_ours

    def keep(self, found: Found) -> None:
        """Write down a part's figures."""
        self._found[found.part] = found
        parts = [asdict(one) for one in self._found.values()]
        self._path.write_text(json.dumps({"of": self._of, "parts": parts}, ensure_ascii=False, indent=1), "utf-8")

    def figures(self, parts: Iterable[str]) -> list[Measure]:
        """All figures, in the order of the parts."""
        return [one for part in parts if part in self._found for one in self._found[part].figures]

    def are_ours(self, parts: Iterable[str]) -> bool:
        """Whether each of these parts is there and had the machine to itself."""
        return all(self.has(part) for part in parts)

    def forget(self) -> None:
        """The figures are recorded elsewhere now."""
        self._path.unlink(missing_ok=True)


def measured(part: Part, stage: Stage | None, wanted: Wanted) -> Found:
    """Measure one part between two gates, once more where one of them is shut."""
    found = _tried(part, stage, wanted)
    if found.is_ours:
        return found
    print(f"  others used the machine while {part.name} was measured: once more", flush=True)
    return _tried(part, stage, wanted)


def _tried(part: Part, stage: Stage | None, wanted: Wanted) -> Found:
    before = machine.gate()
    figures = part.measure(stage, wanted)
    return Found(part.name, tuple(figures), is_ours=before.is_open and machine.gate().is_open)


def chosen(parts: Sequence[Part], only: Sequence[str]) -> list[Part]:
    """Those parts that were asked for; all where none was.

    Raises:
        SystemExit: no part has that name.
    """
    names = [part.name for part in parts]
    if unknown := set(only) - set(names):
        raise SystemExit(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return [part for part in parts if not only or part.name in only]
