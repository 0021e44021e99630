# SPDX-License-Identifier: EUPL-1.2
"""The custodian's tool, from files alone: what it pins, what it refuses before a slot is touched."""

from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlmodel import col, select

from api.cli.custodian import acts
from api.cli.custodian.memory import Pins
from crypto.closing_rules import Memory
from crypto.errors import ClockError, CryptoError, KindError, ListError, PolicyError
from crypto.keys.file import MasterKey
from crypto.policy import Policy
from crypto.sealing import read_head
from crypto.statement import Kind, Statement
from tests.world.world import ACME, BUYER, PLATFORM, World
from vault import envelopes, procedures, shelf
from vault.models import Canary, Envelope, PolicyRow
from vault.opening import contributing
from vault.procedures import Change, Move


@dataclass
class Laptop:
    """One custodian's tool on a machine of its own."""

    world: World
    pins: Pins

    @property
    def master(self) -> MasterKey:
        return self.world.custodians[0].master

    def policy(self, epoch: int = 0) -> PolicyRow:
        with self.world.works.open() as work:
            return work.session.get_one(PolicyRow, (self.world.procedure, epoch))

    def canaries(self) -> list[bytes]:
        with self.world.works.open() as work:
            found = select(Canary.file).where(Canary.policy_hash == self.policy().policy_hash)
            return list(work.session.exec(found.order_by(col(Canary.number))))

    def rehearse(self) -> acts.Rehearsed:
        note = Statement(Kind.POLICY, self.policy().payload).text.encode()
        return acts.rehearse(note, self.canaries(), master=self.master, pins=self.pins)


@pytest.fixture
def laptop(world: World, tmp_path: Path) -> Laptop:
    world.procedure = procedures.draft(world.works, BUYER, world.draft(k=1, n=2))
    return Laptop(world, Pins(world.custodians[0].master.kid, tmp_path))


def _publish(laptop: Laptop) -> None:
    laptop.rehearse()
    laptop.world.rehearse_all()
    procedures.publish(laptop.world.works, BUYER, laptop.world.procedure)


def _amended(laptop: Laptop) -> PolicyRow:
    world = laptop.world
    moves = tuple(Move(box.lot, box.part, box.deadline + timedelta(days=1)) for box in world.policy.boxes)
    procedures.amend(world.works, BUYER, world.procedure, Change(reason="The plans were late.", moves=moves))
    return laptop.policy(1)


def _sign_amendment(laptop: Laptop, row: PolicyRow) -> Statement:
    text = Statement(Kind.POLICY, row.payload).text.encode()
    return acts.sign_amendment(
        [laptop.policy().note], text, master=laptop.master, pins=laptop.pins, now=laptop.world.now
    )


@pytest.mark.proves("KEY-02", "T57")
def test_a_rehearsal_pins_the_policy_it_signs(laptop: Laptop) -> None:
    done = laptop.rehearse()

    assert laptop.pins.require(done.policy.procedure) == Memory(pinned=done.policy.hash)


@pytest.mark.proves("T12")
def test_a_second_first_policy_of_a_procedure_is_refused(laptop: Laptop) -> None:
    policy = Policy.decode(laptop.policy().payload)
    other = replace(policy, title="another title")
    laptop.rehearse()

    with pytest.raises(PolicyError):
        acts.rehearse(other.statement.text.encode(), laptop.canaries(), master=laptop.master, pins=laptop.pins)


@pytest.mark.proves("T60")
def test_a_bid_shown_as_a_canary_is_refused(laptop: Laptop) -> None:
    _publish(laptop)
    world = laptop.world
    world.deposit(ACME)
    with world.works.open() as work:
        row = work.session.exec(select(Envelope)).one()
        facts = envelopes.read(world.works, row, procedure=world.procedure)
    sealed = shelf.take(world.works, facts)
    bid = sealed.read(0, sealed.length)
    assert read_head(sealed.read).header.envelope_id == row.id.bytes

    with pytest.raises(KindError):
        acts.rehearse(laptop.policy().note, [bid], master=laptop.master, pins=laptop.pins)


@pytest.mark.proves("T57", "T53")
def test_a_notice_with_another_hash_is_shown_as_fraud(laptop: Laptop) -> None:
    done = laptop.rehearse()

    with pytest.raises(PolicyError, match="fraud"):
        acts.confirm(done.policy.procedure, bytes(32), pins=laptop.pins)


