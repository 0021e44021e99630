# SPDX-License-Identifier: EUPL-1.2
"""`bidvault rules`: what is kept how long, from what and by which article; no vault is needed to read it.

Rules
  1. A book that no buyer and no archives have adopted says so wherever it is shown.

Left to others: the rules (retention.rulebook), their words (retention.sentences).
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from retention.errors import RulebookRefused
from retention.formats import vitam_rules
from retention.rulebook import Named, Rule, Rulebook, extend, shipped
from retention.sentences import final_words, pick, term_words
from vault.prints.words import Language

app = typer.Typer(help="Show how long each class of documents is kept, and why.", no_args_is_help=True)
out = Console()
people = Console(stderr=True)

DRAFT = Named(
    fr="Tableau proposé : ni l'acheteur ni ses archives ne l'ont encore adopté.",
    en="A proposed schedule: neither the buyer nor its archives have adopted it yet.",
)
COLUMNS = (
    Named(fr="code", en="code"),
    Named(fr="documents", en="documents"),
    Named(fr="durée", en="kept"),
    Named(fr="à la fin", en="at the end"),
    Named(fr="fondement", en="rests on"),
)
LEAST = Named(fr="au moins (loi)", en="at least (law)")
FOLLOWS = Named(fr="comme", en="as")

Own = Annotated[Path | None, typer.Option("--own", help="A buyer's own book over the shipped one (TOML).", exists=True)]
In = Annotated[Language, typer.Option("--language", help="Of what is shown.")]


@app.command("list")
def list_rules(*, own: Own = None, language: In = Language.FRENCH) -> None:
    """Every class of documents on a line."""
    book = _book(own)
    table = Table(*(pick(one, language) for one in COLUMNS), title=book.name, caption=_caption(book, language))
    for rule in book.rules.values():
        table.add_row(
            rule.code,
            pick(rule.title, language),
            _kept(rule, book, language),
            final_words(rule.final, language),
            rule.basis.value,
        )
    out.print(table)


@app.command()
def show(
    code: Annotated[str, typer.Argument(help="Such as FR-MP-07.")], *, own: Own = None, language: In = Language.FRENCH
) -> None:
    """One class with its terms and articles."""
    book = _book(own)
    try:
        rule = book.rule(code.upper())
    except RulebookRefused as error:
        people.print(f"[red]Not shown:[/red] {error}. `bidvault rules list` has all.", soft_wrap=True)
        raise typer.Exit(1) from error
    out.print(f"[bold]{rule.code}[/bold] {pick(rule.title, language)}", soft_wrap=True)
    for one in rule.floors:
        condition = f" ({one.when})" if one.when else ""
        out.print(f"  {pick(LEAST, language)}{condition}: {term_words(one.term, book, language)}", soft_wrap=True)
    out.print(f"  {pick(COLUMNS[2], language)}: {_kept(rule, book, language)}", soft_wrap=True)
    out.print(f"  {pick(COLUMNS[3], language)}: {final_words(rule.final, language)}")
    for cite in rule.cites:
        out.print(f"  {rule.basis.value}: {cite.text}, {cite.article}", soft_wrap=True)
    out.print(_caption(book, language), soft_wrap=True)


@app.command()
def export(
    *,
    vitam_csv: Annotated[Path, typer.Option(help="File to write; `-` for standard output.", allow_dash=True)],
    own: Own = None,
) -> None:
    """Write the rules as an archive's management rules: one line for each term."""
    text = vitam_rules.write(_book(own))
    if str(vitam_csv) == "-":
        typer.echo(text, nl=False)
    else:
        vitam_csv.write_text(text, encoding="utf-8")
        people.print(f"The rules are in {vitam_csv}.", soft_wrap=True)


def _book(own: Path | None) -> Rulebook:
    try:
        return extend(shipped(), own.read_bytes()) if own else shipped()
    except (RulebookRefused, OSError) as error:
        people.print(f"[red]The book is refused:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from error


def _kept(rule: Rule, book: Rulebook, language: Language) -> str:
    if rule.keep is None:
        return f"{pick(FOLLOWS, language)}: {rule.subject}"
    return term_words(rule.keep, book, language)


def _caption(book: Rulebook, language: Language) -> str:
    digest = f"SHA-256 {book.digest}"
    return digest if book.is_adopted else f"{pick(DRAFT, language)} {digest}"
