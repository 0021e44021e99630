# SPDX-License-Identifier: EUPL-1.2
"""The page docs/reference/problems.md, from the program's own table.

Left to others: the words (api.problem_table).
"""

from typing import Final

from api.problem_table import PROBLEMS
from tests.rules.requirements_register import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "problems.md"

HEAD: Final = """# Problems

<!-- Written by `make requirements` from api/problem_table.py. Do not edit. -->

Every error of the [API](api.md) is one of these, as `application/problem+json` (RFC 9457). The type is stable for ever;
the words may become better. They come in English or French, as `Accept-Language` asks, and with the members named here
beside the usual ones.

| type | status | what happened | what to do | members |
|---|---|---|---|---|
"""


def page() -> str:
    """One row for each type, in the order of the table."""
    rows = []
    for problem in PROBLEMS.values():
        happened, remedy = problem.english
        members = ", ".join(f"`{fact}`" for fact in problem.facts)
        rows.append(f"| `{problem.type}` | {problem.status} | {happened} | {remedy} | {members} |\n")
    return HEAD + "".join(rows)
