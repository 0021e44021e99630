# SPDX-License-Identifier: EUPL-1.2
"""The demo's screen: chapters, captions, what was refused in whose words, progress, tables.

Rules
  1. A chapter has a number, a title and one sentence; what follows is one line per act.
  2. A refusal that must be is good news: it is shown in green, with the words that a user would read.
  3. Text of bidders, servers and files is shown as it is, never as markup.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from textwrap import shorten

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TransferSpeedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDEST = 110
INDENT = 2
MOST_WORDS = 260  # letters of a refusal that are shown
PAUSE = 0.1  # seconds between two looks at what is waited for

Advance = Callable[[int], None]


def steps(advance: Advance) -> Callable[[int, int], None]:
    """Turns bytes so far, as downloads tell them, into bytes since the last time."""
    before = 0

    def told(done: int, _whole: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return told


def _console() -> Console:
    console = Console(highlight=False)
    if console.width > WIDEST or not console.is_terminal:
        console.width = WIDEST
    return console


@dataclass
class Screen:
    """Tells the story on one console."""

    console: Console = field(default_factory=_console)
    chapters: int = 0

    def title(self, name: str, sentence: str) -> None:
        """The opening of it all."""
        body = Text.assemble((name, "bold"), "\n", (sentence, ""))
        self.console.print()
        self.console.print(Panel(body, border_style="blue", padding=(1, 3)))

    def chapter(self, title: str, caption: str) -> None:
        """Begin a chapter."""
        self.chapters += 1
        self.console.print()
        self.console.print(Rule(Text(f" {self.chapters}  {title} ", style="bold blue"), align="left", style="blue"))
        self._indented(Text(caption, style="italic"))
        self.console.print()

    def done(self, sentence: str, detail: str = "") -> None:
        """Something has worked."""
        self._line("✓", "green", sentence, detail)

    def told(self, sentence: str, detail: str = "") -> None:
        """Something to know."""
        self._line("·", "blue", sentence, detail)

    def refused(self, attempt: str, words: str, why: str = "") -> None:
        """What must fail has failed: who tried what, what they were told, and what it means."""
        self._line("✗", "bold yellow", attempt, "")
        answer = Text.assemble(("refused: ", "bold green"), (shorten(words, MOST_WORDS, placeholder=" …"), "green"))
        if why:
            answer.append(f"\n{why}", style="dim")
        self.console.print(Padding(answer, (0, 0, 0, INDENT + 4)))

    def broken(self, words: str) -> None:
        """What a check has found, as `bidvault verify` begins such a line."""
        self._indented(Text.assemble(("BROKEN ", "bold red"), (words, "red")))

    def commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """Exact commands, each whole on one line, so that it can be copied."""
        for purpose, command in commands:
            if purpose:
                self._indented(Text(f"# {purpose}", style="dim"))
            self.console.print(Text(" " * INDENT + command, style="bold cyan"), soft_wrap=True)

    def failed(self, sentence: str) -> None:
        """The demo ends early."""
        self.console.print()
        self._line("✗", "bold red", sentence, "")

    def table(
        self, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
    ) -> None:
        """A small table; columns named in `right` are numbers."""
        table = Table(title=title or None, title_justify="left", title_style="bold", border_style="dim", expand=False)
        for number, head in enumerate(heads):
            table.add_column(head, justify="right" if number in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, style=_tone(cell)) for cell in row))
        self.console.print(Padding(table, (0, 0, 0, INDENT)))

    @contextmanager
    def working(self, label: str, total: int) -> Iterator[Advance]:
        """A bar over `total` bytes; call what is given with the bytes done since the last call."""
        columns = (
            TextColumn(" " * INDENT + "{task.description}"),
            BarColumn(bar_width=28),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(label, total=total)
            yield lambda count: progress.advance(task, count)

    @contextmanager
    def busy(self, label: str) -> Iterator[Callable[[str], None]]:
        """A spinner while something short is under way; call what is given to say what it has come to."""
        with self.console.status(Text(label)) as status:
            yield lambda now: status.update(Text(now))

    def wait_until(self, moment: datetime, label: str) -> None:
        """Count down to a moment."""
        whole = max((moment - datetime.now(UTC)).total_seconds(), PAUSE)
        columns = (
            TextColumn(" " * INDENT + "{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn("{task.fields[left]} s"),
        )
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(label, total=whole, left=f"{whole:.0f}")
            while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
                progress.update(task, completed=whole - left, left=f"{left:.0f}")
                time.sleep(min(PAUSE, left))

    def lines(self, lines: Sequence[Text | str]) -> None:
        """Lines as they are, indented."""
        for line in lines:
            self._indented(line if isinstance(line, Text) else Text(line))

    def _line(self, sign: str, style: str, sentence: str, detail: str) -> None:
        line = Text.assemble((f"{sign} ", style), sentence)
        if detail:
            line.append(f"  {detail}", style="dim")
        self._indented(line)

    def _indented(self, text: Text) -> None:
        self.console.print(Padding(text, (0, 0, 0, INDENT)))


def _tone(cell: str) -> str:
    """The colour of words that say how something ended."""
    tones = {"in time": "green", "late": "yellow", "sealed": "yellow", "opened": "green", "withdrawn": "dim"}
    return tones.get(cell, "")
