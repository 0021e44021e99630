# SPDX-License-Identifier: EUPL-1.2
"""Figures are kept with the commit they were counted on, and the page shows them and the tables that the tests run."""

from pathlib import Path

import pytest

from tests import figures
from tests.faults import crashes
from tests.rules import reliability_page


def test_without_a_named_file_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(figures.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    figures.record("kills", 3)

    assert list(tmp_path.iterdir()) == []


def test_a_run_s_figures_stand_with_its_commit_and_older_ones_with_theirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, kept = tmp_path / "run", tmp_path / "figures.json"
    figures.take(
        ['{"name": "cuts", "value": 15.0, "unit": "cuts"}', '{"name": "kills", "value": 1.0, "unit": ""}'],
        commit="old",
        path=kept,
    )
    monkeypatch.setenv(figures.VARIABLE, str(run))
    figures.record("kills", 2)
    figures.record("kills", 3, "kills")

    figures.take(run.read_text(encoding="utf-8").splitlines(), commit="new", path=kept)

    assert figures.kept(kept) == [
        figures.Figure("cuts", 15.0, "cuts", "old"),
        figures.Figure("kills", 3.0, "kills", "new"),
    ]


def test_every_row_of_the_crash_table_is_on_the_page() -> None:
    text = reliability_page.page()
    assert all(f"| {one.write} |" in text for one in crashes.TABLE)


def test_every_step_of_the_protocol_has_a_row() -> None:
    steps = {one.step for one in crashes.TABLE}
    wanted = {
        "D1",
        "D2",
        "D3",
        "D4",
        "D5",
        "W",
        "C1",
        "C2",
        "C3",
        "C4",
        "O0",
        "O1",
        "O2",
        "O3",
        "O4",
        "O4a",
        "O5",
        "O6",
    }
    assert wanted | {"O7", "O8", "journal", "sweep", "3.3", "4.1"} <= steps
