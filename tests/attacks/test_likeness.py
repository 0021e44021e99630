# SPDX-License-Identifier: EUPL-1.2
"""Two procedures of one week look alike from outside, and what travels in clear tells a third person nothing."""

import hashlib
import io
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from sqlmodel import select

from api.auth import Role
from api.observing import configure_logging
from crypto.deposit import Receipt
from crypto.events import EventKind
from crypto.statement import Kind, parse_note
from tests.api.depositing import Envelope, Site
from tests.api.multipart import Sent
from tests.attacks import attacker
from tests.vault import depositing
from tests.vault.depositing import CANARY, NAME
from tests.world.world import ACME, ZENITH, World
from vault.models import Attempt, JournalRow, Ledger
from vault.models import Envelope as Row
from vault.procedures import ProcedureDraft

NOTHING_OF_ACCESS = re.compile(r'"(?:timestamp|seconds)": [^,}]+')


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the API logs."""
    stream = io.StringIO()
    handlers = logging.getLogger().handlers
    configure_logging(stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


@dataclass(frozen=True)
class Seen:
    """What somebody sees who has bucket, database, logs and metrics, of one procedure's deposits."""

    locks: frozenset[str]
    names: frozenset[str]  # with ids masked
    rows: tuple[tuple[str, str, str, int], ...]  # table, week, state, blocks of 1 KiB
    log: str
    metrics: str


def deposited(site: Site, log: io.StringIO, *, which: int) -> Seen:
    """Two bids into one procedure, one taken back, a stranger's look, and what of all that is seen."""
    world = site.world
    before = set(world.store.versions), set(world.key_store.keys), _rows(world)
    log.seek(0)
    log.truncate()
    figures = _figures(site)
    sent = (Sent(f"offre {which}.pdf", b"%PDF" * 500),)
    first, second = (Envelope(site, bidder=one, documents=sent) for one in (ACME, ZENITH))
    for mine in (first, second):
        assert mine.put().status_code == 201
        assert mine.ask(tail="/evidence").status_code == 200
    assert second.ask("DELETE").status_code == 200
    Envelope(site).ask()
    seen = NOTHING_OF_ACCESS.sub("", log.getvalue())
    objects = set(world.store.versions) - before[0]
    kept = {world.store.latest(name).lock_until for name in objects}
    keys = set(world.key_store.keys) - before[1]
    return Seen(
        locks=frozenset(map(str, kept)),
        names=frozenset(re.sub(r"[0-9a-f]{32}", "<id>", name) for name in objects | keys),
        rows=tuple(sorted((_rows(world) - before[2]).elements())),
        log=seen,
        metrics=_difference(figures, _figures(site)),
    )


def due_later(world: World, *, hours: int) -> ProcedureDraft:
    """A procedure whose deadline is another, in the same week."""
    wanted = world.draft(k=1, n=1)
    (lot,) = wanted.lots
    parts = tuple(replace(part, deadline=part.deadline + timedelta(hours=hours)) for part in lot.parts)
    return replace(wanted, lots=(replace(lot, parts=parts),))


@pytest.mark.proves("T48", "T2")
def test_attack_T48_two_procedures_of_one_week_show_one_lock_one_week_and_the_same_lines(
    world: World, log: io.StringIO
) -> None:
    site = Site(world)
    found = []
    for number in range(3):
        world.publish(due_later(world, hours=17 * number))
        found.append(deposited(site, log, which=number))

    warm, one, other = found  # the first of a platform also makes its index key
    assert one.locks == other.locks == warm.locks
    assert len(one.locks) == 1
    assert one.names == other.names
    assert [(table, state, blocks) for table, _, state, blocks in one.rows] == [
        (table, state, blocks) for table, _, state, blocks in other.rows
    ]
    assert {week for _, week, _, _ in one.rows} == {week for _, week, _, _ in other.rows}
    assert (one.log, one.metrics) == (other.log, other.metrics)
    assert str(world.procedure) not in one.log + one.metrics + other.log


@pytest.mark.proves("ACK-05", "T46")
def test_a_receipt_that_a_third_person_reads_tells_nothing_of_the_bid(site: Site) -> None:
    mine = Envelope(site, documents=(Sent(NAME, CANARY), Sent("a.txt", b"x" * 99)))
    given = mine.put()
    evidence = mine.ask(tail="/evidence")
    withdrawn = mine.ask("DELETE")
    said = parse_note(given.content, Kind.RECEIPT)

    travels = [
        *((f"{one.request.method} headers", repr(sorted(one.headers.items())).encode()) for one in (given, evidence)),
        ("receipt", given.content),
        ("its payload", said.payload),
        ("evidence", evidence.content),
        ("withdrawal", withdrawn.content),
    ]
    digests = {f"{name} of {len(text)}": hashlib.new(name, text).digest() for name in ("sha256", "sha512", "md5")
               for text in (CANARY, NAME.encode(), b"x" * 99)}  # fmt: skip
    secrets: dict[str, str | bytes] = {"price": CANARY, "name": NAME, "amount": "123456", "deposit secret": mine.secret}

    assert attacker.search(travels, secrets | digests) == set()


@pytest.mark.proves("ACK-05")
def test_receipts_of_bids_that_differ_in_everything_within_a_padding_differ_in_nothing_one_can_read(site: Site) -> None:
    told = []
    for documents in ((Sent("a.txt", b"1" * 500),), (Sent("b/prix.pdf", b"2" * 200), Sent("c.pdf", b"3" * 150))):
        receipt = Receipt.decode(parse_note(Envelope(site, documents=documents).put().content, Kind.RECEIPT).payload)
        record, ruling = receipt.record, receipt.ruling
        told.append(
            (record.length, record.bidder, record.box, ruling.verdict, ruling.reason, ruling.event.kind, ruling.level)
        )

    assert told[0] == told[1]


@pytest.mark.proves("LOG-06")
def test_no_entry_of_the_journal_holds_anything_of_a_bid_and_of_persons_only_who_has_acted(open_world: World) -> None:
    given = depositing.send(open_world, depositing.request(open_world))
    open_world.withdraw(UUID(bytes=depositing.receipt_of(given).record.envelope_id))
    open_world.deposit(ZENITH, {NAME: CANARY})
    told = depositing.events(open_world)

    found = attacker.search(
        [(one.kind.value, one.encode()) for one in told],
        {"price": CANARY, "name": NAME, "bidder": ACME, "SIRET": ACME.removeprefix("siret:"), "other": ZENITH},
    )

    assert {EventKind.DEPOSIT_STARTED, EventKind.ENVELOPE_SEALED, EventKind.ENVELOPE_WITHDRAWN} <= {
        one.kind for one in told
    }
    assert found == set()
    assert all(len(one.data or b"") <= 1 for one in told if one.kind is EventKind.ENVELOPE_SEALED)


def _rows(world: World) -> Counter[tuple[str, str, str, int]]:
    with world.works.open() as work:
        rows = [
            *work.session.exec(select(Row)),
            *work.session.exec(select(Attempt)),
            *work.session.exec(select(Ledger)),
            *work.session.exec(select(JournalRow)),
        ]
    return Counter((type(one).__name__, one.bucket.hex(), str(one.state), len(one.facts) // 1024) for one in rows)


def _figures(site: Site) -> dict[str, float]:
    text = site.http.get("/metrics", headers=site.bearer(Role.OPERATOR)).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines if "_total" in name or name.endswith("_count")}


def _difference(before: dict[str, float], after: dict[str, float]) -> str:
    return json.dumps({name: after[name] - before.get(name, 0) for name in sorted(after)})
