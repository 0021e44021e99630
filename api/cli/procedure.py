# SPDX-License-Identifier: EUPL-1.2
"""`bidvault procedure …`: what a buyer does, from the draft to the downloads.

Rules
  1. Everything goes through the API with the buyer's token; nothing is decided here.
  2. A refusal is one sentence that says what to do; the exit code is 1.

Left to others: the custodians' part (api.cli.custodian), packages (api.cli.archive).
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from api.cli.remote import Vault, VaultRefused

app = typer.Typer(no_args_is_help=True, help="Create, publish, amend and end procedures; open boxes; download.")
out = Console()
people = Console(stderr=True)

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Url = Annotated[str, typer.Option(help="The vault's address.", envvar="BIDVAULT_URL")]
TokenFile = Annotated[Path, typer.Option(help="File that holds the buyer's token.", exists=True, dir_okay=False)]
ProcedureId = Annotated[str, typer.Argument(help="The procedure's id.")]
OpeningId = Annotated[str, typer.Argument(help="The opening's id.")]


@app.command()
def create(
    file: Annotated[Path, typer.Argument(help="The procedure as TOML or JSON; see docs/guide/buyer.md.", exists=True)],
    *,
    url: Url,
    token_file: TokenFile,
) -> None:
    """Draft a procedure. Cards are named by path, beside the file, or given as they are."""
    with _told():
        wanted = _with_cards(_read(file), file.parent)
        made = _json(_vault(url, token_file).post_json("/v1/procedures", wanted))
        out.print(made["id"])
        people.print(f"Drafted. Every custodian now runs: bidvault custodian rehearse --procedure {made['id']} …")


@app.command()
def show(procedure: ProcedureId, *, url: Url, token_file: TokenFile) -> None:
    """Show a procedure: its state, its boxes, who has not rehearsed or confirmed."""
    with _told():
        out.print_json(_vault(url, token_file).get(f"/v1/procedures/{procedure}").decode())


@app.command("list")
def list_all(*, url: Url, token_file: TokenFile) -> None:
    """List the buyer's procedures, newest first."""
    with _told():
        for one in json.loads(_vault(url, token_file).get("/v1/procedures")):
            out.print(one)


@app.command()
def publish(procedure: ProcedureId, *, url: Url, token_file: TokenFile) -> None:
    """Publish what every custodian has rehearsed and signed; gives the hash to print in the notice."""
    with _told():
        made = _json(_vault(url, token_file).post_json(f"/v1/procedures/{procedure}/publish", {}))
        out.print(made["policy_hash"])
        people.print("Published. Print this hash in the notice; every custodian confirms it.")


@app.command()
def amend(
    procedure: ProcedureId,
    *,
    box: Annotated[list[str], typer.Option(help="A lot's part whose deadline moves, as 1/financial; repeat for more.")],
    deadline: Annotated[str, typer.Option(help="The new deadline with its zone, as 2027-01-20T17:00:00+01:00.")],
    reason: Annotated[str, typer.Option(help="Why; it is journaled.")],
    not_before: Annotated[str | None, typer.Option(help="When they may open; after settle if absent.")] = None,
    url: Url,
    token_file: TokenFile,
) -> None:
    """Move deadlines later; k custodians sign it with `bidvault custodian sign`."""
    with _told():
        moves: list[Json] = [{**_lot_and_part(one), "deadline": deadline, "not_before": not_before} for one in box]
        made = _vault(url, token_file).post_json(
            f"/v1/procedures/{procedure}/amendments", {"reason": reason, "moves": moves}
        )
        out.print_json(made.decode())


@app.command()
def archive(procedure: ProcedureId, *, url: Url, token_file: TokenFile) -> None:
    """End a procedure whose boxes are closed: no envelope is taken any more."""
    with _told():
        _vault(url, token_file).post_json(f"/v1/procedures/{procedure}/archive", {})
        people.print("Archived.")


@app.command()
def cancel(
    procedure: ProcedureId,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is journaled.")],
    url: Url,
    token_file: TokenFile,
) -> None:
    """End a procedure without an award; what was deposited stays sealed."""
    with _told():
        _vault(url, token_file).post_json(f"/v1/procedures/{procedure}/cancel", {"reason": reason})
        people.print("Cancelled.")


