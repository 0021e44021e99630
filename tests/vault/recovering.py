# SPDX-License-Identifier: EUPL-1.2
"""One box from publication to its minutes, with a backup of everything at each stage, and the way on from any of them.

Three bidders deposit: two have receipts, one a notice whose token comes later. Two of three custodians open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from crypto.closing_rules import Memory
from deploy.embedded import Addresses
from tests.faults.trap import Fault, Killed, Point, Trap, Where, set_trap
from tests.world.backup import Backup, KeyBackup
from tests.world.store import _Kept as KeptVersion
from tests.world.world import ACME, PLATFORM, ZENITH, World
from vault import closing, sequencer, sweep
from vault.errors import NotFound, ObjectMissing
from vault.lifecycle import BoxState
from vault.models import OpeningRow, OpeningState
from vault.opening import contributing, documents, due, keying, offer, reading
from vault.recovery import Findings, Shown, recover

THIRD = "siret:21350238800019"
QUORUM = 2
DOCUMENT = "prix.txt"


class Stage(StrEnum):
    """How far the box had come."""

    PUBLISHED = "published"
    DEPOSITED = "deposited"
    RECEIVED = "received"
    JUDGED = "judged"
    LISTED = "C2"
    ACCEPTED = "C4, the gate's half"
    CLOSED = "C4"
    OFFERED = "offered"
    CONTRIBUTED = "contributed"
    RELEASED = "released"
    KEYED = "keyed"
    OPENED = "opened"


ORDER = list(Stage)


@dataclass(frozen=True)
class Moment:
    """Everything as it was at the end of one stage."""

    database: Backup
    keys: KeyBackup
    objects: dict[str, list[KeptVersion]] = field(repr=False)
    memories: tuple[Memory | None, ...]  # of the custodians' tools
    at: datetime
    closing: bytes  # the main closing's text


class Story:
    """The box, its moments, and what its depositors hold."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.world = World(addresses)
        self.moments: dict[Stage, Moment] = {}
        self.notes: dict[str, bytes] = {}  # by bidder
        self.ids: dict[str, UUID] = {}
        self.since = {ACME: Stage.DEPOSITED, ZENITH: Stage.DEPOSITED, THIRD: Stage.RECEIVED}
        self.opening_id = b""
        self.stage = Stage.PUBLISHED

    def play(self) -> None:
        """From the beginning to the end."""
        for stage, act in (
            (Stage.PUBLISHED, lambda: self.world.publish(self.world.draft(k=QUORUM, n=3))),
            (Stage.DEPOSITED, self._deposit),
            (Stage.RECEIVED, self._receive),
            (Stage.JUDGED, lambda: sweep.received(self.world.works)),
            (Stage.LISTED, self._list),
            (Stage.ACCEPTED, self._accept),
            (Stage.CLOSED, self.world.close_box),
            (Stage.OFFERED, self._offer),
            (Stage.CONTRIBUTED, self._contribute),
            (Stage.RELEASED, self._release),
            (Stage.KEYED, lambda: keying.key(self.world.works, self.opening_id)),
            (Stage.OPENED, lambda: reading.read_all(self.world.works, self.opening_id)),
        ):
            act()
            sequencer.publish(self.world.works)  # the worker's tick
            self.moments[stage] = self.now()

    def now(self) -> Moment:
        """What is there now."""
        objects = {key: list(kept) for key, kept in self.world.store.versions.items()}
        memories = tuple(one.memory for one in self.world.custodians)
        keys = KeyBackup.of(self.world.key_store)
        return Moment(Backup.of(self.addresses), keys, objects, memories, self.world.now, self.closing_note())

    def closing_note(self) -> bytes:
        """The text of the box's main closing, as far as it is."""
        with self.world.works.open() as work:
            row = closing.main_of(work, self.world.box_id())
            return row.payload if row is not None else b""

    def be_at(self, stage: Stage, *, database: Stage, keys: Stage) -> None:
        """The store as at one stage, with a database and a key store restored from others."""
        moment, self.stage = self.moments[stage], stage
        self.world.store.versions = {key: list(kept) for key, kept in moment.objects.items()}
        self.world.time.clock.now = moment.at
        self.world.time.authorities = self.world.time.asking((self.world.time.a, self.world.time.b))
        for custodian, memory in zip(self.world.custodians, moment.memories, strict=True):
            custodian.memory = memory
        self.moments[keys].keys.put_back(self.world.key_store)
        self.moments[database].database.put_back(self.addresses)
        self.world.works = self.world.start()

    def recover(self, *, shown: bool = True, is_rehearsal: bool = False) -> Findings:
        """The recovery, on what holders have."""
        statements = [Shown(bidder, self.notes[bidder]) for bidder in sorted(self.there(self.stage))] if shown else []
        found = recover(self.world.works, shown=statements, progress=_silent, is_rehearsal=is_rehearsal)
        self.world.works = self.world.start()
        return found

    def finish(self) -> None:
        """Go on to the minutes, as worker, buyer and custodians do."""
        world = self.world
        sweep.received(world.works)
        if world.box_state() in {BoxState.OPEN, BoxState.CLOSING}:
            world.after_settle()
            world.close_box()
        if world.box_state() is BoxState.OPENED:
            return
        opening_id = self._under_way() or world.offer(1)
        offer.sign(world.works, opening_id)
        for custodian in world.custodians[:QUORUM]:
            if self._state(opening_id) is OpeningState.OFFERED and not self._has_given(opening_id, custodian.person):
                world.contribute(opening_id, custodian)
        assert world.advance(opening_id)
        sequencer.publish(world.works)

    def opened(self) -> dict[str, bytes]:
        """The price of every opened envelope, by bidder."""
        return {bidder: price for bidder, one in self.ids.items() if (price := self._read(one)) is not None}

    def _read(self, envelope_id: UUID) -> bytes | None:
        world, place = self.world, (PLATFORM, self.world.procedure)
        try:
            document = documents.find_document(world.works, *place, envelope_id=envelope_id, number=0, reader="buyer")
            return b"".join(document.read(world.works))
        except (NotFound, ObjectMissing):
            return None

    def there(self, stage: Stage) -> set[str]:
        """Who had deposited by then."""
        return {bidder for bidder, since in self.since.items() if ORDER.index(since) <= ORDER.index(stage)}

    def has_key(self, bidder: str, stage: Stage) -> bool:
        """Whether the key of a bidder's object lay in the key store by then."""
        return ORDER.index(self.since[bidder]) <= ORDER.index(stage)

    def _deposit(self) -> None:
        for bidder in (ACME, ZENITH):
            self._take(bidder)

    def _receive(self) -> None:
        with self._cut():
            self._take(THIRD)

    def _take(self, bidder: str) -> None:
        given = self.world.deposit(bidder, {DOCUMENT: price_of(bidder)})
        self.ids[bidder], self.notes[bidder] = given.id, given.acknowledgement.note

    def _list(self) -> None:
        self.world.after_settle()
        self._until(Point(Where.OBJECTS, "^put text/", 2), self.world.close_box)

    def _accept(self) -> None:
        self._until(Point(Where.GATE, "INSERT INTO gate.closed"), self.world.close_box)

    def _offer(self) -> None:
        self.opening_id = self.world.offer(1)

    def _contribute(self) -> None:
        for custodian in self.world.custodians[:QUORUM]:
            self.world.contribute(self.opening_id, custodian)

    def _release(self) -> None:
        point = Point(Where.DATABASE, "UPDATE opening SET state=[^;]*release=")
        self._until(point, lambda: keying.key(self.world.works, self.opening_id))

    def _until(self, point: Point, act: object) -> None:
        assert callable(act)
        trap = Trap(point, Fault.KILLED_AFTER)
        try:
            with set_trap(self.world, trap):
                act()
        except Killed:
            self.world.works = self.world.start()
        assert trap.is_sprung

    @contextmanager
    def _cut(self) -> Iterator[None]:
        self.world.time.line.is_cut = True
        try:
            yield
        finally:
            self.world.time.line.is_cut = False

    def _under_way(self) -> bytes | None:
        with self.world.works.open() as work:
            rows = due.of_procedure(work, self.world.procedure)
        return next((row.id for row in rows if row.state is not OpeningState.ABANDONED), None)

    def _state(self, opening_id: bytes) -> OpeningState:
        with self.world.works.open() as work:
            return work.session.get_one(OpeningRow, opening_id).state

    def _has_given(self, opening_id: bytes, person: bytes) -> bool:
        with self.world.works.open() as work:
            return any(one.person == person for one in contributing.of_opening(work, opening_id))


def price_of(bidder: str) -> bytes:
    """What a bidder asks for."""
    return f"{bidder} asks for 42\n".encode()


def _silent(_what: str, _place: int, _of: int) -> None:
    """Nobody watches."""
