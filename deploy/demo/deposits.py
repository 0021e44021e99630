# SPDX-License-Identifier: EUPL-1.2
"""Deposits: six envelopes in time, one of them replaced, one withdrawn; and one that comes late."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import httpx2

from api.client import Noticed, Order, Proved, Source
from crypto.deposit import DepositRecord, Verdict
from deploy.demo import cast
from deploy.demo.cast import Bid, Deposited
from deploy.demo.errors import DemoFailed, TooSlow
from deploy.demo.stage import Stage

AFTER_DEADLINE = timedelta(seconds=3)
KB, MB = 1000, 1000**2
VERDICTS = {Verdict.IN_TIME: "in time", Verdict.LATE: "late", Verdict.REVIEW: "review"}
PDF_PATIENCE = 60.0  # seconds
TOO_SLOW = "this machine was too busy for the demo's deadline; let it rest a little and start again"


def tell(stage: Stage) -> None:
    """Six envelopes."""
    stage.screen.chapter(
        "Six envelopes",
        "The vault seals while it receives: what reaches the disk is sealed already, and each depositor gets a receipt "
        "with a time token of an independent authority.",
    )
    for bid in cast.FIRST_SIX:
        deposit(stage, bid)
    stage.screen.table("", ("bidder", "lot", "part", "documents", "size", "verdict"), list(_rows(stage)), right=(3, 4))


def tell_changes(stage: Stage) -> None:
    """One withdrawn; the one that is replaced is the chapter of the clock's."""
    stage.screen.chapter(
        "Second thoughts",
        "Until the deadline a bidder may take an envelope back, or replace it. What was withdrawn is never opened.",
    )
    gone = stage.deposited[cast.OUEST_TECHNICAL.name]
    with stage.depositor() as client:
        proved = client.withdraw(
            procedure=stage.procedure, lot=gone.bid.lot, envelope_id=gone.id, bidder=gone.bid.bidder.text
        )
    gone.fate = "withdrawn"
    keep(stage, f"{gone.bid.name}-withdrawal", proved, name="withdrawal")
    stage.screen.done(f"{gone.bid.bidder.name} withdraws its envelope", "and holds a signed statement of it")


def require_before_deadline(stage: Stage) -> None:
    """End the demo when the machine was too slow for its own deadline; TooSlow."""
    if datetime.now(UTC) >= stage.deadline:
        raise TooSlow(TOO_SLOW)


def tell_late(stage: Stage) -> None:
    """One envelope after the deadline."""
    stage.screen.chapter(
        "Too late",
        "An envelope that comes after the deadline is taken, and kept sealed: nobody can say that it never came, and "
        "nobody reads it.",
    )
    stage.screen.wait_until(stage.deadline + AFTER_DEADLINE, "The deadline passes")
    late = deposit(stage, cast.VERRE_FINANCIAL, expected="late")
    late.fate = "late"
    stage.screen.done(
        f"{cast.VERRE.name} hands its price in {AFTER_DEADLINE.seconds} seconds late",
        "its receipt says so; its technical part came in time",
    )


def deposit(stage: Stage, bid: Bid, *, url: str = "", expected: str = "in time") -> Deposited:
    """Hand one envelope in as a platform does, check its receipt offline and keep it."""
    order = order_of(stage, bid)
    label = f"{bid.bidder.name}, lot {bid.lot} {bid.part.name.lower()}"
    with stage.depositor(url) as client, stage.screen.working(label, order.size) as advance:
        given = client.deposit(order, progress=advance)
    proved = _receipt(stage, order, given)
    record, ruling = proved.checked.record, proved.checked.ruling
    if not isinstance(record, DepositRecord):
        raise DemoFailed("a receipt is not about a deposit")
    made = Deposited(bid, order, proved.note, proved.evidence, record, VERDICTS[ruling.verdict])
    if made.verdict != expected:
        raise _unexpected(stage, made, expected)
    stage.deposited[bid.name] = made
    keep(stage, bid.name, proved)
    entries = [{"path": one.path, "size": one.size, "sha256": one.sha256.hex()} for one in order.documents]
    listed = json.dumps(entries, ensure_ascii=False, indent=1)
    (stage.places.receipts / bid.name / "documents.json").write_text(listed + "\n", encoding="utf-8")
    return made


def order_of(stage: Stage, bid: Bid) -> Order:
    """What is handed in."""
    folder = bid.folder(stage.places.documents)
    sources = tuple(Source.read(folder / name, name) for name in bid.files)
    return Order(stage.procedure, bid.lot, bid.part, bid.bidder.text, sources)


def keep(stage: Stage, folder: str, proved: Proved, *, name: str = "receipt") -> None:
    """Keep a signed statement with its evidence beside it."""
    where = stage.places.receipts / folder
    where.mkdir(exist_ok=True)
    (where / name).write_bytes(proved.note)
    (where / f"{name}.evidence").write_bytes(proved.evidence)


def tell_prints(stage: Stage) -> None:
    """The receipts as PDFs, in French and in English."""
    for made in stage.deposited.values():
        with stage.screen.busy(f"Printing the receipt of {made.bid.bidder.name}"):
            for language in ("fr", "en"):
                path = stage.places.receipts / f"{made.bid.name}.{language}.pdf"
                path.write_bytes(_print(stage, made, language))
    stage.screen.done(
        f"{2 * len(stage.deposited)} receipts as PDF in French and English, signed with the vault's seal",
        "made from what the holder sends back; the vault keeps nothing of it",
    )


def _receipt(stage: Stage, order: Order, given: Proved | Noticed) -> Proved:
    """The receipt at once, or after the notice."""
    found: list[Proved] = [given] if isinstance(given, Proved) else []

    def is_there() -> bool:
        with stage.depositor() as client:
            if (proved := client.receipt(order)) is not None:
                found.append(proved)
        return bool(found)

    if not found:
        stage.wait_for("The time authorities are slow; a notice stands in for the receipt", is_there)
    return found[0]


def _unexpected(stage: Stage, made: Deposited, expected: str) -> DemoFailed:
    if expected == "in time" and datetime.now(UTC) > stage.deadline:
        return TooSlow(TOO_SLOW)
    return DemoFailed(f"the envelope of {made.bid.bidder.name} is {made.verdict}, and should be {expected}")


def _rows(stage: Stage) -> Iterable[tuple[str, ...]]:
    for bid in cast.FIRST_SIX:
        made = stage.deposited[bid.name]
        size = f"{made.order.size / MB:,.1f} MB" if made.order.size > MB else f"{made.order.size / KB:,.0f} kB"
        yield bid.bidder.name, bid.lot, bid.part.name.lower(), str(len(bid.files)), size, made.verdict


def _print(stage: Stage, made: Deposited, language: str) -> bytes:
    held = {
        "receipt": made.note.decode(),
        "evidence": base64.urlsafe_b64encode(made.evidence).decode(),
        "documents": [{"path": one.path, "size": one.size, "sha256": one.sha256.hex()} for one in made.order.documents],
        "deposit_secret": base64.urlsafe_b64encode(made.order.secret).decode(),
        "language": language,
    }
    answer = httpx2.post(f"{stage.url}/v1/receipts/pdf", json=held, timeout=PDF_PATIENCE, trust_env=False)
    if not answer.is_success:
        raise DemoFailed(f"the receipt could not be printed: {json.loads(answer.content).get('title', answer)}")
    return answer.content
