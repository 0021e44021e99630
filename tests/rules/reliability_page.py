# SPDX-License-Identifier: EUPL-1.2
"""The page docs/reference/reliability.md: the fault tables that the tests run, and the figures of the long tests.

Rules
  1. A table on the page is the one its tests are made of: nothing is described that is not tried.
  2. Each figure stands with the commit it was counted on; nothing is computed here.

Left to others: the tables (tests.faults), the figures (tests.figures).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests import figures
from tests.faults import crashes, dependencies
from tests.faults.tables import Table
from tests.rules.requirements_register import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "reliability.md"
TABLES: Final[Sequence[Callable[[], Table]]] = (crashes.table, dependencies.table)

HEAD: Final = """# Reliability

<!-- Written by `make requirements` from tests/faults and tests/figures.json. Do not edit. -->

What happens when a process is killed, a disk is full, an answer is lost. The tables are the tests' own: each line is
tried on every run, and afterwards everything stored is read anew and journal, proofs, locks, keys and states are
derived from it again. Steps carry the letters of [the life of an envelope](../life-of-an-envelope.md).
"""


def page() -> str:
    """Tables, then figures."""
    return "\n".join([HEAD, *(line for table in TABLES for line in _table(table())), *_figures()]) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.title}\n"
    yield f"{table.opening}\n"
    yield "| " + " | ".join(table.head) + " |"
    yield "|" + "---|" * len(table.head)
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _figures() -> Iterator[str]:
    yield "## Figures of the long tests\n"
    found = figures.kept()
    if not found:
        yield "None has been recorded yet: `make test-long` counts them."
        return
    yield "`make test-long` counts them anew.\n"
    yield "| what | figure | on commit |"
    yield "|---|---|---|"
    for one in found:
        value = f"{one.value:,.0f}" if one.value == int(one.value) else f"{one.value:.3g}"
        yield f"| {one.name} | {value} {one.unit} | {one.commit} |"
