# SPDX-License-Identifier: EUPL-1.2
"""The documents name only what exists: pages, commands, options, settings, kinds, ids; and no machine of ours."""

import json
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from api.opening.schemas import ProcedureWanted
from crypto.events import EventKind
from crypto.statement import Kind
from tests.rules import problems_page, reliability_page, routes_page, store_check_page
from tests.rules.documents import Page, commands, pages, slug
from tests.rules.requirements_register import PAGE, ROOT, load
from vault.settings import Settings

PAGES: Final = pages()
REFERENCE: Final = {page.name: page for page in PAGES}
FOREIGN: Final = (
    r"/(?:work|tmp|root|home|Users)/",
    r"pypi\.org|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|proxy\.golang",
)

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def _target(page: Page, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return ((page.path.parent / path).resolve() if path else page.path), anchor


@each_page
def test_every_link_leads_somewhere(page: Page) -> None:
    for link in page.links:
        path, anchor = _target(page, link)
        assert path.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in REFERENCE[path.relative_to(ROOT).as_posix()].anchors, f"{page.name}: {link}"


def test_every_document_is_reached_from_the_first_page() -> None:
    reached: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in REFERENCE and name not in reached:
            reached.add(name)
            targets = (_target(REFERENCE[name], link)[0] for link in REFERENCE[name].links)
            waiting += [path.relative_to(ROOT).as_posix() for path in targets if path.suffix == ".md"]
    assert set(REFERENCE) - reached == set()


@each_page
def test_no_document_names_a_machine_or_a_registry(page: Page) -> None:
    assert [found for pattern in FOREIGN for found in re.findall(pattern, page.text)] == []


@each_page
def test_every_make_target_that_a_reader_types_exists(page: Page) -> None:
    makefile = ROOT / "Makefile"
    if not makefile.exists():
        pytest.skip("no Makefile yet")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile.read_text(encoding="utf-8"), re.MULTILINE))
    typed = [*page.typed, *(quoted for quoted in page.quoted if quoted.startswith("make "))]
    assert {words[0] for words in commands(typed, "make") if words} - targets == set()


@each_page
def test_every_setting_that_is_named_exists(page: Page) -> None:
    known = {*Settings.model_fields, "url"}  # the custodian's and the depositor's tool are told the vault's address
    named = {name.lower().split("__")[0] for name in re.findall(r"\bBIDVAULT_([A-Z0-9_]+)", page.text)}
    assert named - known == set()


def test_every_setting_is_explained_for_whoever_runs_outside_parts() -> None:
    named = re.findall(r"`BIDVAULT_([A-Z0-9_]+?)(?:__[A-Z_]+)?`", REFERENCE["docs/guide/outside-parts.md"].text)
    assert set(Settings.model_fields) - {name.lower() for name in named} == set()


@each_page
def test_every_requirement_and_attack_that_is_named_exists(page: Page) -> None:
    if page.path == PAGE:
        pytest.skip("written from the register")
    families = "|".join({entry.family for entry in load()} - {"T"})
    named = re.findall(rf"\b((?:{families})-\d\d|T[1-9]\d?)\b", page.prose)
    assert set(named) - {entry.id for entry in load()} == set()


def test_the_statements_and_journal_kinds_of_the_page_are_those_of_the_program() -> None:
    text = REFERENCE["docs/reference/statements.md"].text
    kinds, journal = text.split("## The journal")
    assert set(re.findall(r"`([a-z]+\.[a-z]+)`", journal)) == {kind.value for kind in EventKind}
    rows = "".join(re.findall(r"^\| (`.*?) \|", kinds.split("## Kinds")[1], re.MULTILINE))
    unsigned = {"key", "card"}  # sealed-envelope.md has them: files of this form, but nobody says anything
    assert set(re.findall(r"`([a-z-]+)`", rows)) == {kind.value for kind in Kind} - unsigned


@pytest.mark.parametrize(
    "generated",
    [problems_page, reliability_page, routes_page, store_check_page],
    ids=["problems", "reliability", "routes", "store-check"],
)
def test_a_generated_page_is_what_the_program_says(generated: ModuleType) -> None:
    assert generated.PAGE.read_text(encoding="utf-8") == generated.page(), "stale: run `make requirements`"


@pytest.mark.parametrize(("name", "language"), [("docs/reference/api.md", "json"), ("docs/guide/buyer.md", "toml")])
def test_a_procedure_that_is_shown_is_one_that_the_api_takes(name: str, language: str) -> None:
    (shown,) = re.findall(rf"^```{language}\n(.*?)^```", REFERENCE[name].text, re.MULTILINE | re.DOTALL)
    read = tomllib.loads(shown) if language == "toml" else json.loads(shown)
    draft = ProcedureWanted.model_validate_json(json.dumps(read, default=str)).draft()
    assert [len(lot.parts) for lot in draft.lots] == [2]


def test_decisions_are_numbered_without_gap_and_have_their_four_headings() -> None:
    found = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    for path in found:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives"], path.name


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.svg")), ids=lambda path: path.name)
def test_every_picture_is_well_formed_and_says_what_it_shows(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title")
    assert root.findtext(f"{space}desc")


def test_commands_are_found_behind_variables_prompts_and_continuations(tmp_path: Path) -> None:
    text = "```sh\n$ OUT=d make demo\nbidvault verify \\\n  FILE [--json]  # checks it\n# bidvault nothing\n```\n"
    page = Page(tmp_path / "x.md", text)
    assert list(commands(page.typed, "bidvault")) == [("verify", "FILE", "--json")]
    assert list(commands(page.typed, "make")) == [("demo",)]


def test_a_heading_with_code_and_punctuation_has_the_anchor_readers_see() -> None:
    assert slug("Deposit — platform") == "deposit--platform"
    assert slug("What you must bring: `--trust`") == "what-you-must-bring---trust"
