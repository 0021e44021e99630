# SPDX-License-Identifier: EUPL-1.2
"""One holder's part in an opening, and what the vault makes of all parts."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crypto.ceremony import Contribution, SlotCode, SlotFailure
from crypto.contribution import MadeContribution, contribute, open_contribution
from crypto.encoding import sha256
from crypto.errors import ListError, QuorumError, ShareError, SignatureError
from crypto.header import Header, Slot, decode_header, slot_info
from crypto.hpke import KemKey, seal
from crypto.keys.file import MasterKey
from crypto.opening_rules import DueOpening, require_contribution, require_release
from crypto.policy import Role
from crypto.slots import recover_file_key
from tests.crypto.holders import head_of
from tests.crypto.procedure import Sealed, Told, holders


def made(told: Told, due: DueOpening, listed: Sequence[Sealed], key: MasterKey) -> MadeContribution:
    """What one holder makes of these headers."""
    return contribute(due, [one.framed for one in listed], holder=told.holder(key))


def opened(told: Told, due: DueOpening, listed: Sequence[Sealed], key: MasterKey) -> tuple[bytearray | None, ...]:
    """The shares the vault gets from one holder."""
    statement = made(told, due, listed, key).statement
    require = require_release if key.role is Role.GATE else require_contribution
    return open_contribution(require(statement, due), told.opening_key)


def spoiled(one: Sealed, kid: bytes, **changes: bytes) -> Sealed:
    """The envelope with one holder's slot changed, listed as it is."""
    header = decode_header(one.framed)
    groups = tuple(
        replace(group, slots=tuple(_changed(slot, kid, changes) for slot in group.slots)) for group in header.groups
    )
    forged = Header(header.core, groups)
    return Sealed(replace(one.entry, header_hash=forged.hash), forged.framed, one.whole)


def _changed(slot: Slot, kid: bytes, changes: dict[str, bytes]) -> Slot:
    return replace(slot, **changes) if slot.kid == kid else slot


@pytest.mark.proves("KEY-01", "OPEN-02")
def test_k_custodians_and_the_gate_give_the_file_keys() -> None:
    told = Told()
    listed = [told.seal(), told.seal()]
    due = told.due(told.closed(listed))
    keys = (*told.holders.custodians[1:], *told.holders.gates)
    parts = {key.kid: opened(told, due, listed, key) for key in keys}

    for index, one in enumerate(listed):
        shares = {kid: share for kid, part in parts.items() if (share := part[index]) is not None}
        assert recover_file_key(head_of(one.whole), shares)


@pytest.mark.proves("T4", "T16", "KEY-05")
def test_the_opening_key_with_the_release_and_fewer_than_k_contributions_opens_nothing() -> None:
    told = Told()
    listed = [told.seal()]
    due = told.due(told.closed(listed))
    keys = (told.holders.custodians[0], *told.holders.gates)
    parts = {key.kid: opened(told, due, listed, key)[0] for key in keys}

    with pytest.raises(QuorumError):
        recover_file_key(head_of(listed[0].whole), {kid: share for kid, share in parts.items() if share is not None})


@pytest.mark.proves("T16")
def test_another_opening_key_opens_no_contribution() -> None:
    told = Told()
    listed = [told.seal()]
    due = told.due(told.closed(listed))
    checked = require_contribution(made(told, due, listed, told.holders.custodians[0]).statement, due)

    with pytest.raises(ShareError) as refusal:
        open_contribution(checked, KemKey(bytes(32)))
    assert refusal.value.kid == told.holders.custodians[0].kid


@pytest.mark.proves("T63", "OPEN-14")
def test_one_missing_or_rotten_header_is_named_and_the_others_go_on() -> None:
    told = Told()
    listed = [told.seal(), told.seal(), told.seal()]
    due = told.due(told.closed(listed))
    framed = [b"", listed[1].framed[:-1], listed[2].framed]
    holder = told.holder(told.holders.custodians[0])

    result = contribute(due, framed, holder=holder)

    assert [(one.failure, one.reason) for one in result.failures] == [
        (SlotFailure(0, SlotCode.HEADER), "list"),
        (SlotFailure(1, SlotCode.HEADER), "format"),
    ]
    assert result.failures[0].envelope_id == listed[0].entry.envelope_id
    shares = open_contribution(require_contribution(result.statement, due), told.opening_key)
    assert [share is None for share in shares] == [True, True, False]


