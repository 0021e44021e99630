# SPDX-License-Identifier: EUPL-1.2
"""What a replica does in a race: each act begins at the starting line, and its result or refusal is told.

Left to others: who races with whom, and what must come of it (the tests).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from crypto.policy import Part
from tests.races.crew import Refused, Start
from tests.races.shared import SharedWorld
from tests.world.world import BUYER, PLATFORM
from vault import decisions, procedures, sequencer, sweep
from vault.opening import offer
from vault.procedures.plan import LotDraft, PartDraft

Result = TypeVar("Result")

BEFORE = timedelta(seconds=-1)  # just before the deadline
AFTER = timedelta(minutes=2)  # deadline and settle have passed


@dataclass(frozen=True)
class Racing:
    """A procedure with so many boxes, all due at once; box n is lot n."""

    procedure: UUID
    deadline: datetime
    boxes: int


def publish_boxes(world: SharedWorld, *, count: int, due: datetime, k: int = 1, n: int = 2) -> Racing:
    """A procedure with so many boxes, k of n custodians."""
    cards = tuple(one.card_file for one in world.custodians[:n])
    part = PartDraft(Part.TECHNICAL, due, cards, k)
    lots = tuple(LotDraft(str(number), f"Lot {number}", (part,)) for number in range(1, count + 1))
    return Racing(world.publish(world.draft(lots=lots)), due, count)


@dataclass(frozen=True)
class Sending:
    """Deposit this into a box; several threads of the process send the same."""

    racing: Racing
    envelopes: tuple[UUID, ...]  # one for each round: box n in round n, else box 1
    secret: bytes
    bidder: str = "other:acme"
    content: bytes = b"the bid"
    threads: int = 1
    is_one_box: bool = False
    off: timedelta = BEFORE


def send(world: SharedWorld, start: Start, told: object) -> list[list[bytes | Refused]]:
    """Deposit in each round; the receipts."""
    assert isinstance(told, Sending)
    world.at(told.racing.deadline + told.off, told.racing.procedure)
    rounds = []
    for number, envelope_id in enumerate(told.envelopes, start=1):
        lot = "1" if told.is_one_box else str(number)

        def once(envelope_id: UUID = envelope_id, lot: str = lot) -> bytes:
            documents = {"bid.txt": told.content}
            made = world.deposit(told.bidder, documents, envelope_id=envelope_id, lot=lot, secret=told.secret)
            return made.acknowledgement.note

        start.wait()
        rounds.append(_at_once(once, times=told.threads))
    return rounds


def withdraw(world: SharedWorld, start: Start, told: object) -> list[list[bytes | Refused]]:
    """Withdraw in each round; the statements."""
    assert isinstance(told, Sending)
    world.at(told.racing.deadline + told.off, told.racing.procedure)
    rounds = []
    for number, envelope_id in enumerate(told.envelopes, start=1):

        def once(envelope_id: UUID = envelope_id, lot: str = str(number)) -> bytes:
            return world.withdraw(envelope_id, told.bidder, lot=lot).note

        start.wait()
        rounds.append(_at_once(once, times=told.threads))
    return rounds


def close(world: SharedWorld, start: Start, told: object) -> list[list[bytes | Refused]]:
    """Close the box of each round; the closings."""
    assert isinstance(told, Racing)
    world.at(told.deadline + AFTER, told.procedure)
    rounds = []
    for number in range(1, told.boxes + 1):

        def once(number: int = number) -> bytes:
            return world.close_box(number).id

        start.wait()
        rounds.append(_at_once(once))
    return rounds


def publish_journal(world: SharedWorld, start: Start, told: object) -> int:
    """Run the sequencer again and again; the size it reached."""
    assert isinstance(told, int)
    start.wait()
    heads = [sequencer.publish(world.works) for _ in range(told)]
    return max((head.size for head in heads if head is not None), default=0)


def sweep_received(world: SharedWorld, start: Start, told: object) -> int:
    """Run the sweep once; how many still wait."""
    assert isinstance(told, Racing)
    world.at(told.deadline + BEFORE, told.procedure)
    start.wait()
    return sweep.received(world.works)


def publish_procedure(world: SharedWorld, start: Start, told: object) -> bytes:
    """Publish a procedure that everyone has signed; its policy's hash."""
    assert isinstance(told, Racing)
    world.at(told.deadline + BEFORE, told.procedure)
    start.wait()
    return procedures.publish(world.works, BUYER, told.procedure).hash


def enact(world: SharedWorld, start: Start, told: object) -> list[bytes | Refused]:
    """Put a signed amendment in force a second before the old deadline; the policy then in force."""
    assert isinstance(told, Racing)
    world.at(told.deadline + BEFORE, told.procedure)
    start.wait()
    return _at_once(lambda: procedures.enact(world.works, told.procedure).hash)


@dataclass(frozen=True)
class Offering:
    """Offer an opening of box 1, some envelopes left out."""

    racing: Racing
    left_out: tuple[UUID, ...] = ()


def offer_opening(world: SharedWorld, start: Start, told: object) -> list[bytes | Refused]:
    """Offer an opening; its id."""
    assert isinstance(told, Offering)
    world.at(told.racing.deadline + AFTER, told.racing.procedure)
    start.wait()
    return _at_once(lambda: world.offer(1, left_out=told.left_out))


@dataclass(frozen=True)
class Advancing:
    """An opening that k custodians have contributed to."""

    racing: Racing
    opening_id: bytes
    is_abandoning: bool = False


def advance(world: SharedWorld, start: Start, told: object) -> list[bytes | Refused]:
    """What a worker does with an opening, or a buyer who gives it up."""
    assert isinstance(told, Advancing)
    world.at(told.racing.deadline + AFTER, told.racing.procedure)

    def once() -> bytes:
        if told.is_abandoning:
            offer.abandon(world.works, PLATFORM, told.opening_id)
            return b"abandoned"
        return b"keyed" if world.advance(told.opening_id) else b""

    start.wait()
    return _at_once(once)


@dataclass(frozen=True)
class Signing:
    """One custodian's signature on a decision."""

    racing: Racing
    note: bytes
    person: bytes


def decide(world: SharedWorld, start: Start, told: object) -> list[int | Refused]:
    """Sign a decision; how many have signed."""
    assert isinstance(told, Signing)
    world.at(told.racing.deadline + AFTER, told.racing.procedure)

    def once() -> int:
        return decisions.decide(world.works, PLATFORM, told.racing.procedure, note=told.note, person=told.person)

    start.wait()
    return _at_once(once)


def stand_by(world: SharedWorld, start: Start, told: object) -> None:
    """Take part in so many starts and do nothing."""
    del world
    assert isinstance(told, int)
    for _ in range(told):
        start.wait()


def _at_once(act: Callable[[], Result], *, times: int = 1) -> list[Result | Refused]:
    """Do it in so many threads; what came of each."""

    def once(_: int) -> Result | Refused:
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the test judges it
            return Refused(type(error).__name__, str(error))

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(once, range(times)))
