# SPDX-License-Identifier: EUPL-1.2
"""From shares to the file key: foreign slots, wrong shares, wrong dealers, quorums (protocol 4.7)."""

import itertools
import os
from dataclasses import replace

import pytest

from crypto.encoding import u32
from crypto.errors import (
    CommitmentError,
    DealtError,
    HoldersError,
    KindError,
    QuorumError,
    ShareError,
    UnopenedError,
)
from crypto.header import (
    Core,
    EnvelopeKind,
    Header,
    SealedHead,
    Secrets,
    Slot,
    SlotGroup,
    build_header,
    share_commit,
    slot_info,
)
from crypto.hpke import seal
from crypto.keys.file import MasterKey
from crypto.policy import Role
from crypto.shares import split
from crypto.slots import check_share, file_key, open_slot, recover_file_key
from crypto.stream import CobEncryptor
from tests.crypto.holders import Holders, head_of, make_holders

HOLDERS = make_holders(2, 3)
SEALED = HOLDERS.seal()
HEAD = head_of(SEALED)


def with_core(**changes: object) -> Header:
    """The header with something of its core rewritten."""
    return replace(HEAD.header, core=replace(HEAD.header.core, **changes))  # type: ignore[arg-type]


def with_slots(*slots: Slot) -> Header:
    """The header with other slots for the custodians."""
    header = HEAD.header
    return replace(header, groups=(replace(header.groups[0], slots=slots), *header.groups[1:]))


@pytest.mark.proves("T28")
@pytest.mark.parametrize("changes", [{"box": 2}, {"envelope_id": bytes(16)}, {"mode": 2}, {"policy_hash": bytes(32)}])
def test_a_rewritten_core_shuts_every_slot(changes: dict[str, object]) -> None:
    custodian = HOLDERS.custodians[0]

    with pytest.raises(ShareError) as refusal:
        open_slot(with_core(**changes), custodian.kid, custodian.kem, kind=EnvelopeKind.BID)
    assert refusal.value.kid == custodian.kid


@pytest.mark.proves("T30")
def test_a_bid_presented_as_canary_does_not_open() -> None:
    custodian = HOLDERS.custodians[0]

    with pytest.raises(ShareError):
        open_slot(with_core(kind=EnvelopeKind.CANARY), custodian.kid, custodian.kem, kind=EnvelopeKind.CANARY)


@pytest.mark.proves("T60")
def test_a_rehearsal_opens_no_bid_and_an_opening_no_canary() -> None:
    custodian = HOLDERS.custodians[0]
    canary = head_of(HOLDERS.seal(kind=EnvelopeKind.CANARY)).header

    with pytest.raises(KindError):
        open_slot(HEAD.header, custodian.kid, custodian.kem, kind=EnvelopeKind.CANARY)
    with pytest.raises(KindError):
        open_slot(canary, custodian.kid, custodian.kem, kind=EnvelopeKind.BID)
    assert len(open_slot(canary, custodian.kid, custodian.kem, kind=EnvelopeKind.CANARY)) == 33


@pytest.mark.proves("T27")
def test_slots_swapped_between_holders_do_not_open() -> None:
    one, other, third = HEAD.header.groups[0].slots
    swapped = with_slots(replace(one, sealed=other.sealed), replace(other, sealed=one.sealed), third)
    custodian = HOLDERS.custodians[0]

    with pytest.raises(UnopenedError):
        open_slot(swapped, custodian.kid, custodian.kem, kind=EnvelopeKind.BID)


@pytest.mark.proves("T26", "T27")
def test_slots_of_another_envelope_do_not_open() -> None:
    # A rival copies all slots and the body under an id of its own.
    copied = with_core(envelope_id=os.urandom(16))

    for key in (*HOLDERS.custodians, *HOLDERS.gates):
        with pytest.raises(ShareError):
            open_slot(copied, key.kid, key.kem, kind=EnvelopeKind.BID)


def test_a_stranger_opens_nothing() -> None:
    stranger = MasterKey.generate(Role.CUSTODIAN)

    with pytest.raises(HoldersError):
        open_slot(HEAD.header, stranger.kid, stranger.kem, kind=EnvelopeKind.BID)


