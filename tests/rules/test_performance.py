# SPDX-License-Identifier: EUPL-1.2
"""The figures of the last recorded run have their agreed form, and the page shows them and no others."""

import json
from pathlib import Path
from typing import Final

import pytest

from bench import page
from bench.measures import RESULTS, Measure, alone, less_is_better, more_is_better, read, write

KEYS: Final = ["name", "value", "unit", "peer", "peer_value", "ratio", "goal"]
OPTIONAL: Final = ["peer", "peer_value", "ratio", "goal"]
RECORDED: Final = pytest.mark.skipif(not RESULTS.exists(), reason="no run has been recorded yet")


@RECORDED
def test_each_figure_has_the_agreed_keys_and_types() -> None:
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert rows
    for row in rows:
        assert list(row) == KEYS
        assert isinstance(row["name"], str)
        assert isinstance(row["unit"], str)
        assert isinstance(row["value"], float)
        assert row["peer"] is None or isinstance(row["peer"], str)
        assert all(row[key] is None or isinstance(row[key], float) for key in OPTIONAL[1:])


@RECORDED
def test_a_figure_with_a_goal_has_a_peer_and_a_ratio_and_no_peer_lacks_its_value() -> None:
    for one in read():
        assert (one.peer is None) == (one.peer_value is None) == (one.ratio is None), one.name
        assert one.goal is None or one.ratio is not None, one.name


@RECORDED
def test_no_two_figures_have_one_name_beside_one_peer() -> None:
    named = [(one.name, one.peer) for one in read()]
    assert len(set(named)) == len(named)


def test_the_page_shows_what_was_recorded() -> None:
    shown = page.PAGE.read_text(encoding="utf-8").split(page.BEGIN)[1].split(page.END)[0]
    rows = "".join(f"{line}\n" for line in shown.splitlines() if line.startswith("|"))
    assert rows == (page.table(read()) if RESULTS.exists() else "")


def test_a_ratio_is_written_so_that_more_is_better() -> None:
    assert more_is_better("rate", 50.0, "MB/s", peer=("other", 100.0), goal=0.4) == Measure(
        "rate", 50.0, "MB/s", "other", 100.0, 0.5, 0.4
    )
    assert less_is_better("memory", 40.0, "MB", peer=("limit", 80.0), goal=1.0).ratio == 2.0


def test_a_goal_is_met_at_its_number_and_missed_below() -> None:
    assert more_is_better("rate", 65.0, "MB/s", peer=("other", 100.0), goal=0.65).is_met
    missed = more_is_better("rate", 64.0, "MB/s", peer=("other", 100.0), goal=0.65)
    assert not missed.is_met
    assert "≥ 0.65, missed" in page.table([missed])
    assert alone("size", 1.0, "MB").is_met


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    found = [alone("alone", 123456.0, "MB"), less_is_better("beside", 3.0, "s", peer=("other", 2.0))]
    write(found, path)
    assert read(path) == (Measure("alone", 123500.0, "MB"), Measure("beside", 3.0, "s", "other", 2.0, 0.6667))


def test_new_figures_take_the_place_of_old_ones_and_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nBelow.\n", encoding="utf-8")
    page.write([alone("size", 1.0, "MB")], measured="Today.", path=path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n{page.BEGIN}\n\nToday.\n\n| what |")
    assert text.endswith(f"{page.END}\n\nBelow.\n")
    assert "old" not in text
