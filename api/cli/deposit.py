# SPDX-License-Identifier: EUPL-1.2
"""`bidvault deposit FILE…`: hand one envelope in, as a platform does for a bidder, and keep what proves it.

Rules
  1. Id and secret are drawn and kept before the first try; the same command with `--id` goes on with the same envelope.
  2. What is said to be received was checked first, offline: policies, signature, token, and the documents themselves.
  3. A refusal is one sentence that says what to do; the exit code is 1. The notice is a success that lacks a token.

Left to others: sending and checking (api.client), taking an envelope back (api.cli.withdraw).
"""

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from api.client import SECRET_SIZE, ClientError, DepositClient, Noticed, Order, Proved, Source
from api.part_names import PartName
from crypto.certificates import Anchor, read_anchors
from crypto.deposit import DepositRecord, Verdict
from crypto.errors import CryptoError

app = typer.Typer(add_completion=False)
people = Console(stderr=True)
out = Console()

POLL_SECONDS = 5.0
TEST_ONLY = "Test only. No promise of secrecy."  # protocol §1, level 0
VERDICTS = {
    Verdict.IN_TIME: "[green]in time[/]",
    Verdict.LATE: "[red]late[/]: it is kept sealed, and is opened only if the custodians decide so",
    Verdict.REVIEW: "[yellow]under review[/]: people decide whether it was in time; it is kept sealed until then",
}

Url = Annotated[str, typer.Option("--url", "--server", help="The vault's address.", envvar="BIDVAULT_URL")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File that holds the platform's token.", exists=True, dir_okay=False)
]
Token = Annotated[str, typer.Option(help="The platform's token; better: --token-file.", envvar="BIDVAULT_TOKEN")]
ProcedureId = Annotated[UUID, typer.Option(help="The procedure's id.")]
Lot = Annotated[str, typer.Option(help="The lot; `all` holds what is common to all lots.")]
Bidder = Annotated[str, typer.Option(help="For whom: siret:<14 digits>, vat:… or other:….")]
Into = Annotated[Path, typer.Option("--out", help="Where receipts go; a folder for each envelope.")]
RECEIPTS = Path("receipts")
Trust = Annotated[
    Path | None,
    typer.Option(help="Roots of time authorities that you trust: a PEM file, or a folder of them.", exists=True),
]


@app.command()
def deposit(
    files: Annotated[list[Path], typer.Argument(help="The documents, in order; of a folder, everything in it.")],
    *,
    url: Url,
    procedure: ProcedureId,
    lot: Lot,
    part: Annotated[PartName, typer.Option(help="Which part of the bid this envelope is.")],
    bidder: Bidder,
    token_file: TokenFile = None,
    token: Token = "",
    envelope_id: Annotated[
        UUID | None, typer.Option("--id", help="The envelope's id: to repeat or go on with a deposit.")
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="The deposit secret; drawn and kept beside the receipt where there is none.")
    ] = None,
    into: Annotated[Path, typer.Option("--out", help="Where receipts go; a folder for each envelope.")] = Path(
        "receipts"
    ),
    trust: Trust = None,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for the receipt after a notice.")] = 120,
) -> None:
    """Deposit an envelope: draw id and secret, send once, retry what breaks, check the receipt and keep it.

    The same command again, with the --id it printed, goes on with the same envelope and gives the same receipt.
    What you get lies in OUT/ID: receipt, receipt.evidence, documents.json, and secret, which nobody can restore.
    """
    with told():
        envelope_id = envelope_id or uuid4()
        place = Place(into / str(envelope_id))
        sources = _read_sources(files)
        secret = place.secret(secret_file)
        order = Order(procedure, lot, part.part, bidder, sources, envelope_id, secret)
        place.keep_documents(order)
        people.print(f"Envelope {order.envelope_id}; its secret and receipt are kept in {place.folder}")
        with DepositClient(url, read_token(token, token_file), anchors=read_trust(trust)) as client:
            given = _send(client, order)
            if isinstance(given, Noticed):
                place.keep("notice", given.note)
                given = _await_receipt(client, order, given, seconds=wait) or given
        if isinstance(given, Proved):
            place.keep_proved("receipt", given)
            tell_receipt(given, place.folder / "receipt")