@pytest.mark.proves("T29")
def test_a_financial_envelope_in_the_technical_list_gives_no_share() -> None:
    told = Told()
    listed = [told.seal(box=2), told.seal()]
    due = told.due(told.closed(listed))

    result = made(told, due, listed, told.holders.custodians[0])

    assert [(one.failure.index, one.reason) for one in result.failures] == [(0, "list")]


@pytest.mark.proves("T30")
def test_a_canary_or_a_foreign_policy_gives_no_share() -> None:
    told = Told()
    foreign = Told(replace(told.holders, policy=replace(told.policy, title="Other works"))).seal()
    due = told.due(told.closed([foreign]))

    result = made(told, due, [foreign], told.holders.custodians[0])

    assert [one.reason for one in result.failures] == ["policy"]


@pytest.mark.proves("T20", "T21")
def test_a_bad_slot_is_listed_by_its_holder_and_counts_as_absent() -> None:
    told = Told()
    victim = told.holders.custodians[0]
    listed = [spoiled(told.seal(), victim.kid, sealed=bytes(1169)), told.seal()]
    due = told.due(told.closed(listed))

    result = made(told, due, listed, victim)

    assert [(one.failure.code, one.reason) for one in result.failures] == [(SlotCode.HPKE, "share")]
    assert made(told, due, listed, told.holders.custodians[1]).failures == ()


def test_a_share_that_does_not_match_its_commit_is_listed() -> None:
    told = Told()
    victim = told.holders.custodians[0]
    one = told.seal()
    header = decode_header(one.framed)
    # Slots are bound to their commit, so a wrong commit is met only with a slot sealed for it.
    commit = sha256(b"wrong")
    sealed = seal(victim.kem.public, slot_info(header.core.hash, Role.CUSTODIAN, victim.kid, commit), bytes(33))
    listed = [spoiled(one, victim.kid, commit=commit, sealed=sealed)]
    due = told.due(told.closed(listed))

    assert [failure.failure.code for failure in made(told, due, listed, victim).failures] == [SlotCode.COMMIT]


@pytest.mark.proves("OPEN-08")
def test_a_left_out_envelope_gives_no_share_and_is_no_failure_to_tell() -> None:
    told = Told()
    listed = [told.seal(), told.seal()]
    due = told.due(told.closed(listed), left_out=(0,))

    result = made(told, due, listed, told.holders.custodians[0])

    assert result.failures == ()
    assert Contribution.of(result.statement).failures == (SlotFailure(0, SlotCode.LEFT_OUT),)
    assert opened(told, due, listed, told.holders.custodians[0])[0] is None


def test_as_many_headers_as_envelopes_are_asked_for() -> None:
    told = Told()
    listed = [told.seal()]
    due = told.due(told.closed(listed))

    for framed in ([], [listed[0].framed] * 2):
        with pytest.raises(ListError):
            contribute(due, framed, holder=told.holder(told.holders.custodians[0]))


def test_a_stranger_makes_no_contribution() -> None:
    told, other = Told(), Told(holders(1, 2))
    listed = [told.seal()]
    due = told.due(told.closed(listed))
    stranger = other.holder(other.holders.custodians[0])

    with pytest.raises(SignatureError):
        contribute(due, [listed[0].framed], holder=stranger)
    with pytest.raises(SignatureError):
        contribute(due, [listed[0].framed], holder=replace(stranger, card=replace(stranger.card, role=Role.TRUSTEE)))


def test_private_keys_do_not_print() -> None:
    told = Told()
    shown = repr(told.holder(told.holders.custodians[0]))

    assert "kem=KemKey" not in shown
    assert "signer" not in shown
