# SPDX-License-Identifier: EUPL-1.2
"""Each command and each route that a document names exists, with the options that are shown."""

import re
from typing import Final

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from deploy.command import program
from tests.rules.documents import Page, commands, pages
from tests.rules.routes_page import METHODS, operations

Command = TyperCommand | TyperGroup

PAGES: Final = pages()
PLANNED: Final[frozenset[tuple[str, ...]]] = frozenset()
"""Commands that documents name as not built yet; one that exists must leave this list."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@pytest.fixture(scope="module", name="root")
def _root() -> TyperGroup:
    return program()


def _known(command: object) -> Command:
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


def _resolve(root: Command, words: tuple[str, ...]) -> tuple[Command, tuple[str, ...]]:
    """The command that some words call, and the words that are left for it."""
    found, rest = root, list(words)
    while isinstance(found, TyperGroup) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        following = found.get_command(typer.Context(found), name)
        assert following is not None, f"bidvault {' '.join(words)}: there is no {name}"
        found = _known(following)
    return found, tuple(rest)


def _options(command: Command) -> set[str]:
    declared = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return declared | {"--help"}


@each_page
def test_every_command_that_a_reader_types_exists_with_its_options(root: Command, page: Page) -> None:
    for words in commands(page.typed, "bidvault"):
        command, rest = _resolve(root, words)
        shown = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert shown - _options(command) == set(), f"{page.name}: bidvault {' '.join(words)}"
        if not isinstance(command, TyperGroup):
            arguments = any(isinstance(parameter, TyperArgument) for parameter in command.params)
            assert arguments or not rest or rest[0].startswith("-"), (
                f"{page.name}: {' '.join(words)} takes no arguments"
            )


@each_page
def test_every_command_that_a_text_mentions_exists(root: Command, page: Page) -> None:
    for words in commands(page.quoted, "bidvault"):
        if words and words not in PLANNED:
            _resolve(root, tuple(word for word in words if re.fullmatch(r"-{0,2}[a-z][a-z-]*", word)))


def test_a_command_that_exists_is_no_longer_called_planned(root: Command) -> None:
    assert isinstance(root, TyperGroup)
    assert {words[0] for words in PLANNED} & set(root.list_commands(typer.Context(root))) == set()


@each_page
def test_every_route_that_is_named_exists(page: Page) -> None:
    named = re.findall(rf"`({'|'.join(METHODS).upper()}) (/[^`\s]*)`", page.text)
    known = {(one.method, _shape(one.path)) for one in operations()}
    assert {(method, _shape(path)) for method, path in named} - known == set()


def _shape(path: str) -> str:
    """An address with the names of its variables left out."""
    return re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0])
