# SPDX-License-Identifier: EUPL-1.2
"""What tests of deposits share: announcements that say anything, bodies that do anything, and what was kept."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import select

from crypto.deposit import Receipt, Registration, Withdrawal
from crypto.events import Event, EventKind
from crypto.policy import Part
from crypto.statement import Kind, parse_note
from tests.world.world import ACME, PLATFORM, World
from vault import attempts, envelopes, journal
from vault.deposit.announcement import AnnouncedDocument, DepositRequest, Piece
from vault.deposit.journey import deposit
from vault.envelopes import Kept
from vault.hidden import NotThisRow, reveal
from vault.models import Attempt, Envelope, JournalRow
from vault.receiving import Acknowledgement
from vault.rows import AttemptFacts, JournalFacts
from vault.work import Clock

CANARY = b"le prix est de 123456,78 euros"
NAME = "offre-a-123456-euros.txt"
DOCUMENTS: Mapping[str, bytes] = {"dossier/mémoire.pdf": b"%PDF-1.7 " + CANARY * 3000, NAME: CANARY}


@dataclass
class Body:
    """The pieces a client sends, and what becomes of them on the way.

    Attributes:
        pieces: (document, bytes), in the order of sending.
        breaks_with: raised when all pieces are gone.
        taken: how many pieces the vault has asked for.
    """

    pieces: tuple[tuple[int, bytes], ...]
    clock: Clock
    breaks_with: Exception | None = None
    taken: int = 0
    last_byte_at: datetime = field(init=False)

    def __iter__(self) -> Iterator[Piece]:
        for document, data in self.pieces:
            self.taken += 1
            block = bytearray(data)
            yield Piece(document, memoryview(block))
            block[:] = bytes(len(block))  # the pump uses its blocks again
        if self.breaks_with is not None:
            raise self.breaks_with
        self.last_byte_at = self.clock.now()


def announce(documents: Mapping[str, bytes] = DOCUMENTS) -> tuple[AnnouncedDocument, ...]:
    """The true announcement of some documents."""
    return tuple(AnnouncedDocument(path, len(content)) for path, content in documents.items())


def request(world: World, documents: tuple[AnnouncedDocument, ...] | None = None, **other: object) -> DepositRequest:
    """A good request into the world's technical box, or one that differs in what is named."""
    good = DepositRequest(
        platform=PLATFORM,
        procedure=world.procedure,
        lot="1",
        part=Part.TECHNICAL,
        envelope_id=uuid4(),
        bidder=ACME,
        secret=os.urandom(32),
        documents=announce() if documents is None else documents,
    )
    return replace(good, **other)  # type: ignore[arg-type]


def body(world: World, documents: Mapping[str, bytes] = DOCUMENTS, *, block: int = 50_000) -> Body:
    """The true body of some documents."""
    pieces = [
        (number, content[offset : offset + block])
        for number, content in enumerate(documents.values())
        for offset in range(0, len(content), block)
    ]
    return Body(tuple(pieces), world.clock)


def send(world: World, wanted: DepositRequest, documents: Mapping[str, bytes] = DOCUMENTS) -> Acknowledgement:
    """Deposit what the request says with a true body."""
    return deposit(world.works, wanted, body(world, documents))


def receipt_of(given: Acknowledgement) -> Receipt:
    """The receipt in an acknowledgement."""
    assert given.kind is Kind.RECEIPT
    return Receipt.decode(parse_note(given.note, Kind.RECEIPT).payload)


def notice_of(given: Acknowledgement) -> Registration:
    """The notice in an acknowledgement."""
    assert given.kind is Kind.REGISTRATION
    return Registration.decode(parse_note(given.note, Kind.REGISTRATION).payload)


def withdrawal_of(given: Acknowledgement) -> Withdrawal:
    """The withdrawal in an acknowledgement."""
    assert given.kind is Kind.WITHDRAWAL
    return Withdrawal.decode(parse_note(given.note, Kind.WITHDRAWAL).payload)


def kept(world: World, envelope_id: UUID) -> Kept:
    """An envelope's row with its facts in clear."""
    with world.works.open() as work:
        found = envelopes.find(world.works, work, envelope_id, procedure=world.procedure)
    assert found is not None
    return found


def envelope_ids(world: World) -> set[UUID]:
    """Every envelope there is."""
    with world.works.open() as work:
        return set(work.session.exec(select(Envelope.id)))


def events(world: World, *kinds: EventKind) -> list[Event]:
    """The journal's events that this procedure's or the platform's keys open, in order."""
    found = []
    keys = [world.works.keys.facts(world.procedure), world.works.keys.platform_facts(PLATFORM)]
    with world.works.open() as work:
        for row in work.session.exec(select(JournalRow).order_by(JournalRow.seq)):  # type: ignore[arg-type]
            for key in keys:
                with suppress(NotThisRow):
                    found.append(_event(row, key))
    return [one for one in found if not kinds or one.kind in kinds]


def _event(row: JournalRow, key: bytes) -> Event:
    assert row.seq is not None
    blob = reveal(key, row.facts, table=journal.TABLE, row_id=row.seq, state=journal.STATE)
    return Event.decode(JournalFacts.decode(blob).event)


def tried(world: World, envelope_id: UUID) -> list[tuple[str, AttemptFacts]]:
    """Every attempt at depositing an envelope: its state and facts, by time."""
    found = []
    with world.works.open() as work:
        for row in work.session.exec(select(Attempt)):
            with suppress(NotThisRow):
                found.append((row.state.value, attempts.read(world.works, row, procedure=world.procedure)))
    return sorted((one for one in found if one[1].envelope_id == envelope_id), key=lambda one: one[1].t_first)


def dump(world: World) -> bytes:
    """Every byte of every row that the vault's role may read: what a dump of the database would hold."""
    found = bytearray()
    with world.works.open() as work:
        readable = text(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        for table in work.session.execute(readable).scalars().all():
            for row in work.session.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 names of the catalogue
                for value in row:
                    found += bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode()
                    found += b"\0"
    return bytes(found)


def stored_names(world: World) -> set[str]:
    """Names of all objects in the store."""
    return {version.key for version in world.store.list_versions("o/")}


def stored(world: World) -> dict[str, bytes]:
    """Every object in the store, by name."""
    return {
        version.key: b"".join(world.store.stream(version.key, version.version_id))
        for version in world.store.list_versions("o/")
    }
