# SPDX-License-Identifier: EUPL-1.2
"""What was acknowledged in the last seconds, before any copy: statements of its holders bring it back."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text

from crypto.deposit import Receipt
from crypto.statement import Kind, parse_note
from deploy.embedded import Addresses
from tests.checks import check_everything
from tests.faults.trap import Fault, Killed, Point, Trap, Where, set_trap
from tests.world.backup import Backup, KeyBackup
from tests.world.world import ACME, ZENITH, Deposited, World
from vault import sequencer, sweep
from vault.errors import CannotRecover, DatabaseUnavailable, RolledBack, StillRunning, StoreUnavailable
from vault.lifecycle import EnvelopeState
from vault.models import Envelope
from vault.recovery import Done, Findings, Lost, Shown, Vigil, read_claim, recover, settle
from vault.work import running

LOST_UNTIL_SHOWN = ("object-unnamed",)


class Restored:
    """A world whose database goes back to a moment, with what its depositors hold."""

    def __init__(self, world: World, addresses: Addresses) -> None:
        self.world, self.addresses = world, addresses
        self.given: dict[UUID, bytes] = {}

    def remember(self) -> None:
        """The moment to go back to."""
        sequencer.publish(self.world.works)
        self.backup, self.keys = Backup.of(self.addresses), KeyBackup.of(self.world.key_store)

    def take(self, deposited: Deposited) -> UUID:
        """Keep what a depositor was given."""
        self.given[deposited.id] = deposited.acknowledgement.note
        return deposited.id

    def go_back(self) -> None:
        """The database of that moment, under a store that went on."""
        self.backup.put_back(self.addresses)
        self.world.works = self.world.start()

    def recover(self, *notes: bytes) -> Findings:
        """The recovery with these statements shown."""
        shown = [Shown(f"{number}.note", note) for number, note in enumerate(notes)]
        found = recover(self.world.works, shown=shown, progress=lambda *_: None)
        self.world.works = self.world.start()
        return found

    def state(self, envelope_id: UUID) -> EnvelopeState | None:
        """The state of an envelope's row, if it has one."""
        with self.world.works.open() as work:
            row = work.session.get(Envelope, envelope_id)
            return row.state if row is not None else None


@pytest.fixture
def restored(open_world: World, fresh_addresses: Addresses) -> Restored:
    """A box that takes deposits, remembered before any."""
    restored = Restored(open_world, fresh_addresses)
    restored.remember()
    return restored