class Place:
    """The folder of one envelope on the depositor's side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def secret(self, file: Path | None) -> bytes:
        """The deposit secret of the file given, or of this folder; drawn and kept before anything is sent."""
        path = file or self.folder / "secret"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn = base64.urlsafe_b64encode(os.urandom(SECRET_SIZE)).rstrip(b"=")
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(drawn + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        return _read_secret(path)

    def keep_documents(self, order: Order) -> None:
        """The list of documents, which with the secret makes the receipt's print."""
        entries = [{"path": one.path, "size": one.size, "sha256": one.sha256.hex()} for one in order.documents]
        self.keep("documents.json", json.dumps(entries, ensure_ascii=False, indent=1).encode() + b"\n")

    def keep_proved(self, name: str, proved: Proved) -> None:
        """A checked statement, with the file that proves it beside it."""
        self.keep(name, proved.note)
        self.keep(f"{name}.evidence", proved.evidence)

    def keep(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(self.folder / name)


@contextmanager
def told() -> Iterator[None]:
    """Tell what went wrong in one sentence, and exit with 1."""
    try:
        yield
    except ClientError as error:
        people.print(f"[red]{error.code}[/]: {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except OSError as error:
        people.print(f"[red]file[/]: {error.filename}: {error.strerror}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def read_token(token: str, file: Path | None) -> str:
    """The token, from its file or as given."""
    found = file.read_text(encoding="ascii", errors="replace").strip() if file else token.strip()
    if not found:
        raise ClientError("give the platform's token with --token-file")
    return found


def read_trust(place: Path | None) -> tuple[Anchor, ...]:
    """The roots a person trusts; none: those that the policy names are believed."""
    if place is None:
        return ()
    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    try:
        anchors = {anchor.hash: anchor for file in files for anchor in read_anchors(file.read_bytes())}
    except CryptoError as error:
        raise ClientError(f"{place}: {error}") from error
    if not anchors:
        raise ClientError(f"{place}: no PEM file of a root lies there")
    return tuple(anchors.values())


def tell_receipt(proved: Proved, path: Path) -> None:
    """Say what a checked receipt says."""
    checked = proved.checked
    record, policy = checked.record, checked.policy
    assert isinstance(record, DepositRecord)
    zone = checked.judged_by.zone
    out.print(f"Received {local(record.last_byte_at, zone)} for {record.bidder}", highlight=False)
    out.print(f"  {policy.buyer} (SIRET {policy.siret}): {policy.reference}, {policy.title}", highlight=False)
    out.print(f"  {VERDICTS[checked.ruling.verdict]}")
    if checked.ruling.level == 0:
        out.print(f"  [yellow]{TEST_ONLY}[/]")
    service = checked.ruling.service
    out.print(f"  Service: {service.name}, {service.address}, {service.telephone}", highlight=False)
    out.print(f"The receipt was checked and is kept: {path}")


def local(at: datetime, zone: str) -> str:
    """A moment to the second in the procedure's zone, by name."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}"


def _read_sources(files: list[Path]) -> tuple[Source, ...]:
    """Digest every document; those of a folder are announced by their path in it."""
    named = [pair for file in files for pair in _named(file)]
    total = sum(file.stat().st_size for file, _ in named)
    with _progress("Reading", total) as advance:
        return tuple(Source.read(file, name, progress=advance) for file, name in named)


def _named(file: Path) -> list[tuple[Path, str]]:
    if not file.is_dir():
        return [(file, file.name)]
    inside = sorted(one for one in file.rglob("*") if one.is_file())
    return [(one, one.relative_to(file.parent).as_posix()) for one in inside]


def _send(client: DepositClient, order: Order) -> Proved | Noticed:
    with _progress("Sending", order.size) as advance:
        return client.deposit(order, progress=advance)


def _await_receipt(client: DepositClient, order: Order, notice: Noticed, *, seconds: int) -> Proved | None:
    """Ask until the receipt is there, or the person has waited long enough."""
    people.print(
        "No time authority answers: the envelope is registered "
        f"({notice.registration.record.last_byte_at:%Y-%m-%d %H:%M:%S} UTC) and lost to nobody. The notice is kept."
    )
    until = time.monotonic() + seconds
    with people.status("Waiting for the receipt"):
        while True:
            if (proved := client.receipt(order)) is not None:
                return proved
            if time.monotonic() + POLL_SECONDS > until:
                people.print(f"Fetch the receipt later: the same command with --id {order.envelope_id}")
                return None
            time.sleep(POLL_SECONDS)


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn(label), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=people, transient=True) as shown:
        task = shown.add_task(label, total=total)
        yield lambda count: shown.update(task, advance=count)


def _read_secret(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii").strip()
        secret = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise ClientError(f"{path}: not a deposit secret") from error
    if len(secret) != SECRET_SIZE:
        raise ClientError(f"{path}: a deposit secret has {SECRET_SIZE} bytes")
    return secret
