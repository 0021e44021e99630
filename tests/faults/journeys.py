# SPDX-License-Identifier: EUPL-1.2
"""The journeys of the crash table: how each begins, what is there when it breaks off, how it goes on and must end.

Rules
  1. `act` does what people and worker do; it may be broken off anywhere.
  2. `seen` reads what is there from the stores, in the words of the table.
  3. `go_on` is what the outside does next by itself: a depositor repeats, a tick comes, a custodian's tool sends again.
     It asks nobody for what they have given already.

Left to others: the order of fault and checks (tests/attacks/test_crashes.py), the table (tests.faults.crashes).
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

from crypto.events import EventKind
from crypto.statement import Kind
from tests.checks import stored
from tests.checks.stored import Stored
from tests.faults import worker
from tests.world.world import ACME, PLATFORM, ZENITH, World
from vault import journal, mirror, sequencer, sweep
from vault.envelopes import Kept
from vault.errors import NotFound
from vault.models import OpeningRow
from vault.opening import due, offer
from vault.receiving import Acknowledgement
from vault.store.names import CHECKPOINTS, MIRRORS, OBJECTS, TILES

BIDDERS = (ACME, ZENITH)


class Journey(ABC):
    """One way through the vault, on one world, as often as it is begun."""

    def __init__(self, world: World) -> None:
        self.world = world

    def begin(self) -> None:
        """Make what the act needs, before anything goes wrong."""
        self.objects, self.keys = set(self.world.store.versions), set(self.world.key_store.keys)

    @abstractmethod
    def act(self) -> None:
        """Go the way; it may break off."""

    @abstractmethod
    def seen(self, found: Stored) -> list[str]:
        """What is there, in the table's words."""

    @abstractmethod
    def go_on(self) -> None:
        """Go on from what is there, and hold what came of it against what must."""

    def new(self, prefix: str, *, of: str = "objects") -> list[str]:
        """Names that are there since the beginning."""
        now, then = (
            (self.world.store.versions, self.objects) if of == "objects" else (self.world.key_store.keys, self.keys)
        )
        return [name for name in now if name.startswith(prefix) and name not in then]


class Depositing(Journey):
    """A deposit, and the same again."""

    is_silent = False

    def begin(self) -> None:
        super().begin()
        self.id, self.secret = uuid4(), os.urandom(32)
        self.given: list[Acknowledgement] = []

    def act(self) -> None:
        with authorities(self.world, silent=self.is_silent):
            self.given.append(self._send())

    def seen(self, found: Stored) -> list[str]:
        attempts = [one.row.state.value for one in found.attempts if one.facts.envelope_id == self.id]
        return [
            *(["key"] if self.new("2/", of="keys") else []),
            *(f"attempt {state}" for state in sorted(attempts)),
            *(["object"] if self.new(OBJECTS) else []),
            *_state_of(found, self.id),
        ]

    def go_on(self) -> None:
        if self.is_silent:
            with authorities(self.world, silent=True):
                notices = [*self.given, self._send(), self._send()]
            assert {one.kind for one in notices} == {Kind.REGISTRATION}
            assert len({one.note for one in notices}) == 1, "a repeat gave another notice"
        assert sweep.received(self.world.works) == 0
        receipts = [self._send(), self._send(), *(one for one in self.given if one.kind is Kind.RECEIPT)]
        assert len({one.note for one in receipts}) == 1, "a repeat gave another receipt"
        assert {one.kind for one in receipts} == {Kind.RECEIPT}

    def _send(self) -> Acknowledgement:
        return self.world.deposit(ACME, {"prix.txt": b"42\n"}, envelope_id=self.id, secret=self.secret).acknowledgement


class Noticing(Depositing):
    """A deposit while no authority answers."""

    is_silent = True


class Settling(Depositing):
    """A deposit that was received without a token, and the sweep that fetches it."""

    def begin(self) -> None:
        super().begin()
        with authorities(self.world, silent=True):
            self.notice = self._send()

    def act(self) -> None:
        sweep.received(self.world.works)

    def seen(self, found: Stored) -> list[str]:
        return _state_of(found, self.id)

    def go_on(self) -> None:
        super().go_on()
        assert _kept(self.world, self.id).facts.registration, "the notice is gone"


class Withdrawing(Depositing):
    """A withdrawal, and the same again."""

    def begin(self) -> None:
        super().begin()
        self._send()

    def act(self) -> None:
        self.given.append(self.world.withdraw(self.id, ACME))

    def seen(self, found: Stored) -> list[str]:
        return _state_of(found, self.id)

    def go_on(self) -> None:
        statements = [*self.given, *(self.world.withdraw(self.id, ACME) for _ in range(2))]
        assert len({one.note for one in statements}) == 1, "a repeat gave another statement"
        assert _state_of(stored.read(self.world.works), self.id) == ["envelope withdrawn"]