@pytest.mark.proves("T20")
def test_a_slot_that_opens_to_another_share_than_committed_is_told_apart() -> None:
    core, custodian = HEAD.header.core, HOLDERS.custodians[0]
    slot = HEAD.header.groups[0].slots[0]
    info = slot_info(core.hash, Role.CUSTODIAN, slot.kid, slot.commit)
    spoiled = with_slots(
        replace(slot, sealed=seal(custodian.kem.public, info, os.urandom(33))), *HEAD.header.groups[0].slots[1:]
    )

    with pytest.raises(ShareError) as refusal:
        open_slot(spoiled, custodian.kid, custodian.kem, kind=EnvelopeKind.BID)
    assert not isinstance(refusal.value, UnopenedError)


@pytest.mark.proves("T20")
def test_a_random_share_is_refused_and_its_custodian_named() -> None:
    shares = HOLDERS.shares(HEAD, (*HOLDERS.custodians, *HOLDERS.gates))
    culprit = HOLDERS.custodians[1].kid
    wrong = {**shares, culprit: bytearray(os.urandom(32)) + shares[culprit][32:]}

    with pytest.raises(ShareError) as refusal:
        recover_file_key(HEAD, wrong)

    assert refusal.value.kid == culprit
    assert recover_file_key(HEAD, {kid: share for kid, share in wrong.items() if kid != culprit})


@pytest.mark.proves("T20")
def test_a_share_of_another_size_is_refused() -> None:
    with pytest.raises(ShareError):
        check_share(HEAD.header, HOLDERS.custodians[0].kid, bytes(32))


@pytest.mark.proves("T20")
def test_a_share_of_a_stranger_is_refused() -> None:
    with pytest.raises(HoldersError):
        recover_file_key(HEAD, {bytes(16): bytes(33)})


@pytest.mark.proves("KEY-01", "OPEN-02")
def test_every_quorum_with_the_gate_gives_the_same_file_key() -> None:
    keys = [
        bytes(recover_file_key(HEAD, HOLDERS.shares(HEAD, (*chosen, *HOLDERS.gates))))
        for size in (2, 3)
        for chosen in itertools.combinations(HOLDERS.custodians, size)
    ]

    assert len(set(keys)) == 1


@pytest.mark.proves("T4", "KEY-05")
def test_fewer_than_k_custodians_or_no_gate_give_nothing() -> None:
    with pytest.raises(QuorumError) as refusal:
        recover_file_key(HEAD, HOLDERS.shares(HEAD, (HOLDERS.custodians[0], *HOLDERS.gates)))
    assert (refusal.value.have, refusal.value.need) == (1, 2)
    with pytest.raises(QuorumError):
        recover_file_key(HEAD, HOLDERS.shares(HEAD, HOLDERS.custodians))
    with pytest.raises(QuorumError):
        recover_file_key(HEAD, {})


def test_recovering_leaves_the_shares_as_they_were() -> None:
    shares = HOLDERS.shares(HEAD, (*HOLDERS.custodians, *HOLDERS.gates))
    before = {kid: bytes(share) for kid, share in shares.items()}

    recover_file_key(HEAD, shares)

    assert shares == before


def test_trustees_stand_in_for_custodians() -> None:
    holders = make_holders(2, 3, trustees=(2, 2))
    head = head_of(holders.seal())
    both = holders.shares(head, (*holders.custodians, *holders.gates))
    other = holders.shares(head, (holders.custodians[0], *holders.trustees, *holders.gates))

    assert recover_file_key(head, both) == recover_file_key(head, other)


def test_one_custodian_and_one_trustee_are_no_quorum() -> None:
    holders = make_holders(2, 2, trustees=(2, 2))
    head = head_of(holders.seal())

    with pytest.raises(QuorumError) as refusal:
        recover_file_key(head, holders.shares(head, (holders.custodians[0], holders.trustees[0], *holders.gates)))
    assert (refusal.value.have, refusal.value.need) == (1, 2)


def test_two_gates_of_two_are_both_needed() -> None:
    holders = make_holders(1, 1, gates=(2, 2))
    head = head_of(holders.seal())

    assert recover_file_key(head, holders.shares(head, (*holders.custodians, *holders.gates)))
    with pytest.raises(QuorumError):
        recover_file_key(head, holders.shares(head, (*holders.custodians, holders.gates[0])))


