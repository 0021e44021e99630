# SPDX-License-Identifier: EUPL-1.2
"""The rules of the house hold, and each of them finds what it looks for."""

import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.rules.house import PACKAGES, ROOT, RULES, Module, module, modules

OURS = modules()
BROKEN = {
    "deletes_in_its_homes": ("vault/deposit/journey.py", "def f(works):\n    works.key_store.delete('x')\n"),
    "unseals_in_its_homes": ("api/deposit/routes.py", "from crypto.reader import EnvelopeReader\nEnvelopeReader(1)\n"),
    "commits_in_its_home": ("vault/closing.py", "def f(session):\n    session.commit()\n"),
    "reads_the_clock_in_its_homes": ("vault/closing.py", "import datetime\nx = datetime.datetime.now()\n"),
    "says_what_it_is": ("vault/closing.py", "x = 1\n"),
    "has_a_name_that_says_something": ("vault/utils.py", '"""Things."""\n'),
    "stays_small": ("vault/closing.py", "def f():\n" + "    x = 1\n" * 41),
    "imports_absolutely": ("vault/closing.py", "from . import journal\n"),
}
ALLOWED = {
    "deletes_in_its_homes": ("vault/sweep.py", BROKEN["deletes_in_its_homes"][1]),
    "unseals_in_its_homes": ("vault/opening/reading.py", BROKEN["unseals_in_its_homes"][1]),
    "commits_in_its_home": ("vault/work.py", BROKEN["commits_in_its_home"][1]),
    "reads_the_clock_in_its_homes": ("vault/work.py", BROKEN["reads_the_clock_in_its_homes"][1]),
    "says_what_it_is": ("vault/closing.py", '"""Closing."""\n'),
    "has_a_name_that_says_something": ("vault/closing.py", '"""Things."""\n'),
    "stays_small": ("vault/closing.py", "def f():\n" + "    x = 1\n" * 39),
    "imports_absolutely": ("vault/closing.py", "from vault import journal\n"),
}
# In two pieces, so that this file does not name what it forbids.
NEVER_NAMED = [
    re.compile(re.escape("".join(pieces)))
    for pieces in (
        ("pypi", ".org"),
        ("files.python", "hosted"),
        ("registry.npm", "js"),
        ("deb.deb", "ian.org"),
        ("/work", "/main"),
        ("/work", "/.library"),
        ("/t", "mp/team"),
    )
]
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".sh", ".typ", ".json", ".sql", ""}


@pytest.mark.parametrize("rule", RULES)
def test_every_module_keeps_the_rule(rule: str) -> None:
    broken = [line for seen in OURS for line in RULES[rule](seen)]

    assert broken == []


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_finds_what_breaks_it(rule: str) -> None:
    assert list(RULES[rule](_module(BROKEN[rule])))


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_leaves_alone_what_keeps_it(rule: str) -> None:
    assert not list(RULES[rule](_module(ALLOWED[rule])))


def test_a_route_named_delete_is_no_deletion() -> None:
    route = module("api/deposit/routes.py", "@router.delete('/x')\ndef f(): ...\n")

    assert not list(RULES["deletes_in_its_homes"](route))


def test_our_import_names_are_nobody_elses() -> None:
    others = {name: set(packages_distributions().get(name, [])) - {"bidvault"} for name in PACKAGES}

    assert others == {name: set() for name in PACKAGES}


def test_no_file_names_a_registry_or_this_workplace() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {pattern.pattern}"
        for path in _texts()
        for pattern in NEVER_NAMED
        if pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert named == []


def _module(example: tuple[str, str]) -> Module:
    path, text = example
    return module(path, text)


def _texts() -> Iterator[Path]:
    listed = subprocess.run(
        ["/usr/bin/git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in TEXT and path.is_file():
            yield path