@app.command("open")
def open_boxes(
    procedure: ProcedureId,
    *,
    box: Annotated[list[int], typer.Option(help="A closed box to open; repeat for more.")] = [],  # noqa: B006
    admitted: Annotated[list[str], typer.Option(help="An envelope admitted by decision.")] = [],  # noqa: B006
    leave_out: Annotated[list[str], typer.Option(help="A listed envelope that stays sealed.")] = [],  # noqa: B006
    url: Url,
    token_file: TokenFile,
) -> None:
    """Offer an opening; k custodians contribute with `bidvault custodian contribute`."""
    with _told():
        wanted: dict[str, Json] = {
            "boxes": list[Json](box),
            "admitted": list[Json](admitted),
            "left_out": list[Json](leave_out),
        }
        made = _json(_vault(url, token_file).post_json(f"/v1/procedures/{procedure}/openings", wanted))
        out.print(made["id"])
        if made["rotten"]:
            people.print(f"[yellow]Stored bytes have changed of: {made['rotten']}[/yellow]")


@app.command()
def opening(opening_id: OpeningId, *, url: Url, token_file: TokenFile) -> None:
    """Show an opening: its state, who has contributed, how many are needed."""
    with _told():
        out.print_json(_vault(url, token_file).get(f"/v1/openings/{opening_id}").decode())


@app.command()
def freeze(opening_id: OpeningId, *, url: Url, token_file: TokenFile) -> None:
    """Wait no longer for envelopes short of shares; the others open."""
    with _told():
        _vault(url, token_file).post_json(f"/v1/openings/{opening_id}/freeze", {})


@app.command()
def abandon(opening_id: OpeningId, *, url: Url, token_file: TokenFile) -> None:
    """Give an opening up before it is keyed, so that another may be offered."""
    with _told():
        _vault(url, token_file).post_json(f"/v1/openings/{opening_id}/abandon", {})


@app.command()
def envelopes(procedure: ProcedureId, *, url: Url, token_file: TokenFile) -> None:
    """List the envelopes of closed boxes, and the documents of those opened."""
    with _told():
        table = Table("box", "envelope", "bidder", "received", "state", "documents")
        for one in json.loads(_vault(url, token_file).get(f"/v1/procedures/{procedure}/envelopes")):
            documents = ", ".join(each["path"] for each in one["documents"])
            table.add_row(str(one["box"]), one["id"], one["bidder"], one["received_at"], one["state"], documents)
        out.print(table)


@app.command()
def download(
    procedure: ProcedureId,
    *,
    to: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")],
    envelope: Annotated[str | None, typer.Option(help="One envelope's id; all as a zip without it.")] = None,
    number: Annotated[int, typer.Option(help="The document's number in the envelope.")] = 0,
    url: Url,
    token_file: TokenFile,
) -> None:
    """Download one opened document, or all of them as a zip."""
    path = f"/v1/procedures/{procedure}/documents.zip"
    if envelope is not None:
        path = f"/v1/procedures/{procedure}/envelopes/{envelope}/documents/{number}"
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with _told(), Progress(*columns, console=people) as shown:
        task = shown.add_task(to.name, total=None)
        _vault(url, token_file).download(
            path, to, progress=lambda done, whole: shown.update(task, completed=done, total=whole or None)
        )


@app.command()
def minutes(
    opening_id: OpeningId,
    *,
    to: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")],
    url: Url,
    token_file: TokenFile,
) -> None:
    """Save the signed minutes of an opening."""
    with _told():
        _vault(url, token_file).download(f"/v1/openings/{opening_id}/minutes", to)


def _lot_and_part(named: str) -> dict[str, Json]:
    lot, slash, part = named.rpartition("/")
    if not slash:
        raise VaultRefused(f"{named}: name the lot and the part, as 1/financial")
    return {"lot": lot, "part": part}


def _read(file: Path) -> dict[str, Json]:
    text = file.read_text(encoding="utf-8")
    read: dict[str, Json] = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    return _plain(read)


def _plain(value: dict[str, Json]) -> dict[str, Json]:
    """TOML's moments as text."""
    found: dict[str, Json] = json.loads(json.dumps(value, default=str))
    return found


def _with_cards(wanted: dict[str, Json], beside: Path) -> dict[str, Json]:
    """Custodians named by a card file's path become the card."""
    for lot in _dicts(wanted.get("lots")):
        for part in _dicts(lot.get("parts")):
            cards = part.get("custodians")
            if isinstance(cards, list):
                part["custodians"] = [_card(str(card), beside) for card in cards]
    return wanted


def _card(named: str, beside: Path) -> str:
    return named if named.startswith("bidvault/") else (beside / named).read_text(encoding="ascii")


def _dicts(value: Json) -> Sequence[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _json(data: bytes) -> dict[str, Json]:
    read: dict[str, Json] = json.loads(data)
    return read


def _vault(url: str, token_file: Path) -> Vault:
    return Vault(url, token_file.read_text(encoding="ascii").strip())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (VaultRefused, OSError, ValueError) as error:
        people.print(f"[red]Refused:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
