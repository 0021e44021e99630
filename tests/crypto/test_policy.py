# SPDX-License-Identifier: EUPL-1.2
"""Policies: what they are made of, who must sign."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.encoding import Cbor, decode, encode, sha256
from crypto.errors import FormatError, KindError, PolicyError, SignatureError
from crypto.keys.file import MasterKey
from crypto.policy import (
    Box,
    Card,
    Group,
    Mode,
    Part,
    Policy,
    Role,
    person_id,
    read_card_file,
    require_confirmed,
    require_in_force,
    require_rehearsed,
    write_card_file,
)
from crypto.statement import MAX_POLICY, Kind, Statement, Verifier
from tests.crypto.procedure import JOURNAL, VAULT, Told, holders
from tests.crypto.test_amendments import later
from tests.vectors import protocol

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
POLICY = holders().policy
CARD = POLICY.groups[0].cards[0]


# Cards


def test_a_kid_is_the_printed_one() -> None:
    key = MasterKey(Role.CUSTODIAN, protocol.CUSTODIAN_MASTER)

    card = replace(CARD, kem=key.kem.public, sig=key.sig)

    assert card.kid.hex() == protocol.CUSTODIAN_KID
    assert card.verifier.name == f"bidvault/custodian/{protocol.CUSTODIAN_KID}"


def test_a_kid_covers_both_keys_and_nothing_else() -> None:
    assert replace(CARD, name="B. Holder", person=bytes(16)).kid == CARD.kid
    assert replace(CARD, sig=bytes(32)).kid != CARD.kid
    assert replace(CARD, kem=bytes(1216)).kid != CARD.kid


@pytest.mark.proves("T19")
def test_a_person_is_one_by_issuer_and_subject() -> None:
    assert person_id("https://idp", "42") == person_id("https://idp", "42")
    assert len({person_id("https://idp", "42"), person_id("https://idp4", "2"), person_id("https://idp", "43")}) == 3


def test_a_card_file_carries_the_card_as_it_is() -> None:
    data = write_card_file(CARD)

    read = read_card_file(data)

    assert data.startswith(b"bidvault/card/v1\n")
    assert read == CARD


@pytest.mark.parametrize("data", [b"", b"bidvault/card/v1\noQEC\n", b"bidvault/card/v1\noQEC"])
def test_a_file_that_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_card_file(data)


def test_a_key_file_is_no_card_file() -> None:
    with pytest.raises(KindError):
        read_card_file(Statement(Kind.KEY, encode(CARD.to_cbor())).note)


# Form


def test_what_is_written_is_read() -> None:
    assert Policy.decode(POLICY.encode()) == POLICY
    assert POLICY.hash == sha256(POLICY.encode())
    assert Policy.of(POLICY.statement) == POLICY


def test_a_policy_with_every_part_is_read() -> None:
    trustees = replace(holders(1, 2).policy.groups[0], role=Role.TRUSTEE)
    trustees = replace(trustees, cards=tuple(replace(card, role=Role.TRUSTEE) for card in trustees.cards))
    box = replace(POLICY.boxes[1], trustees=2, after=(1,))
    full = replace(
        POLICY,
        epoch=3,
        previous=bytes(32),
        boxes=(POLICY.boxes[0], box),
        groups=(*POLICY.groups, trustees),
        modes=(Mode.SERVER, Mode.CLIENT),
        tlog_policy="log example.org\nquorum none\n",
    )

    assert Policy.decode(full.encode()) == full
    assert full.groups_of(box) == full.groups


def test_another_statement_is_no_policy() -> None:
    with pytest.raises(KindError):
        Policy.of(Statement(Kind.CLOSING, POLICY.encode()))


def test_boxes_are_found_by_number_and_by_lot_and_part() -> None:
    assert POLICY.box(2) is POLICY.boxes[1]
    assert POLICY.box_of("1", Part.FINANCIAL) is POLICY.boxes[1]
    assert POLICY.box_of("2", Part.FINANCIAL) is None
    with pytest.raises(PolicyError):
        POLICY.box(3)


def test_cards_are_found_by_kid_and_role() -> None:
    assert POLICY.card_of(CARD.kid) is CARD
    assert POLICY.card_of(bytes(16)) is None
    assert len(POLICY.cards()) == 4
    assert [card.role for card in POLICY.cards(Role.GATE)] == [Role.GATE]
    assert POLICY.groups[1].card_of(CARD.kid) is None


def test_the_vaults_keys_are_the_policys() -> None:
    assert POLICY.vault_verifier == VAULT.verifier
    assert POLICY.journal_verifier == JOURNAL.verifier


BOX, SECOND_BOX = POLICY.boxes
CUSTODIANS, GATES = POLICY.groups


def _boxes(*boxes: Box) -> Policy:
    return replace(POLICY, boxes=boxes)


def _groups(*groups: Group) -> Policy:
    return replace(POLICY, groups=groups)


def _custodian(**changes: object) -> Policy:
    changed: Card = replace(CARD, **changes)  # type: ignore[arg-type]
    return _groups(replace(CUSTODIANS, cards=(changed, *CUSTODIANS.cards[1:])), GATES)


UNSOUND: dict[str, Policy] = {
    "first epoch with a previous one": replace(POLICY, previous=bytes(32)),
    "later epoch without a previous one": replace(POLICY, epoch=1),
    "previous of another size": replace(POLICY, epoch=1, previous=bytes(31)),
    "no box": _boxes(),
    "a box number twice": _boxes(BOX, replace(SECOND_BOX, number=1)),
    "box numbers falling": _boxes(SECOND_BOX, BOX),
    "a lot's part twice": _boxes(BOX, replace(SECOND_BOX, part=BOX.part)),
    "box 0": _boxes(replace(BOX, number=0)),
    "box 4097": _boxes(BOX, replace(SECOND_BOX, number=4097)),
    "opens before it has settled": _boxes(replace(BOX, not_before=BOX.deadline + POLICY.settle - SECOND)),
    "waits for itself": _boxes(BOX, replace(SECOND_BOX, after=(2,))),
    "waits for a later box": _boxes(replace(BOX, after=(2,)), SECOND_BOX),
    "waits for no box": _boxes(BOX, replace(SECOND_BOX, number=3, after=(2,))),
    "waits twice": _boxes(BOX, replace(SECOND_BOX, after=(1, 1))),
    "custodians that are gates": _boxes(replace(BOX, custodians=1)),
    "gates that are custodians": _boxes(replace(BOX, gates=0)),
    "trustees that are custodians": _boxes(replace(BOX, trustees=0)),
    "a group that is not there": _boxes(replace(BOX, gates=2)),
    "one group": _groups(CUSTODIANS),
    "k of 0": _groups(replace(CUSTODIANS, k=0), GATES),
    "k above n": _groups(replace(CUSTODIANS, k=4), GATES),
    "no cards": _groups(replace(CUSTODIANS, cards=()), GATES),
    "a gate among custodians": _groups(replace(CUSTODIANS, cards=(*CUSTODIANS.cards, *GATES.cards)), GATES),
    "a person twice in a group": _custodian(person=CUSTODIANS.cards[1].person),
    "a sealing key twice": _custodian(kem=GATES.cards[0].kem),
    "a signing key twice": _custodian(sig=GATES.cards[0].sig),
    "the vault's key on a card": _custodian(sig=VAULT.verifier.public),
    "one key for statements and journal": replace(POLICY, journal_vkey=Verifier("j", VAULT.verifier.public).vkey),
    "a card that ends before it begins": _custodian(valid_to=CARD.valid_from),
    "a card of a root key": _custodian(role=Role.ROOT),
    "a sealing key of another size": _custodian(kem=bytes(1215)),
    "a quorum of one authority": replace(POLICY, time=replace(POLICY.time, q=1)),
    "a quorum above the authorities": replace(POLICY, time=replace(POLICY.time, q=3)),
    "an authority twice": replace(POLICY, time=replace(POLICY.time, anchors=(bytes(32), bytes(32)))),
    "no key that verifies": replace(POLICY, statement_vkey="vault.example+00000000+AQ=="),
    "settle below 45 s": replace(POLICY, settle=timedelta(seconds=44)),
    "settle above an hour": replace(POLICY, settle=timedelta(seconds=3601)),
    "no mode": replace(POLICY, modes=()),
    "a mode twice": replace(POLICY, modes=(Mode.SERVER, Mode.SERVER)),
    "no document allowed": replace(POLICY, limits=replace(POLICY.limits, documents=0)),
    "more than 1 TiB": replace(POLICY, limits=replace(POLICY.limits, envelope=(1 << 40) + 1)),
    "a title longer than 200 bytes": replace(POLICY, title="\u00e9" * 101),
    "a title with a line feed": replace(POLICY, title="a\nb"),
    "a title not in NFC": replace(POLICY, title="e\u0301"),
}


@pytest.mark.proves("T13")
@pytest.mark.parametrize("name", UNSOUND)
def test_a_policy_whose_parts_do_not_fit_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        Policy.decode(UNSOUND[name].encode())


def test_more_cards_than_signatures_can_be_counted_are_refused() -> None:
    groups = tuple(
        replace(CUSTODIANS, cards=tuple(_made_up(group * 32 + place) for place in range(31))) for group in range(2)
    )

    with pytest.raises(FormatError, match="cards"):
        Policy.decode(_groups(groups[0], GATES, groups[1]).encode())


def _made_up(number: int) -> Card:
    tag = number.to_bytes(2, "big")
    return replace(CARD, kem=tag * 608, sig=tag * 16, person=tag * 8)


def changed(change: Callable[[dict[int, Cbor]], None]) -> bytes:
    """A payload with one thing changed in its map."""
    value = decode(POLICY.encode(), limit=MAX_POLICY)
    assert isinstance(value, dict)
    change(value)
    return encode(value)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update({1: 2}),
        lambda value: value.update({17: 2}),
        lambda value: value.update({18: b""}),
        lambda value: value.update({3: b"0"}),
        lambda value: value.update({16: [3]}),
        lambda value: value.update({7: ["siret"]}),
        lambda value: value.update({9: [[1, "1", 5, 0, 60_000, [0, 1], []]]}),
        lambda value: value.update({9: [[1, "1", 1, 0, 60_000, [0], []]]}),
        lambda value: value.pop(13),
    ],
)
def test_a_map_in_another_form_is_refused(change: Callable[[dict[int, Cbor]], None]) -> None:
    with pytest.raises(FormatError):
        Policy.decode(changed(change))


# In force


def test_a_policy_is_in_force_with_every_signature() -> None:
    told = Told()

    assert require_in_force(told.signed()) == told.policy


@pytest.mark.proves("T53", "KEY-02")
def test_a_missing_signature_at_epoch_0_keeps_a_policy_out_of_force() -> None:
    told = Told()
    whole = told.signed()

    for line in whole.signatures:
        kept = tuple(one for one in whole.signatures if one is not line)
        with pytest.raises(SignatureError):
            require_in_force(Statement(whole.kind, whole.payload, kept))


@pytest.mark.proves("T53")
def test_cards_of_the_operators_own_make_another_hash() -> None:
    own = holders(2, 3, gates=(1, 1)).policy
    swapped = replace(own, groups=(holders(1, 2).policy.groups[0], own.groups[1]))

    assert swapped.hash != own.hash
    with pytest.raises(PolicyError):
        require_confirmed(own.hash, swapped.hash)


@pytest.mark.parametrize(("k", "n", "needed"), [(1, 1, 1), (2, 3, 2), (1, 3, 3), (3, 5, 3), (4, 5, 4), (2, 5, 4)])
def test_every_quorum_holds_a_signer_of_the_amendment(k: int, n: int, needed: int) -> None:
    cards = tuple(_made_up(number) for number in range(n))

    assert Group(Role.CUSTODIAN, k, cards).signers_needed == needed
    assert needed + k > n


def test_an_amendment_needs_vault_and_gates_but_not_every_custodian() -> None:
    told = Told()
    following = later(told.policy)
    custodians = told.holders.custodians

    assert require_in_force(told.signed(following, [*custodians[1:], *told.holders.gates])) == following
    for keys in ([*custodians], [custodians[0], *told.holders.gates]):
        with pytest.raises(SignatureError):
            require_in_force(told.signed(following, keys))


@pytest.mark.proves("KEY-02", "T57")
def test_a_policy_is_not_published_before_every_holder_has_rehearsed() -> None:
    kids = {card.kid for card in POLICY.cards()}

    require_rehearsed(POLICY.statement, kids)
    with pytest.raises(PolicyError):
        require_rehearsed(POLICY.statement, kids - {CARD.kid})


@pytest.mark.proves("T57")
def test_a_published_policy_other_than_the_rehearsed_one_is_fraud() -> None:
    require_confirmed(POLICY.hash, POLICY.hash)
    with pytest.raises(PolicyError, match="fraud"):
        require_confirmed(POLICY.hash, replace(POLICY, title="Other works").hash)
