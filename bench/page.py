# SPDX-License-Identifier: EUPL-1.2
"""The table of `docs/reference/performance.md`, written from the figures; everything around it is written by hand."""

import re
from collections.abc import Sequence
from pathlib import Path

from bench.measures import ROOT, Measure

PAGE = ROOT / "docs" / "reference" / "performance.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
HEAD = "| what | value | beside | its value | ratio | goal |\n|---|---|---|---|---|---|\n"
THOUSAND = 1000


def table(measures: Sequence[Measure]) -> str:
    """The figures as Markdown."""
    return HEAD + "".join(_line(one) for one in measures)


def write(measures: Sequence[Measure], *, measured: str, path: Path = PAGE) -> None:
    """Put the figures, and when and on what they were measured, between the marks of the page."""
    text = path.read_text(encoding="utf-8")
    figures = f"{BEGIN}\n\n{measured}\n\n{table(measures)}\n{END}"
    path.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: figures, text, flags=re.DOTALL), "utf-8")


def _line(one: Measure) -> str:
    goal = "" if one.goal is None else f"≥ {_number(one.goal)}{'' if one.is_met else ', missed'}"
    peer = "" if one.peer_value is None else f"{_number(one.peer_value)} {one.unit}"
    ratio = "" if one.ratio is None else _number(one.ratio)
    return f"| {one.name} | {_number(one.value)} {one.unit} | {one.peer or ''} | {peer} | {ratio} | {goal} |\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= THOUSAND else f"{value:.3g}"