@pytest.mark.proves("T64", "ACK-03")
def test_a_lost_deposit_is_named_and_its_receipt_brings_it_back_byte_for_byte(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    restored.go_back()
    named = restored.recover()

    found = restored.recover(restored.given[one])

    assert [(loss.kind, loss.subject, loss.box) for loss in named.lost] == [(Lost.UNCLAIMED, str(one), 1)]
    assert (found.done, found.lost) == ({Done.REGISTERED: 1}, [])
    repeated = restored.world.deposit(ACME, envelope_id=one)
    assert repeated.acknowledgement.note == restored.given[one]
    check_everything(restored.world.works)


@pytest.mark.proves("T64")
def test_a_lost_notice_brings_its_deposit_back_and_its_token_is_still_fetched(restored: Restored) -> None:
    restored.world.time.line.is_cut = True
    one = restored.take(restored.world.deposit(ACME))
    restored.world.time.line.is_cut = False
    restored.go_back()

    found = restored.recover(restored.given[one])

    assert found.done == {Done.REGISTERED: 1}
    assert sweep.received(restored.world.works) == 0
    assert restored.state(one) is EnvelopeState.SEALED
    check_everything(restored.world.works)


@pytest.mark.proves("T64")
def test_the_last_of_a_bidder_stands_in_whatever_order_the_receipts_are_shown(restored: Restored) -> None:
    first = restored.take(restored.world.deposit(ACME))
    second = restored.take(restored.world.deposit(ACME, at=restored.world.now + timedelta(seconds=1)))
    restored.go_back()
    restored.recover()

    for one in (second, first):
        settle(restored.world.works, read_claim(restored.world.works, Shown("shown", restored.given[one])))

    restored.world.after_settle()
    restored.world.close_box()
    assert restored.world.listed() == [second]
    assert restored.state(first) is EnvelopeState.SUPERSEDED
    check_everything(restored.world.works)


@pytest.mark.proves("T64", "T49")
def test_a_lost_withdrawal_is_true_again_when_it_is_shown(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    withdrawal = restored.world.withdraw(one).note
    restored.go_back()

    found = restored.recover(withdrawal, restored.given[one])

    assert found.done == {Done.REGISTERED: 1, Done.WITHDRAWN: 1}
    assert restored.state(one) is EnvelopeState.WITHDRAWN
    assert restored.world.withdraw(one).note == withdrawal
    check_everything(restored.world.works)


@pytest.mark.proves("T64", "T37")
def test_in_time_and_closed_without_it_waits_in_review_and_is_named(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    restored.go_back()
    restored.recover()
    restored.world.after_settle()
    restored.world.close_box()

    found = restored.recover(restored.given[one])

    assert [(loss.kind, loss.subject) for loss in found.lost] == [(Lost.AFTER_CLOSING, str(one))]
    assert restored.state(one) is EnvelopeState.REVIEW


@pytest.mark.proves("T64")
def test_a_statement_that_this_vault_never_signed_registers_nothing(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    receipt = Receipt.decode(parse_note(restored.given[one], Kind.RECEIPT).payload)
    forged = replace(receipt, record=replace(receipt.record, bidder=ZENITH)).statement
    line = restored.given[one].splitlines(keepends=True)[-1]
    restored.go_back()

    found = restored.recover(forged.text.encode() + b"\n" + line)

    assert (Lost.STATEMENT, "signature") in {(loss.kind, loss.reason) for loss in found.lost}
    assert restored.state(one) is None


@pytest.mark.proves("T64")
def test_a_receipt_whose_object_was_never_stored_registers_nothing(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    restored.go_back()
    for name in [name for name in restored.world.store.versions if name.startswith("o/")]:
        del restored.world.store.versions[name]

    found = restored.recover(restored.given[one])

    assert [(loss.kind, loss.reason) for loss in found.lost] == [(Lost.STATEMENT, "not-ready")]
    assert restored.state(one) is None


@pytest.mark.proves("T64", "T41")
def test_of_several_tries_under_one_id_the_receipt_names_the_one_that_was_acknowledged(restored: Restored) -> None:
    one = uuid4()
    for _ in range(3):
        trap = Trap(Point(Where.DATABASE, "INSERT INTO envelope"), Fault.KILLED_BEFORE)
        with set_trap(restored.world, trap), pytest.raises(Killed):
            restored.world.deposit(ACME, envelope_id=one)
    restored.take(restored.world.deposit(ACME, envelope_id=one))
    restored.go_back()

    found = restored.recover(restored.given[one])

    assert (found.done, found.lost) == ({Done.REGISTERED: 1}, [])
    check_everything(restored.world.works)


@pytest.mark.proves("T64", "T50")
def test_another_object_with_the_same_id_is_not_taken_for_it(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    name = next(name for name in restored.world.store.versions if name.startswith("o/"))
    restored.go_back()
    restored.world.store.rot(name, at=-1)

    found = restored.recover(restored.given[one])

    assert {loss.kind for loss in found.lost} == {Lost.STATEMENT, Lost.UNREADABLE}
    assert restored.state(one) is None


@pytest.mark.proves("T64")
def test_an_object_whose_key_was_never_backed_up_is_named(restored: Restored) -> None:
    restored.take(restored.world.deposit(ACME))
    restored.go_back()
    restored.keys.put_back(restored.world.key_store)
    restored.world.works = restored.world.start()

    found = restored.recover()

    assert [loss.kind for loss in found.lost] == [Lost.UNREADABLE]


@pytest.mark.proves("T64")
def test_a_procedure_whose_keys_are_lost_is_named_and_the_others_go_on(restored: Restored) -> None:
    first = restored.world.procedure
    other = restored.world.publish(restored.world.draft(k=1, n=2))
    sequencer.publish(restored.world.works)
    for kind in ("1", "3"):
        del restored.world.key_store.keys[f"{kind}/{first.hex}"]
    restored.world.works = restored.world.start()

    found = restored.recover()

    assert {(loss.kind, loss.procedure) for loss in found.lost} == {
        (Lost.PROCEDURE_KEY, first),
        (Lost.GATE_SEED, first),
    }
    assert restored.world.procedure == other
    restored.world.time.line.is_cut = True
    restored.world.deposit(ZENITH)
    restored.world.time.line.is_cut = False
    assert sweep.received(restored.world.works) == 0


@pytest.mark.proves("T64", "OPS-04")
def test_a_database_of_which_there_is_no_backup_at_all_is_filled_from_the_copies(
    world: World, fresh_addresses: Addresses
) -> None:
    restored = Restored(world, fresh_addresses)
    restored.backup = Backup.of(fresh_addresses)  # made, migrated, and empty
    world.publish(world.draft(k=1, n=2))
    one = restored.take(world.deposit(ACME))
    sequencer.publish(world.works)
    restored.go_back()

    found = restored.recover()

    assert found.lost == []
    assert world.deposit(ACME, envelope_id=one).acknowledgement.note == restored.given[one]
    world.after_settle()
    world.close_box()
    world.open_boxes(1, by=1)
    assert set(world.opened()) == {one}
    check_everything(world.works)


@pytest.mark.parametrize("kills", [1, 2, 3])
@pytest.mark.proves("T64")
def test_a_recovery_broken_off_anywhere_is_finished_by_the_next(restored: Restored, kills: int) -> None:
    one = restored.take(restored.world.deposit(ACME))
    sequencer.publish(restored.world.works)
    restored.go_back()
    restored.world.store.fail("get", times=kills)
    for _ in range(kills):
        with pytest.raises(StoreUnavailable):
            restored.recover()

    assert restored.recover().lost == []

    assert restored.world.deposit(ACME, envelope_id=one).acknowledgement.note == restored.given[one]
    check_everything(restored.world.works)


@pytest.mark.proves("T64", "LOG-03")
def test_a_damaged_copy_is_named_and_the_tree_stays_what_was_signed(restored: Restored) -> None:
    one = restored.take(restored.world.deposit(ACME))
    sequencer.publish(restored.world.works)
    newest = max(name for name in restored.world.store.versions if name.startswith("mirror/"))
    restored.go_back()
    restored.world.store.rot(newest, at=100)

    found = restored.recover(restored.given[one])

    assert {loss.kind for loss in found.lost} >= {Lost.COPY, Lost.ENTRY}
    assert found.done[Done.REGISTERED] == 1
    assert restored.world.deposit(ACME, envelope_id=one).acknowledgement.note == restored.given[one]
    sequencer.require_not_rolled_back(restored.world.works)


@pytest.mark.proves("T52")
def test_a_database_that_went_on_after_it_was_restored_is_not_mixed_with_its_other_history(restored: Restored) -> None:
    restored.world.deposit(ACME)
    sequencer.publish(restored.world.works)
    restored.go_back()
    restored.world.deposit(ZENITH)  # by a process that looked at nothing when the database came back

    with pytest.raises(RolledBack):
        sequencer.publish(restored.world.works)
    with pytest.raises(CannotRecover):
        restored.recover()


def test_a_recovery_refuses_while_a_process_serves(restored: Restored) -> None:
    with running(restored.world.works.engine), pytest.raises(StillRunning):
        restored.recover()


def test_a_process_does_not_serve_while_a_recovery_goes_on(restored: Restored) -> None:
    def serve(*_: object) -> None:
        with running(restored.world.works.engine):
            raise AssertionError

    restored.take(restored.world.deposit(ACME))
    sequencer.publish(restored.world.works)
    restored.go_back()

    with pytest.raises(StillRunning):
        recover(restored.world.works, progress=serve)


@pytest.mark.proves("T52")
def test_a_process_whose_database_comes_back_older_stops_serving(restored: Restored) -> None:
    vigil = Vigil(restored.world.works)
    vigil.begin()
    restored.world.deposit(ACME)
    sequencer.publish(restored.world.works)
    restored.go_back()
    _end_sessions(restored.addresses)

    with pytest.raises(RolledBack):
        _look_until_it_answers(vigil)


def test_a_process_whose_database_comes_back_as_it_was_serves_on(restored: Restored) -> None:
    vigil = Vigil(restored.world.works)
    vigil.begin()
    _end_sessions(restored.addresses)

    _look_until_it_answers(vigil)

    with pytest.raises(StillRunning):
        restored.recover()
    vigil.end()


def _look_until_it_answers(vigil: Vigil) -> None:
    """As the serving process does it: each broken connection of the pool is found once."""
    for _ in range(20):
        with suppress(DatabaseUnavailable):
            vigil.look()
            if vigil.is_held:
                return
    raise AssertionError


def _end_sessions(addresses: Addresses) -> None:
    """As a database that is restarted does it."""
    engine = create_engine(addresses.database_url)
    with engine.connect() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others} AND pid <> pg_backend_pid()"))
    engine.dispose()