def test_an_unknown_time_authority_needs_the_person_s_word(laptop: Laptop) -> None:
    policy = Policy.decode(laptop.policy().payload)
    unknown = bytes([7]) * 32
    with_unknown = replace(policy, time=replace(policy.time, anchors=(policy.time.anchors[0], unknown)))

    with pytest.raises(PolicyError, match="--accept-anchor"):
        acts.owners(with_unknown)
    assert len(acts.owners(with_unknown, accepted=[unknown])) == 2


@pytest.mark.proves("T58")
def test_after_signing_an_amendment_the_older_policy_is_refused(laptop: Laptop) -> None:
    _publish(laptop)
    bundle = _opened_under_the_old_policy(laptop)
    row = laptop.policy()
    laptop.pins.write(laptop.world.procedure.bytes, Memory(pinned=bytes([1]) * 32), replaced=row.policy_hash)

    with pytest.raises(PolicyError):
        acts.contribute_to(BytesIO(bundle), master=laptop.master, pins=laptop.pins, now=laptop.world.now)


@pytest.mark.proves("TIME-07")
def test_an_amendment_that_never_came_is_given_up_by_the_printed_notice_alone(laptop: Laptop) -> None:
    _publish(laptop)
    first, second = laptop.policy(), _amended(laptop)
    _sign_amendment(laptop, second)
    procedure = laptop.world.procedure.bytes
    assert laptop.pins.require(procedure).pinned == second.policy_hash

    acts.confirm(procedure, first.policy_hash, pins=laptop.pins)

    assert laptop.pins.require(procedure).pinned == first.policy_hash
    with pytest.raises(PolicyError, match="fraud"):
        acts.confirm(procedure, second.policy_hash, pins=laptop.pins)


@pytest.mark.proves("T65")
def test_a_contribution_too_early_by_the_laptop_s_clock_is_refused(laptop: Laptop) -> None:
    _publish(laptop)
    bundle = _opened_under_the_old_policy(laptop)

    with pytest.raises(ClockError):
        acts.contribute_to(
            BytesIO(bundle), master=laptop.master, pins=laptop.pins, now=laptop.world.now - timedelta(days=2)
        )


def test_a_contribution_made_from_a_file_is_taken(laptop: Laptop) -> None:
    _publish(laptop)
    bundle = _opened_under_the_old_policy(laptop)
    alice = laptop.world.custodians[0]

    made = acts.contribute_to(BytesIO(bundle), master=laptop.master, pins=laptop.pins, now=laptop.world.now)

    given = contributing.contribute(
        laptop.world.works, PLATFORM, laptop.world.offer(1), note=made.statement.note, person=alice.person
    )
    assert given.accepted == given.needed == 1


@pytest.mark.proves("T59")
def test_a_second_main_closing_of_a_box_is_refused_by_what_the_laptop_remembers(laptop: Laptop) -> None:
    _publish(laptop)
    bundle = _opened_under_the_old_policy(laptop)
    memory = laptop.pins.require(laptop.world.procedure.bytes)
    laptop.pins.write(laptop.world.procedure.bytes, replace(memory, main_closings={1: bytes([9]) * 32}))

    with pytest.raises(ListError):
        acts.contribute_to(BytesIO(bundle), master=laptop.master, pins=laptop.pins, now=laptop.world.now)


@pytest.mark.parametrize("content", ["", "{", '{"pinned": "zz"}', "[]"])
def test_a_damaged_pin_refuses_everything_until_it_is_restored(laptop: Laptop, content: str) -> None:
    done = laptop.rehearse()
    (path,) = laptop.pins.folder.iterdir()
    path.write_text(content)

    with pytest.raises(CryptoError, match="restore"):
        laptop.pins.require(done.policy.procedure)


def test_a_key_that_never_rehearsed_here_contributes_nothing(laptop: Laptop, tmp_path: Path) -> None:
    _publish(laptop)
    bundle = _opened_under_the_old_policy(laptop)

    with pytest.raises(PolicyError, match="rehearse"):
        acts.contribute_to(
            BytesIO(bundle), master=laptop.master, pins=Pins(b"k" * 16, tmp_path / "other"), now=laptop.world.now
        )


def _opened_under_the_old_policy(laptop: Laptop) -> bytes:
    """An opening of box 1 under the first policy; its bundle."""
    world = laptop.world
    world.deposit(ACME)
    world.after_settle()
    world.close_box(1)
    return world.bundle(world.offer(1))
