# SPDX-License-Identifier: EUPL-1.2
"""Rules of the house that a linter does not know, read from the syntax tree.

Each rule looks at one module and yields what breaks it. The reasons stand beside the homes: some verbs are dangerous,
so each has one place where it may be called, and reading that place is enough to know what can happen.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("crypto", "vault", "retention", "api", "deploy")
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
MOST_LINES, LONGEST_FUNCTION = 400, 40

DELETERS = (
    "retention/disposal.py",  # where objects and their keys die
    "vault/opening/",  # the opening seed that it made itself
    "vault/sweep.py",  # wraps that no row names
    "deploy/conformance/",  # what it put under check/
    "deploy/embedded/stack.py",  # its canary
)
UNSEALERS = (
    "crypto/",  # the format itself
    "vault/opening/",  # the only unsealer of bids
    "vault/procedures/canaries.py",  # canaries are made to be opened
    "retention/verification/",  # a package's envelopes, by the file key that it carries
)
COMMITTERS = ("vault/work.py", "vault/gate/")  # the gate has its own role and its own Works
CLOCKS = (
    "vault/work.py",  # the clock that every Work is given
    "api/cli/",  # a person's tool reads the person's clock (protocol 4.6)
    "deploy/",  # starting things, and the story the demo tells
)
UNSEALING = {"EnvelopeReader", "unseal_documents", "unseal"}
NOW = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}


@dataclass(frozen=True)
class Module:
    """One module of ours."""

    path: str
    tree: ast.Module
    lines: int

    def lives_in(self, homes: Sequence[str]) -> bool:
        """Whether it is one of these modules, or in one of these folders."""
        return any(self.path == home or (home.endswith("/") and self.path.startswith(home)) for home in homes)


Rule = Callable[[Module], Iterator[str]]


def module(path: str, text: str) -> Module:
    """Read a module."""
    return Module(path, ast.parse(text), text.count("\n"))


def modules() -> list[Module]:
    """All of ours but the migrations, which are written once."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [
        module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in found
        if "migrations/versions" not in path.as_posix()
    ]


def deletes_in_its_homes(seen: Module) -> Iterator[str]:
    """Objects and their keys die in one place."""
    if not seen.lives_in(DELETERS):
        for call in _calls(seen, "delete"):
            receiver = _dotted(call.func).rpartition(".")[0].rpartition(".")[2]
            if receiver.endswith(("store", "keys", "client")):
                yield f"{seen.path}:{call.lineno} deletes from a store"


def unseals_in_its_homes(seen: Module) -> Iterator[str]:
    """Only the opening reads bids."""
    if not seen.lives_in(UNSEALERS):
        for node in ast.walk(seen.tree):
            if isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] in UNSEALING:
                yield f"{seen.path}:{node.lineno} unseals"


def commits_in_its_home(seen: Module) -> Iterator[str]:
    """A Work commits when it closes well; nothing else does."""
    if not seen.lives_in(COMMITTERS):
        for call in _calls(seen, "commit"):
            yield f"{seen.path}:{call.lineno} commits"


def reads_the_clock_in_its_homes(seen: Module) -> Iterator[str]:
    """Time comes from the Work, the Works' clock or a verified timestamp."""
    if not seen.lives_in(CLOCKS):
        for node in ast.walk(seen.tree):
            if isinstance(node, ast.Attribute) and ".".join(_dotted(node).split(".")[-2:]) in NOW:
                yield f"{seen.path}:{node.lineno} reads a clock"


def says_what_it_is(seen: Module) -> Iterator[str]:
    """A module opens with a sentence."""
    if not seen.path.endswith("__init__.py") and not ast.get_docstring(seen.tree):
        yield f"{seen.path} does not say what it is"


def has_a_name_that_says_something(seen: Module) -> Iterator[str]:
    """A file named utils holds what has no home yet."""
    if set(Path(seen.path).with_suffix("").parts) & VAGUE:
        yield f"{seen.path} has a name that says nothing"


def stays_small(seen: Module) -> Iterator[str]:
    """What grows gets a folder; a function is read at one look."""
    if seen.lines > MOST_LINES:
        yield f"{seen.path} has {seen.lines} lines"
    for node in ast.walk(seen.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if length > LONGEST_FUNCTION and not _is_a_command(node):
                yield f"{seen.path}:{node.lineno} {node.name} has {length} lines"


def imports_absolutely(seen: Module) -> Iterator[str]:
    """A later move under one root is then one search and replace."""
    for node in ast.walk(seen.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{seen.path}:{node.lineno} imports relatively"


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        deletes_in_its_homes,
        unseals_in_its_homes,
        commits_in_its_home,
        reads_the_clock_in_its_homes,
        says_what_it_is,
        has_a_name_that_says_something,
        stays_small,
        imports_absolutely,
    )
}


def _calls(seen: Module, method: str) -> Iterator[ast.Call]:
    for node in ast.walk(seen.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield node


def _dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; a call in between is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value)
        return f"{left}.{node.attr}" if left else node.attr
    return ""


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """What is said about a function does not make it longer."""
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(node) is not None else 0


def _is_a_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's or route's parameters are its documentation, a line for each."""
    return bool(node.decorator_list)
