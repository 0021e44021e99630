# SPDX-License-Identifier: EUPL-1.2
"""The power fails under load: nothing that was acknowledged is lost, and what was keyed opens (storage.md 2.1).

Database and embedded store lie on one disk. Each cut is followed by a restart on what the disk holds, and everything
is read again. That the test can fail is shown first: without the flush, acknowledged deposits are gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.checks import check_everything
from tests.figures import record
from tests.power.disk import CutDisk, why_not
from tests.power.vault import CutWorld, Load
from tests.world.world import Deposited
from vault import envelopes, shelf
from vault.errors import ObjectMissing, StoreUnavailable
from vault.lifecycle import BoxState
from vault.opening import keying, reading
from vault.store import KeyStore

pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(1800)]

DEPOSITS_BEFORE_A_CUT = 25


@pytest.fixture
def disk() -> Iterator[CutDisk]:
    with CutDisk() as disk:
        yield disk


@pytest.fixture
def world(disk: CutDisk) -> Iterator[CutWorld]:
    """A vault that flushes, with an open box."""
    world = CutWorld(disk)
    world.publish(world.draft(k=1, n=2))
    yield world
    world.close()


@pytest.mark.proves("DEP-08", "OPS-03", "ACK-01")
@pytest.mark.parametrize("cuts", [pytest.param(1), pytest.param(15, marks=pytest.mark.long)])
def test_a_power_cut_under_load_loses_no_acknowledged_deposit(world: CutWorld, cuts: int) -> None:
    held = []
    for _ in range(cuts):
        load = Load(world)
        load.wait_for(DEPOSITS_BEFORE_A_CUT)
        world.lose_power()
        held += load.end()
        world.restart()

        assert not world.lost(held)
    check_everything(world.works)
    record("power cuts under load: cuts", cuts)
    record("power cuts under load: acknowledged", len(held))
    record("power cuts under load: lost", 0)


@pytest.mark.long
def test_without_the_flush_a_power_cut_loses_acknowledged_deposits(world: CutWorld) -> None:
    world.stop_flushing()
    load = Load(world)
    load.wait_for(DEPOSITS_BEFORE_A_CUT)
    world.lose_power()
    held = load.end()
    world.restart()

    lost = world.lost(held)

    record("power cut without the flush: acknowledged", len(held))
    record("power cut without the flush: lost", len(lost))
    assert lost


@dataclass
class CutsAtDelete:
    """A key store whose first deletion, which is the first act after O6, meets the power cut."""

    under: KeyStore
    world: CutWorld
    deleted: list[str] = field(default_factory=list)

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        self.under.put_if_absent(name, wrapped)

    def get(self, name: str) -> bytes:
        return self.under.get(name)

    def delete(self, name: str) -> None:
        self.deleted.append(name)
        self.world.lose_power()
        raise StoreUnavailable("the power is gone")

    def list(self, prefix: str) -> Iterator[str]:
        yield from self.under.list(prefix)

    def compact(self) -> None:
        self.under.compact()

    def durable(self) -> None:
        self.under.durable()


@pytest.mark.long
@pytest.mark.proves("T42", "OPEN-05")
def test_a_power_cut_just_after_the_box_is_keyed_loses_no_box(world: CutWorld) -> None:
    opening_id, deposited = _cut_after_keyed(world, is_flushing=True)

    assert world.box_state() is BoxState.KEYED
    assert world.advance(opening_id)
    assert set(world.opened()) == {one.id for one in deposited}
    assert list(world.works.key_store.list("4/")) == []
    check_everything(world.works)
    record("power cut just after O6: envelopes lost", len(deposited) - len(world.opened()))


@pytest.mark.long
def test_without_the_flush_a_power_cut_just_after_the_box_is_keyed_loses_the_box(world: CutWorld) -> None:
    _, deposited = _cut_after_keyed(world, is_flushing=False)

    readable = 0
    with world.works.open() as work:
        for one in deposited:
            kept = envelopes.find(world.works, work, one.id, procedure=world.procedure)
            try:
                assert kept is not None
                reading.file_key_of(world.works, kept.facts)
                readable += shelf.is_intact(world.works, kept.facts)
            except (ObjectMissing, StoreUnavailable):
                continue

    record("power cut just after O6 without the flush: envelopes lost", len(deposited) - readable)
    assert world.box_state() is BoxState.KEYED
    assert readable < len(deposited)


def _cut_after_keyed(world: CutWorld, *, is_flushing: bool) -> tuple[bytes, list[Deposited]]:
    """Open a box of five envelopes; the power goes when O6 is committed. Then it comes back."""
    deposited = [world.deposit(f"other:{number}") for number in range(5)]
    world.after_settle()
    world.close_box()
    opening_id = world.offer(1)
    world.contribute(opening_id, world.custodians[0])
    if not is_flushing:
        world.stop_flushing()
    cutting = CutsAtDelete(world.works.key_store, world)
    with pytest.raises(StoreUnavailable):
        keying.key(world.on(world.works, cutting), opening_id)
    assert cutting.deleted
    world.restart()
    return opening_id, deposited
