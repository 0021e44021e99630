# SPDX-License-Identifier: EUPL-1.2
"""One measured figure, and how it stands beside its peer.

Rules
  1. A ratio is written so that more is better: value/peer, or peer/value where less is better.
  2. A peer is what does the same work without us, or a physical or set limit; it is named.
  3. A goal is met when ratio ≥ goal. A figure without a goal informs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
DIGITS = 4  # significant ones: no run repeats itself more closely


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of `results.json`."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    goal: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the goal, if there is one, is reached."""
        return self.goal is None or (self.ratio is not None and self.ratio >= self.goal)


def alone(name: str, value: float, unit: str) -> Measure:
    """A figure that stands by itself."""
    return Measure(name, _rounded(value), unit)


def more_is_better(
    name: str, value: float, unit: str, *, peer: tuple[str, float], goal: float | None = None
) -> Measure:
    """A rate beside a peer's rate."""
    return Measure(name, _rounded(value), unit, peer[0], _rounded(peer[1]), _rounded(value / peer[1]), goal)


def less_is_better(
    name: str, value: float, unit: str, *, peer: tuple[str, float], goal: float | None = None
) -> Measure:
    """A size or a duration beside a peer's, or beside a limit."""
    return Measure(name, _rounded(value), unit, peer[0], _rounded(peer[1]), _rounded(peer[1] / max(value, 1e-9)), goal)


def write(measures: Sequence[Measure], path: Path = RESULTS) -> None:
    """Write all figures of one run."""
    lines = ",\n".join("  " + json.dumps(asdict(one), ensure_ascii=False) for one in measures)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def read(path: Path = RESULTS) -> tuple[Measure, ...]:
    """The figures of the last recorded run."""
    return tuple(Measure(**one) for one in json.loads(path.read_text(encoding="utf-8")))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
