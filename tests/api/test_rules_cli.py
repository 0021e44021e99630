# SPDX-License-Identifier: EUPL-1.2
"""`bidvault rules`: anyone reads what is kept how long, and a book that shortens is refused with its line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.rules import app

OWN = """
extends = "fr-commande-publique@2026-04"
buyer = "213502388"
version = "2026-11"
[agreement]
reference = "AD35-2026-118"
agreed_on = 2026-11-02
by = "Archives"
[[rules]]
code = "FR-MP-07"
keep = { duration = "P7Y", from = ["notified", "no_award"] }
"""


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    return result.exit_code, " ".join(result.output.split())  # however wide the screen is


def test_the_list_has_every_rule_and_says_that_nobody_adopted_it() -> None:
    code, said = run("list", "--language", "en")

    assert code == 0
    assert all(one in said for one in ("FR-MP-01", "VT-10", "proposed schedule"))


def test_one_rule_shows_its_terms_and_articles() -> None:
    code, said = run("show", "fr-mp-07", "--language", "en")

    assert code == 0
    assert "at least (law): 5 years from signature" in said
    assert "Code de la commande publique, R2184-12" in said
    assert run("show", "VT-04", "--language", "en")[1].count("as: the object that it proves") == 1


def test_an_unknown_rule_is_refused_with_where_to_look() -> None:
    code, said = run("show", "XX-99")

    assert code == 1
    assert "bidvault rules list" in said


def test_the_rules_are_written_for_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "rules.csv"
    assert run("export", "--vitam-csv", str(file))[0] == 0
    assert " ".join(file.read_text(encoding="utf-8").split()) == run("export", "--vitam-csv", "-")[1]


@pytest.mark.proves("RET-01")
def test_a_buyers_own_book_is_shown_and_one_that_shortens_is_refused_with_its_rule(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN, encoding="utf-8")
    assert "7 years" in run("show", "FR-MP-07", "--own", str(own), "--language", "en")[1]

    own.write_text(OWN.replace("P7Y", "P3Y"), encoding="utf-8")
    code, said = run("list", "--own", str(own))
    assert code == 1
    assert "FR-MP-07 would be kept shorter" in said
