# SPDX-License-Identifier: EUPL-1.2
"""The table of attacks at the end of docs/threats.md: what each gains, what stops it, which tests show it.

Rules
  1. The attack is told by requirements.toml, gain and remedy by threats.toml, the tests are found by their names.
  2. A test shows an attack when it is called `test_attack_T<n>_…`; a mark alone proves a part.

Left to others: that each attack has its row and its test (test_threats), the rest of the page (people).
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.rules.requirements_register import ROOT, load

PAGE: Final = ROOT / "docs" / "threats.md"
SAID: Final = ROOT / "tests" / "threats.toml"
BEGIN: Final = "<!-- Written by `make requirements` from tests/threats.toml and the tests' names. Do not edit. -->"
END: Final = "<!-- Written up to here. -->"
ATTACKS: Final = tuple(f"T{number}" for number in range(1, 66))
NAME: Final = re.compile(r"test_attack_[Tt](\d+)_")


@dataclass(frozen=True)
class Threat:
    """What is said of one attack; one that cannot be tried yet says only what it waits for."""

    id: str
    gains: str = ""
    stops: str = ""
    waits: str = ""


def threats() -> tuple[Threat, ...]:
    """All that is said, in its order."""
    return tuple(Threat(name, **said) for name, said in tomllib.loads(SAID.read_text(encoding="utf-8")).items())


def shown() -> Mapping[str, Sequence[str]]:
    """The tests that show each attack, by its id."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "test_attack_" in source:
            names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
            for name in names:
                if match := NAME.match(name):
                    found[f"T{match[1]}"].append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return found


def page() -> str:
    """The page with its table written anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_table()}\n{END}{after}"


def _table() -> str:
    says = {entry.id: entry.says for entry in load()}
    tests = shown()
    lines = ["| | attack | what the attacker gains | what stops more | shown by |", "|---|---|---|---|---|"]
    for one in threats():
        named = "<br>".join(f"`{test}`" for test in tests.get(one.id, ()))
        gains, stops = (f"*Waits.* {one.waits}", "") if one.waits else (one.gains, one.stops)
        lines.append(f"| {one.id} | {says[one.id]} | {gains} | {stops} | {named} |")
    return "\n".join(lines) + "\n"
