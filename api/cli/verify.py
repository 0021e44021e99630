# SPDX-License-Identifier: EUPL-1.2
"""`bidvault verify`: check a receipt, a print or a package, without network, database or vault.

Rules
  1. Exit 0 sound, 1 broken, 2 sound but unproven; 3 when nothing could be checked (no such file, unusable trust).
  2. Each broken thing is one line that begins with BROKEN, each missing one with MISSING; nothing is wrapped.
  3. On a terminal it is coloured; elsewhere it is plain; `--json` gives the same as one document.

Left to others: every check (retention.verification).
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from crypto.stream import SWITCH_INTERVAL
from retention.errors import BadTrust
from retention.verification import Check, Outcome, Report, Result, Step, Wanted, read_trust, verify

CANNOT = 3
VERDICTS = {
    Outcome.SOUND: "Sound: every step was made, and everything holds.",
    Outcome.BROKEN: "Not sound: {broken} broken.",
    Outcome.UNPROVEN: "Sound but unproven: nothing is broken, and {missing} missing.",
}
COLOURS = {Result.OK: "green", Result.BROKEN: "bold red", Result.MISSING: "yellow"}
ENDS = {Outcome.SOUND: "bold green", Outcome.BROKEN: "bold red", Outcome.UNPROVEN: "bold yellow"}

app = typer.Typer(help="Check a receipt, a print or a package, without network and database.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A receipt, a print (PDF), or a package (directory or TAR).")],
    *,
    trust: Annotated[
        Path | None,
        typer.Option(help="Directory with the roots (*.pem) and the vault's keys (*.vkey) that you trust."),
    ] = None,
    receipt: Annotated[
        list[Path], typer.Option(help="A receipt to hold against the package: was its envelope dropped?")
    ] = [],  # noqa: B006 - Typer reads it, nothing writes it
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Check it step by step, from itself and what you trust alone."""
    sys.setswitchinterval(SWITCH_INTERVAL)  # this process does nothing else
    try:
        for wanted in (path, *receipt):
            wanted.stat()
        report = verify(
            Wanted(path, tuple(receipt)), read_trust(trust), listener=None if as_json else _Lines(Console()).told
        )
    except (BadTrust, OSError) as error:
        typer.echo(f"Nothing could be checked: {error}", err=True)
        raise typer.Exit(CANNOT) from error
    if as_json:
        typer.echo(json.dumps(_document(report), ensure_ascii=False, indent=1))
    else:
        _end(report)
    raise typer.Exit(report.outcome)


class _Lines:
    """Tells steps and checks as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def told(self, step: Step, found: Check | None) -> None:
        """One line for a step that begins or a check that was made."""
        if found is None:
            self._line(f"{step.number}. {step.title}", "bold")
            return
        about = f"{found.file}: " if found.file else ""
        if found.result is Result.OK:
            self._line(f"   ✓ {about}{found.text}", COLOURS[found.result])
        else:
            self._line(f"{found.result.value.upper()} {about}{found.text}", COLOURS[found.result])

    def _line(self, text: str, style: str) -> None:
        say(self._console, text, style)


def say(console: Console, text: str, style: str) -> None:
    """One line, whole, whatever the terminal's width; controls of a hostile name do not reach the terminal."""
    plain = "".join(letter if letter.isprintable() else "�" for letter in text)
    if console.is_terminal:
        console.print(f"[{style}]{escape(plain)}[/]", soft_wrap=True, highlight=False)
    else:
        sys.stdout.write(plain + "\n")
        sys.stdout.flush()


def _end(report: Report) -> None:
    count = {result: sum(check.result is result for check in report.checks) for result in Result}
    broken, missing = count[Result.BROKEN], count[Result.MISSING]
    words = VERDICTS[report.outcome].format(
        broken=f"{broken} thing{' is' if broken == 1 else 's are'}",
        missing=f"{missing} thing{' is' if missing == 1 else 's are'}",
    )
    say(Console(), words, ENDS[report.outcome])


def _document(report: Report) -> dict[str, object]:
    return {
        "outcome": report.outcome.name.lower(),
        "exit": int(report.outcome),
        "steps": [
            {
                "number": step.number,
                "title": step.title,
                "checks": [
                    {"result": check.result.value, "file": check.file, "text": check.text} for check in step.checks
                ],
            }
            for step in report.steps
        ],
    }
