# SPDX-License-Identifier: EUPL-1.2
"""Attacks on what was closed: envelopes added, dropped or changed, a second list, an admission that nobody decided."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from crypto.closing_rules import ClosedBox, Memory, require_listed
from crypto.closings import Closing, EnvelopeList
from crypto.deposit import DepositRecord
from crypto.errors import CryptoError, ListError, SignatureError, StateError
from crypto.opening_rules import require_due
from crypto.policy import Mode
from crypto.statement import Statement
from deploy.embedded import Addresses
from tests.attacks.opened_boxes import refused
from tests.crypto.procedure import Sealed, Told
from tests.vault.gating import ANOTHER, NO_LIST, close_tokens, closing_of, decided, gate_of
from tests.world.world import World

LISTED = EnvelopeList((ANOTHER,))
CHANGES = ("added", "dropped", "exchanged", "order", "other file", "other header", "other length", "nothing")


@pytest.fixture(scope="module")
def closed(module_addresses: Addresses) -> Iterator[World]:
    """A world whose gate has accepted that box 1 closed without envelopes."""
    world = World(module_addresses)
    world.publish()
    world.after_settle()
    gate_of(world).accept_closing(closing_of(world).note, NO_LIST.encode(), close_tokens(world))
    yield world
    world.close()


def _accept(world: World, closing: Statement, listed: EnvelopeList, *, decision: bytes | None = None) -> None:
    gate_of(world).accept_closing(closing.note, listed.encode(), close_tokens(world), decision=decision)


def _changed(listed: list[Sealed], extra: Sealed) -> dict[str, list[Sealed]]:
    first, second = listed
    return {
        "added": [*listed, extra],
        "dropped": [first],
        "exchanged": [first, extra],
        "order": [second, first],
        "other file": [replace(first, entry=replace(first.entry, file_hash=bytes(32))), second],
        "other header": [replace(first, entry=replace(first.entry, header_hash=bytes(32))), second],
        "other length": [replace(first, entry=replace(first.entry, length=first.entry.length + 1)), second],
        "nothing": [],
    }


@pytest.mark.proves("T37")
@pytest.mark.parametrize("what", CHANGES)
def test_attack_T37_a_list_changed_after_the_closing_is_refused_by_the_tool(what: str) -> None:
    told = Told()
    listed = [told.seal(), told.seal()]
    closed = told.closed(listed)
    changed = told.envelopes(_changed(listed, told.seal())[what])
    forged = told.closing(listed) if what == "nothing" else told.closing(_changed(listed, told.seal())[what])

    with pytest.raises(ListError):
        _due(told, replace(closed, envelopes=changed))
    with pytest.raises(CryptoError) as refusal:  # nor may the closing be made to fit: it is signed
        _due(told, replace(closed, statement=replace(closed.statement, payload=forged.encode()), envelopes=changed))
    assert refusal.value.code in {"signature", "list"}


@pytest.mark.proves("T37")
def test_attack_T37_the_gate_takes_no_closing_over_another_list(closed: World) -> None:
    second = replace(Closing.of(closing_of(closed)), box=2).statement.signed_by(closed.works.service_keys.statement)

    with refused(closed, ListError):
        gate_of(closed).accept_closing(second.note, LISTED.encode(), close_tokens(closed))
    with refused(closed, ListError):  # nor one that it has taken already
        _accept(closed, closing_of(closed), LISTED)


@pytest.mark.proves("T37", "ACK-03", "OPEN-15")
def test_attack_T37_a_receipt_proves_offline_that_its_envelope_was_dropped_or_changed() -> None:
    told = Told()
    one, other = told.seal(), told.seal()
    record = _record(told, one)

    assert require_listed(record, told.envelopes([other, one])) == 1
    for listed in ([other], [], [replace(one, entry=replace(one.entry, file_hash=bytes(32)))]):
        with pytest.raises(ListError):
            require_listed(record, told.envelopes(listed))


@pytest.mark.proves("T38", "T59")
def test_attack_T38_a_second_main_closing_is_refused_by_gate_and_tool(closed: World) -> None:
    with refused(closed, StateError):
        _accept(closed, closing_of(closed, LISTED), LISTED)

    told = Told()
    first, second = told.closed([told.seal()]), told.closed([told.seal()])
    memory = require_due(told.dossier(first), memory=told.memory, now=told.now).memory
    with pytest.raises(ListError):
        require_due(told.dossier(second), memory=memory, now=told.now)
    assert memory.main_closings == {1: first.statement.id}


@pytest.mark.proves("T59", "LATE-02")
@pytest.mark.parametrize("what", ["none", "another envelope", "two signers", "another decision", "another box"])
def test_attack_T59_an_admission_needs_its_own_decision_at_the_gate(closed: World, what: str) -> None:
    decision = decided(closed, ANOTHER, by=2 if what == "two signers" else 3)
    admitted = EnvelopeList((replace(ANOTHER, length=1) if what == "another envelope" else ANOTHER,))
    said = Closing.of(closing_of(closed, admitted, decision=decision.id))
    if what == "another box":
        said = replace(said, box=2)
    closing = said.statement.signed_by(closed.works.service_keys.statement)
    shown = {"none": None, "another decision": decided(closed, replace(ANOTHER, length=2)).note}

    with refused(closed, CryptoError) as seen:
        _accept(closed, closing, admitted, decision=shown.get(what, decision.note))
    assert isinstance(seen.value, ListError | SignatureError)


@pytest.mark.proves("T59", "LATE-02")
def test_attack_T59_an_admission_needs_its_own_decision_at_the_tool() -> None:
    told = Told()
    main, late = told.closed([told.seal()]), told.seal()
    memory = Memory(told.policy.hash, {1: main.statement.id})
    good = told.supplementary(late)
    other = told.decision(told.seal().entry)
    by_one = told.supplementary(late, keys=told.holders.custodians[:1])

    require_due(told.dossier(good), memory=memory, now=told.now)
    for bad in (replace(good, decision=None), replace(good, decision=other)):
        with pytest.raises(ListError):
            require_due(told.dossier(bad), memory=memory, now=told.now)
    with pytest.raises(SignatureError):
        require_due(told.dossier(by_one), memory=memory, now=told.now)
    with pytest.raises(ListError):  # and no admission before there is a list
        require_due(told.dossier(good), memory=told.memory, now=told.now)


@pytest.mark.proves("T59")
def test_attack_T59_one_decision_has_one_closing_ever() -> None:
    told = Told()
    late = told.seal()
    good = told.supplementary(late)
    memory = Memory(told.policy.hash, {1: bytes(32)})
    memory = require_due(told.dossier(good), memory=memory, now=told.now).memory
    again = told.closed([late], closing=replace(Closing.of(good.statement), at=told.now))

    with pytest.raises(ListError):
        require_due(told.dossier(replace(again, decision=good.decision)), memory=memory, now=told.now)


def _due(told: Told, closed: ClosedBox) -> None:
    require_due(told.dossier(closed), memory=told.memory, now=told.now)


def _record(told: Told, one: Sealed) -> DepositRecord:
    return DepositRecord(
        policy_hash=told.policy.hash,
        box=1,
        envelope_id=one.entry.envelope_id,
        mode=Mode.SERVER,
        header_hash=one.entry.header_hash,
        file_hash=one.entry.file_hash,
        length=one.entry.length,
        bidder="siret:1",
        first_byte_at=told.now,
        last_byte_at=told.now,
        documents_tag=bytes(32),
    )
