# SPDX-License-Identifier: EUPL-1.2
"""The page docs/reference/requirements.md as text, from the register and the marks alone.

Rules
  1. The same register and marks give the same text: no date, no count of seconds, no line numbers.
  2. What is not proved names what it waits for; tests that already touch it are shown beside that.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.rules.requirements_register import FAMILIES, THIS_WORK, WAITS, Proof, Requirement

HEAD: Final = """# Requirements and their tests

<!-- Written by `make requirements` from tests/requirements.toml and the marks in the tests. Do not edit. -->

Each line is one thing that must hold, in our words, and the tests that show it.
**must** is law or its direct consequence, **should** is guidance or practice, **ours** is what nobody prescribes and we
ask of ourselves. An id that is not proved names the work it waits for, and tests listed beside it show a part of it.
Attacks are those of the threat model ([threats](../threats.md)); a word in `code` is the refusal an attacker meets.
"""


def page(register: Sequence[Requirement], proofs: Sequence[Proof]) -> str:
    """Everything, family by family, after a summary."""
    tests: dict[str, list[str]] = {}
    for proof in proofs:
        tests.setdefault(proof.requirement, []).append(proof.test)
    parts = [HEAD, *_summary(register)]
    for family, title in FAMILIES.items():
        members = [entry for entry in register if entry.family == family]
        parts += _family(f"{title} ({family})", members, tests) if members else []
    return "\n".join(parts) + "\n"


def _summary(register: Sequence[Requirement]) -> Iterator[str]:
    proved = sum(entry.is_proved for entry in register)
    yield "## Where it stands\n"
    yield f"{proved} of {len(register)} are proved.\n"
    yield "| waits for | ids |"
    yield "|---|---|"
    for state, title in WAITS.items():
        waiting = [entry.id for entry in register if entry.state == state]
        if waiting:
            name = f"**{title}** (under way)" if state == THIS_WORK else title
            yield f"| {name} | {_compact(waiting)} |"
    yield ""


def _compact(ids: Sequence[str]) -> str:
    """`DEP-04, DEP-07, CONF-02` as `DEP-04 07 · CONF-02`."""
    groups: dict[str, list[str]] = {}
    for name in ids:
        family, _, number = name.partition("-") if "-" in name else ("T", "", name[1:])
        groups.setdefault(family, []).append(number)
    return " · ".join(
        f"{family}{'' if family == 'T' else '-'}{' '.join(numbers)}" for family, numbers in groups.items()
    )


def _family(title: str, members: Sequence[Requirement], tests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| id | what must hold | level | state | tests |"
    yield "|---|---|---|---|---|"
    for entry in members:
        says = f"{entry.says} *{entry.note}*" if entry.note else entry.says
        level = f"{entry.level}<br>{entry.source}" if entry.source else entry.level
        state = "**proved**" if entry.is_proved else f"waits: {entry.state}"
        shown = "<br>".join(f"`{test}`" for test in tests.get(entry.id, ()))
        yield f'| <a id="{entry.id.lower()}"></a>{entry.id} | {says} | {level} | {state} | {shown} |'
    yield ""