class InBoxes(Journey):
    """What happens to a box once: the next box is taken when there is one, else the act goes on where it broke off.

    With one box the whole way is gone with a fault at every point of it, one after the other.
    """

    def __init__(self, world: World, boxes: Iterator[int]) -> None:
        super().__init__(world)
        self._boxes = boxes
        self.number = 0

    def begin(self) -> None:
        number = next(self._boxes, self.number)
        if number != self.number:
            super().begin()
            self.number, self.box_id = number, self.world.box_id(number)
            self.begin_box()

    def begin_box(self) -> None:
        """What else a box needs."""

    def seen(self, found: Stored) -> list[str]:
        return [f"box {found.boxes[self.box_id].state.value}"]

    def worker(self) -> None:
        """The worker, for this box and its opening alone."""
        worker.work(self.world, only={str(self.box_id), *(row.id.hex() for row in self.own(self._read()))})

    def own(self, found: Stored) -> list[OpeningRow]:
        """The openings of this box."""
        closings = {one.id for one in found.closings.values() if one.box_id == self.box_id}
        return [row for row in found.openings if closings.intersection(due.closings(row))]

    def _read(self) -> Stored:
        return stored.read(self.world.works)


class Closing(InBoxes):
    """A box with an envelope of each bidder and one that still waits for its token."""

    def act(self) -> None:
        self.world.close_box(self.number)

    def seen(self, found: Stored) -> list[str]:
        box = found.boxes[self.box_id]
        row = found.main_closing(box)
        request = self.world.box(self.number)
        over = request.policy.close_request(request.box)
        waiting = sum(one.state.value == "received" for one in found.of_box(box))
        stamped = {one.subject for one in found.stamps}
        return [
            *super().seen(found),
            *([f"{waiting} waits for a token"] if waiting else []),
            *(["time proved"] if over in stamped else []),
            *_of_closing(found, row.id if row else b"", stamped, is_kept=bool(self.new("text/"))),
        ]

    def go_on(self) -> None:
        before = _closing_id(self._read(), self.box_id)
        self.worker()
        found = self._read()
        assert found.boxes[self.box_id].state.value == "closed"
        assert before in {None, _closing_id(found, self.box_id)}, "another closing than the one whose text was fixed"
        assert len(self.world.listed(self.number)) == len(BIDDERS)  # the third is in review: its token came a day late


class Opening(InBoxes):
    """A closed box with two envelopes; the buyer offers, two of three custodians contribute, the worker goes on."""

    needed = 2

    def begin_box(self) -> None:
        self.notes: dict[str, bytes] = {}
        self.asked = 0

    def act(self) -> None:
        under_way = self.own(self._read())
        opening_id = under_way[0].id if under_way else self.world.offer(self.number)
        offer.sign(self.world.works, opening_id)
        given = {one.person for one in self._read().contributions if one.opening_id == opening_id}
        for one in self.world.custodians[: self.needed]:
            if one.person not in given:
                self._send(opening_id, one.subject)
        self.world.advance(opening_id)

    def seen(self, found: Stored) -> list[str]:
        rows = self.own(found)
        ids = {one.id for one in rows}
        given = [one for one in found.contributions if one.opening_id in ids]
        kept = found.of_box(found.boxes[self.box_id])
        accepted = sum(one.state.value == "accepted" for one in given)
        keys = sum(f"5/{one.facts.object_id.hex}" in found.keys for one in kept)
        opened = sum(one.state.value == "opened" for one in kept)
        return [
            *super().seen(found),
            *(one.state.value for one in rows),
            *(["seed"] if self._seeds(rows) else []),
            *(["gate signed"] if ids & {one.id for one in found.gate.openings} else []),
            *_counted(len(given), "contribution"),
            *([f"{accepted} accepted"] if accepted else []),
            *(["gate released"] if ids & {one.opening_id for one in found.gate.releases} else []),
            *(["read again"] if any(one.rotten is not None for one in rows) else []),
            *_counted(keys, "file key"),
            *([f"{opened} opened"] if opened else []),
        ]

    def go_on(self) -> None:
        self.worker()
        if not self.own(self._read()):
            self.world.offer(self.number)
        found = self._read()
        (row,) = self.own(found)
        given = {one.person for one in found.contributions if one.opening_id == row.id}
        for one in self.world.custodians[: self.needed]:
            if one.person not in given or one.subject in self.notes:
                self._send(row.id, one.subject)
        self.worker()
        self._require_opened()

    def _seeds(self, rows: Sequence[OpeningRow]) -> set[str]:
        """The seed of the opening under way; before there is one, any that is new."""
        new = set(self.new("4/", of="keys"))
        wanted = {f"4/{offer.seed_id(due.opening_of(row).opening_key).hex}" for row in rows}
        return new & wanted if rows else new

    def _send(self, opening_id: bytes, subject: str) -> None:
        """A custodian's tool: what it has made once, it sends again."""
        one = next(one for one in self.world.custodians if one.subject == subject)
        if subject not in self.notes:
            self.notes[subject] = one.contribute(self.world.bundle(opening_id)).note
            self.asked += 1
        self.world.hand_in(opening_id, one, self.notes[subject])

    def _require_opened(self) -> None:
        found = self._read()
        kept = found.of_box(found.boxes[self.box_id])
        assert [one.state.value for one in kept] == ["opened"] * len(BIDDERS)
        assert self.asked <= self.needed, "a custodian was asked again"
        with self.world.works.open() as work:
            assert sequencer.latest(work) is not None