@pytest.mark.proves("KEY-09")
def test_one_custodian_is_enough_where_the_policy_says_so() -> None:
    holders = make_holders(1, 1)
    head = head_of(holders.seal())

    assert len(recover_file_key(head, holders.shares(head, (*holders.custodians, *holders.gates)))) == 32


def dealt(holders: Holders, shares: list[bytearray]) -> SealedHead:
    """A head whose sealer dealt these shares to the custodians, with right commits and a right gate."""
    core = Core(holders.policy.hash, 1, os.urandom(16), EnvelopeKind.BID)
    groups = holders.policy.groups_of(holders.policy.box(1))
    secrets = Secrets(bytearray(32), bytearray(os.urandom(32)))
    honest = build_header(core, groups, secrets)
    slots = []
    for card, share in zip(groups[0].cards, shares, strict=True):
        commit = share_commit(core.hash, Role.CUSTODIAN, share)
        slots.append(
            Slot(card.kid, commit, seal(card.kem, slot_info(core.hash, Role.CUSTODIAN, card.kid, commit), share))
        )
    header = Header(core, (SlotGroup(Role.CUSTODIAN, groups[0].k, tuple(slots)), honest.groups[1]))
    key = file_key(secrets)
    return SealedHead(header, CobEncryptor(key, header.body_context).head)


def verdicts(holders: Holders, head: SealedHead) -> set[str]:
    """What each quorum finds."""
    found = set()
    for chosen in itertools.combinations(holders.custodians, 2):
        try:
            recover_file_key(head, holders.shares(head, (*chosen, *holders.gates)))
            found.add("opened")
        except (DealtError, CommitmentError) as refusal:
            found.add(refusal.code)
    return found


@pytest.mark.proves("T22")
def test_shares_on_two_polynomials_are_dealt_for_every_quorum() -> None:
    one, other = split(bytes(32), 2, 3), split(bytes(32), 2, 3)

    assert verdicts(HOLDERS, dealt(HOLDERS, [one[0], other[1], one[2]])) == {"dealt"}


@pytest.mark.proves("T22")
def test_a_share_with_anothers_place_is_dealt_for_every_quorum() -> None:
    shares = split(bytes(32), 2, 3)

    assert verdicts(HOLDERS, dealt(HOLDERS, [shares[0], shares[0], shares[2]])) == {"dealt"}
    assert verdicts(HOLDERS, dealt(HOLDERS, [shares[1], shares[0], shares[2]])) == {"dealt"}
    assert verdicts(HOLDERS, dealt(HOLDERS, [shares[0], shares[1], shares[2][:32] + b"\x00"])) == {"dealt"}


@pytest.mark.proves("T22")
def test_an_honest_dealer_of_the_same_shape_opens_for_every_quorum() -> None:
    assert verdicts(HOLDERS, dealt(HOLDERS, split(bytes(32), 2, 3))) == {"opened"}


@pytest.mark.proves("T24")
def test_a_body_sealed_with_another_key_than_the_shares_give_is_refused() -> None:
    foreign = CobEncryptor(os.urandom(32), HEAD.header.body_context).head

    with pytest.raises(CommitmentError):
        recover_file_key(
            replace(HEAD, stream_head=foreign), HOLDERS.shares(HEAD, (*HOLDERS.custodians, *HOLDERS.gates))
        )


@pytest.mark.proves("T27")
def test_a_header_without_gates_recovers_nothing() -> None:
    header = replace(HEAD.header, groups=HEAD.header.groups[:1])

    with pytest.raises(HoldersError):
        recover_file_key(replace(HEAD, header=header), HOLDERS.shares(HEAD, HOLDERS.custodians))


@pytest.mark.proves("T31")
def test_a_bit_flipped_in_the_header_shuts_the_body() -> None:
    shares = HOLDERS.shares(HEAD, (*HOLDERS.custodians, *HOLDERS.gates))
    third = HEAD.header.groups[0].slots[2]
    flipped = with_slots(
        *HEAD.header.groups[0].slots[:2], replace(third, sealed=third.sealed[:-1] + bytes([third.sealed[-1] ^ 1]))
    )

    with pytest.raises(CommitmentError):
        recover_file_key(replace(HEAD, header=flipped), shares)


def test_a_head_knows_where_its_body_begins() -> None:
    size = int.from_bytes(SEALED[12:16], "big")

    assert HEAD.body_offset == 16 + size
    assert SEALED[12:16] == u32(size)
