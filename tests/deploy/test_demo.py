# SPDX-License-Identifier: EUPL-1.2
"""`bidvault demo`: the whole story, told and cleaned up after; its folder, its files, its words."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import psutil
import pytest
import typer
from docx import Document
from openpyxl import load_workbook
from rich.console import Console

from deploy.demo import files
from deploy.demo.errors import CommandRefused, PlaceTaken
from deploy.demo.places import FOLDERS, Places
from deploy.demo.screen import Screen
from deploy.demo.stage import told
from tests.deploy.conftest import ROOT

ENTRY = "from deploy.command import main; main()"
WHOLE = 1200.0  # seconds; it takes three to four minutes on two quiet cores
SIX_IN_TIME = 6


class Demo:
    """One `bidvault demo` in a process of its own."""

    def __init__(self, out: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIDVAULT_")}
        self.out = out
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "demo", "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
        )

    def read_until(self, words: str) -> None:
        """Read on until it says this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if words in line:
                return
        raise AssertionError(words)

    def end(self) -> str:
        """Wait for its end, and tell what it said since."""
        said, _ = self.process.communicate(timeout=WHOLE)
        return said

    def left_running(self) -> list[list[str]]:
        """What still runs on its data directory."""
        vault = str(self.out / ".vault")
        return [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline", "cwd"])
            if vault in " ".join(process.info["cmdline"] or []) or (process.info["cwd"] or "").startswith(vault)
        ]


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bidvault-demo-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_folder_with_other_things_is_left_alone(home: Path) -> None:
    (home / "thesis.txt").write_text("three years")

    demo = Demo(home)
    said = demo.end()

    assert demo.process.returncode == 1
    assert "holds other things" in " ".join(said.split())
    assert "Traceback" not in said
    assert [one.name for one in home.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(home: Path) -> None:
    (home / "out").write_text("")
    with pytest.raises(PlaceTaken), Places.taken(home / "out"):
        pass


def test_an_earlier_demo_is_made_anew_and_what_else_lies_there_stays(home: Path) -> None:
    with Places.taken(home / "out") as places:
        (places.receipts / "old.pdf").write_text("")
        (places.out / "notes.txt").write_text("mine")

    with Places.taken(home / "out") as places:
        assert not list(places.receipts.iterdir())
        assert (places.out / "notes.txt").read_text() == "mine"
        assert {one.name for one in places.out.iterdir() if one.is_dir()} == set(FOLDERS)


def test_two_demos_in_one_folder_do_not_delete_each_others_vault(home: Path) -> None:
    with Places.taken(home / "out") as places:
        places.vault.mkdir()
        with pytest.raises(PlaceTaken, match="another demo is running"), Places.taken(home / "out"):
            pass
        assert places.vault.exists()


def test_the_vault_is_cleaned_away_whatever_ends_the_story(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _begin_and_be_interrupted(home / "out")
    assert not (home / "out" / ".vault").exists()


def test_a_refused_command_is_raised_in_its_own_words() -> None:
    console = Console(width=20, force_terminal=True, color_system="truecolor")

    with pytest.raises(CommandRefused) as refusal:
        _refuse(console)

    assert str(refusal.value) == "the box is open, and its closing is what it would take"


def test_what_a_command_told_is_one_line_without_colours() -> None:
    console = Console(width=20, force_terminal=True, color_system="truecolor")
    with told(console) as printed:
        console.print("Key id: [bold]0123456789abcdef[/bold]")
    assert printed() == "Key id: 0123456789abcdef"


def test_words_of_others_are_never_markup() -> None:
    console = Console(width=80, record=True, file=StringIO())
    Screen(console).refused("[red]a bidder[/red]", "[link=file:///etc]no[/link]")
    shown = console.export_text()
    assert "[red]a bidder[/red]" in shown
    assert "[link=file:///etc]no[/link]" in shown


def test_the_bids_are_real_files(home: Path) -> None:
    files.write_pdf(home / "a.pdf", bidder="Armor #let", title="Mémoire", body="Une page.|*Encore*")
    files.write_docx(home / "a.docx", bidder="Armor", title="Planning", steps=("Pose",))
    files.write_xlsx(home / "a.xlsx", bidder="Armor", total=1000, items=("un", "deux", "trois"))

    assert (home / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert "Pose" in [cell.text for cell in Document(str(home / "a.docx")).tables[0].rows[1].cells]
    sheet = load_workbook(home / "a.xlsx").active
    assert sheet is not None
    assert [sheet.cell(row, 2).value for row in (2, 3, 4)] == [333, 333, 334]


@pytest.mark.long
def test_a_demo_that_is_told_to_stop_leaves_nothing_running(home: Path) -> None:
    demo = Demo(home / "out")
    demo.read_until("The vault runs")

    demo.process.send_signal(signal.SIGTERM)
    said = demo.end()

    assert demo.process.returncode == 1
    assert "Interrupted; everything was stopped." in said
    assert demo.left_running() == []
    assert not (home / "out" / ".vault").exists()


@pytest.mark.long
@pytest.mark.timeout(WHOLE)
@pytest.mark.proves("T1", "T2", "T5", "T7", "OPEN-02", "CONF-02", "LATE-01")
def test_the_story_ends_by_itself_and_what_it_leaves_can_be_checked(home: Path) -> None:
    demo = Demo(home / "out")
    said = demo.end()

    assert demo.process.returncode == 0, said[-4000:]
    assert demo.left_running() == []
    assert {one.name for one in (home / "out").iterdir() if one.is_dir()} == set(FOLDERS)
    assert len(list((home / "out" / "receipts").glob("*.pdf"))) == 2 * (SIX_IN_TIME + 2)
    assert len(list((home / "out" / "minutes").glob("*.pdf"))) == 2 * (4 + 2)
    assert len(list((home / "out" / "sealed").glob("*.tvse"))) == SIX_IN_TIME + 2
    assert len(list((home / "out" / "keys").glob("*.key"))) == len(list((home / "out" / "keys").glob("*.passphrase")))
    assert {one.suffix for one in (home / "out" / "trust").iterdir()} == {".pem", ".vkey"}
    for left in (*_some(home / "out" / "receipts"), *_some(home / "out" / "minutes"), *_packages(home / "out")):
        assert _verified(left, home / "out" / "trust") == 0, left


def _begin_and_be_interrupted(out: Path) -> None:
    with Places.taken(out) as places:
        places.vault.mkdir()
        raise KeyboardInterrupt


def _refuse(console: Console) -> None:
    with told(console):
        console.print("[red]Refused:[/red] the box is open, and its closing is what it would take")
        raise typer.Exit(1)


def _some(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pdf"))[:2]


def _packages(out: Path) -> list[Path]:
    return list((out / "packages").iterdir())


def _verified(path: Path, trust: Path) -> int:
    """What `bidvault verify` says, in a process that has nothing of the vault."""
    made = subprocess.run(
        [sys.executable, "-c", ENTRY, "verify", str(path), "--trust", str(trust), "--json"],
        check=False,
        capture_output=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(trust)},
    )
    assert json.loads(made.stdout)["exit"] == made.returncode
    return made.returncode
