# SPDX-License-Identifier: EUPL-1.2
"""Each command and route that a document names exists, with the options that are shown; and no route is left unsaid."""

import json
import re
from collections.abc import Iterator
from typing import Final

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from deploy.command import program
from tests.rules.documents import Page, commands, pages
from tests.rules.requirements_register import ROOT

Command = TyperCommand | TyperGroup

PAGES: Final = pages()
PLANNED: Final = frozenset({("recover",)})
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


def _operations() -> Iterator[tuple[str, str]]:
    description = ROOT / "deploy" / "openapi.json"
    if not description.exists():
        pytest.skip("the API's description has not landed yet")
    for path, methods in json.loads(description.read_text(encoding="utf-8"))["paths"].items():
        for method in methods:
            yield method.upper(), _shape(path)


def _shape(path: str) -> str:
    """An address with the names of its variables left out."""
    return re.sub(r"\{[^}]*\}", "{}", path.split("?", maxsplit=1)[0])


def test_the_page_of_the_api_names_every_route_and_no_other() -> None:
    page = next(page for page in PAGES if page.name == "docs/reference/api.md")
    named = re.findall(r"`(GET|PUT|POST|DELETE|PATCH) (/[^`\s]*)`", page.text)
    assert {(method, _shape(path)) for method, path in named} == set(_operations())