class PublishingJournal(Journey):
    """Entries get their places, tiles and a signed head."""

    def begin(self) -> None:
        sequencer.publish(self.world.works)
        super().begin()
        place = journal.Place(PLATFORM)
        with self.world.works.open() as work:
            told = journal.event(EventKind.TOKEN_ISSUED, at=work.now, place=place, subject=os.urandom(32))
            self.leaf_of = journal.append(self.world.works, work, told, place=place)
        self.heads = len(stored.read(self.world.works).checkpoints)

    def act(self) -> None:
        sequencer.publish(self.world.works)

    def seen(self, found: Stored) -> list[str]:
        row = next(one.row for one in found.told if one.seq == self.leaf_of.seq)
        return [
            "entries" if row.position is None else "entries placed",
            *(["copy kept"] if self.new(MIRRORS) else []),
            *(["copy done"] if self._is_copied() else []),
            *(["some tiles"] if self.new(TILES) else []),
            *(["head kept"] if self.new(CHECKPOINTS) else []),
            *(["head published"] if len(found.checkpoints) > self.heads else []),
        ]

    def _is_copied(self) -> bool:
        with self.world.works.open() as work:
            return bool(self.new(MIRRORS)) and mirror.done(work) == mirror.begun(work)

    def go_on(self) -> None:
        head = sequencer.publish(self.world.works)
        found = stored.read(self.world.works)
        assert head is not None
        assert len(found.checkpoints) == self.heads + 1
        assert all(one.row.position is not None for one in found.told)


class Sweeping(Journey):
    """The sweep of a key under whose id no object ever came."""

    def begin(self) -> None:
        super().begin()
        self.orphan = uuid4()
        self.world.works.keys.create_object(self.world.procedure, self.orphan)
        self.sightings = self._seen_a_week_ago()

    def act(self) -> None:
        sweep.destroy_wraps(self.world.works, self.sightings)

    def seen(self, found: Stored) -> list[str]:
        assert found is not None
        return ["key"] if f"2/{self.orphan.hex}" in self.world.key_store.keys else []

    def go_on(self) -> None:
        sightings = sweep.Sightings()
        sweep.destroy_wraps(self.world.works, sightings)
        sightings.since = dict.fromkeys(sightings.since, self.world.now - sweep.WRAP_GRACE)
        sweep.destroy_wraps(self.world.works, sightings)
        assert f"2/{self.orphan.hex}" not in self.world.key_store.keys

    def _seen_a_week_ago(self) -> sweep.Sightings:
        return sweep.Sightings({f"2/{self.orphan.hex}": self.world.now - sweep.WRAP_GRACE})


@contextmanager
def authorities(world: World, *, silent: bool) -> Iterator[None]:
    """Both authorities silent, or not."""
    for one in (world.time.a, world.time.b):
        one.silent = silent
    try:
        yield
    finally:
        for one in (world.time.a, world.time.b):
            one.silent = False


def fill(world: World, boxes: Sequence[str], *, waiting: bool) -> None:
    """Two envelopes of two bidders in each lot; one more of a third that waits for its token."""
    for lot in boxes:
        for bidder in BIDDERS:
            world.deposit(bidder, {"prix.txt": lot.encode()}, lot=lot)
        if waiting:
            with authorities(world, silent=True):
                world.deposit("other:third", {"prix.txt": b"43"}, lot=lot)


def _of_closing(found: Stored, closing_id: bytes, stamped: set[bytes], *, is_kept: bool) -> list[str]:
    row = found.closings.get(closing_id)
    if row is None:
        return []
    return [
        "list",
        *(["text kept"] if is_kept else []),
        *(["stamped"] if row.id in stamped else []),
        *(["signed"] if row.note is not None else []),
        *(["gate accepted"] if row.id in {one.id for one in found.gate.closings} else []),
    ]


def _closing_id(found: Stored, box_id: int) -> bytes | None:
    row = found.main_closing(found.boxes[box_id])
    return row.id if row else None


def _state_of(found: Stored, envelope_id: UUID) -> list[str]:
    kept = found.envelopes.get(envelope_id)
    return [f"envelope {kept.state.value}"] if kept else []


def _kept(world: World, envelope_id: UUID) -> Kept:
    kept = stored.read(world.works).envelopes.get(envelope_id)
    if kept is None:
        raise NotFound
    return kept


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}{'s' if count > 1 else ''}"] if count else []
