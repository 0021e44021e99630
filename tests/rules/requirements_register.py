# SPDX-License-Identifier: EUPL-1.2
"""The register of requirements: what is asked, whether it is proved, and by which tests.

Rules
  1. `tests/requirements.toml` holds every id once, in our words, with its state: `proved`, or the work it waits for.
  2. A test says what it proves by `@pytest.mark.proves("DEP-07", "T44")`; the sources are read, no test is run.
  3. An id that a test names and the register does not know, or a proved id without a test, is a contradiction.
  4. The page docs/reference/requirements.md is written from both and from nothing else, so it can be compared.

Left to others: the page (tests.rules.requirements_page), the command (tests.rules.requirements).
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
REGISTER: Final = ROOT / "tests" / "requirements.toml"
PAGE: Final = ROOT / "docs" / "reference" / "requirements.md"

PROVED: Final = "proved"
THIS_WORK: Final = "main job"
"""What is asked of the work under way and has no test yet; at its end no id is left in this state."""

WAITS: Final = {
    THIS_WORK: "the main job, end to end",
    "attack, fault and load": "the main job under attack, fault and load",
    "retention": "retention and disposal",
    "packages": "archive packages and transfer",
    "identity": "people, buyers and platforms with their rights",
    "pages": "the pages for people",
    "sealing": "sealing at the bidder, more gates, lost keys",
    "evidence": "witnesses, long-lived evidence, signatures of bidders",
    "later": "work that is not laid out yet",
}
"""The closed list of works an id may wait for, each with the name the page gives it."""

FAMILIES: Final = {
    "DEP": "Deposit",
    "CONF": "Secrecy before the opening",
    "KEY": "Keys",
    "TIME": "Time and time stamps",
    "ACK": "Receipts",
    "LATE": "Late envelopes",
    "COPY": "Backup copies",
    "MAL": "Malware",
    "OPEN": "Opening",
    "SIG": "Signatures",
    "LOG": "Journal",
    "TEN": "Buyers and platforms side by side",
    "RET": "Retention",
    "ELIM": "Disposal",
    "ARC": "Archive export",
    "INT": "Other systems",
    "PUB": "Publication of data",
    "PRIV": "Personal data and accessibility",
    "OPS": "Operation",
    "T": "Attacks",
}
"""The families of ids in the order of the page."""

LEVELS: Final = {"must": "must", "should": "should", "ours": "ours"}
"""must: law or its direct consequence; should: guidance or practice; ours: asked by ourselves alone."""

KNOWN_KEYS: Final = frozenset({"says", "level", "source", "state", "note"})


class RegisterError(Exception):
    """The register or a mark cannot be read; the message names the file and what to mend."""


@dataclass(frozen=True)
class Requirement:
    """One id of the register."""

    id: str
    says: str
    level: str
    source: str
    state: str
    note: str

    @property
    def family(self) -> str:
        """The letters before the number."""
        return self.id.split("-")[0] if "-" in self.id else "T"

    @property
    def is_proved(self) -> bool:
        """Whether the register says so; that a test exists is `contradictions`' question."""
        return self.state == PROVED


@dataclass(frozen=True, order=True)
class Proof:
    """One test and one id that it says it proves."""

    requirement: str
    test: str


def load(path: Path = REGISTER) -> tuple[Requirement, ...]:
    """Read the register, in its order.

    Raises:
        RegisterError: an entry has an unknown key, level or state, or lacks words.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(_requirement(name, entry) for name, entry in entries.items())


def _requirement(name: str, entry: Mapping[str, str]) -> Requirement:
    if not re.fullmatch(r"[A-Z]+-\d\d|T[1-9]\d?", name):
        raise RegisterError(f"{name}: not an id")
    if unknown := set(entry) - KNOWN_KEYS:
        raise RegisterError(f"{name}: unknown keys {sorted(unknown)}")
    found = Requirement(
        id=name,
        says=entry.get("says", ""),
        level=entry.get("level", "must"),
        source=entry.get("source", ""),
        state=entry.get("state", ""),
        note=entry.get("note", ""),
    )
    if found.family not in FAMILIES or found.level not in LEVELS or not found.says:
        raise RegisterError(f"{name}: family, level or words missing")
    if found.state != PROVED and found.state not in WAITS:
        raise RegisterError(f"{name}: state {found.state!r} is neither proved nor a known work")
    return found


def collect(tests: Path) -> tuple[Proof, ...]:
    """Read every `proves` mark under a folder of tests, sorted.

    Raises:
        RegisterError: a mark is not made of plain strings, or sits on something that is no test.
    """
    found: set[Proof] = set()
    for path in sorted(tests.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "proves(" in source:
            place = f"{tests.name}/{path.relative_to(tests).as_posix()}"
            found.update(_proofs(ast.parse(source), place))
    return tuple(sorted(found))


def _proofs(module: ast.Module, place: str) -> Iterator[Proof]:
    tables = {name: node for node in module.body for name in _assigned(node)}
    shared = _marks([tables["pytestmark"]], {}, place) if "pytestmark" in tables else []
    for test, decorators in _tests(module.body, "", []):
        for requirement in shared + _marks(decorators, tables, place):
            yield Proof(requirement, f"{place}::{test}")


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _tests(
    body: Sequence[ast.stmt], prefix: str, inherited: Sequence[ast.expr]
) -> Iterator[tuple[str, Sequence[ast.AST]]]:
    """Every test below, with its decorators and its classes'."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}{node.name}::", [*inherited, *node.decorator_list])
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{prefix}{node.name}", [*inherited, *node.decorator_list]


def _marks(places: Sequence[ast.AST], tables: Mapping[str, ast.AST], where: str) -> list[str]:
    """The ids named in these trees and in the module's tables that they use (rows of `parametrize`)."""
    found: list[str] = []
    for node in (inner for place in places for inner in ast.walk(place)):
        if isinstance(node, ast.Name) and node.id in tables:
            found += _marks([tables[node.id]], {}, where)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "proves":
            found += [_text(argument, where) for argument in node.args]
    return found


def _text(argument: ast.expr, where: str) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise RegisterError(f"{where}:{argument.lineno}: proves() takes plain strings, so that they can be read")


def contradictions(register: Sequence[Requirement], proofs: Sequence[Proof]) -> tuple[str, ...]:
    """What cannot stand: an unknown id in a test, a proved id without a test."""
    known, tested = {entry.id for entry in register}, {proof.requirement for proof in proofs}
    strangers = [
        f"{proof.test} proves {proof.requirement}, which is no id of the register"
        for proof in proofs
        if proof.requirement not in known
    ]
    bare = [
        f"{entry.id} is said to be proved, but no test names it"
        for entry in register
        if entry.is_proved and entry.id not in tested
    ]
    return tuple(strangers + bare)


def missing(register: Sequence[Requirement], proofs: Sequence[Proof]) -> tuple[Requirement, ...]:
    """What is asked of the work under way, or said to be proved, and has no test."""
    tested = {proof.requirement for proof in proofs}
    return tuple(entry for entry in register if entry.state in {PROVED, THIS_WORK} and entry.id not in tested)


def provable(register: Sequence[Requirement], proofs: Sequence[Proof]) -> tuple[Requirement, ...]:
    """What is not said to be proved although a test names it."""
    tested = {proof.requirement for proof in proofs}
    return tuple(entry for entry in register if not entry.is_proved and entry.id in tested)


def settle(path: Path, ids: Sequence[str], proofs: Sequence[Proof]) -> None:
    """Set the state of some ids to proved in the register's own text.

    Raises:
        RegisterError: no test names one of them, or the register does not hold it.
    """
    tested, text = {proof.requirement for proof in proofs}, path.read_text(encoding="utf-8")
    for name in ids:
        if name not in tested:
            raise RegisterError(f"{name}: no test names it")
        text, changed = re.subn(rf'(?m)^(\[{name}\]\n(?:(?!\[).+\n)*?state = )"[^"]*"', rf'\1"{PROVED}"', text)
        if changed != 1:
            raise RegisterError(f"{name}: not in the register")
    path.write_text(text, encoding="utf-8")
