# SPDX-License-Identifier: EUPL-1.2
"""Statements from the rehearsal to the minutes: one encoding each, everything else refused."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from crypto.ceremony import (
    MAX_CONTRIBUTIONS,
    Closing,
    Contribution,
    Decision,
    EnvelopeList,
    Keyed,
    ListEntry,
    MinutedEnvelope,
    Minutes,
    Opening,
    Outcome,
    Rehearsal,
    SlotCode,
    SlotFailure,
    Unkeyed,
    share_info,
)
from crypto.closings import MAX_LIST, MAX_LIST_BYTES
from crypto.encoding import Cbor, decode, encode, label
from crypto.errors import FormatError, KindError
from crypto.merkle import EMPTY_ROOT, leaf_hash, node_hash
from crypto.policy import Opener
from crypto.statement import Kind, Statement

MOMENT = datetime(2026, 12, 1, 17, 1, tzinfo=UTC)
ONE = ListEntry(bytes(16), bytes(32), bytes(32), 5000)
TWO = ListEntry(bytes([1]) * 16, bytes(32), bytes(32), 1)
CLOSING = Closing(bytes(32), 1, 2, bytes(32), MOMENT, MOMENT)
OPENING = Opening(bytes(32), (bytes(32), bytes([1]) * 32), 1, bytes(1216), Opener.VAULT, MOMENT, (0, 5))
SEALED = bytes(1136 + 3 * 33)
FAILURES = (SlotFailure(0, SlotCode.HPKE), SlotFailure(2, SlotCode.LEFT_OUT))
CONTRIBUTION = Contribution(bytes(32), bytes(16), SEALED, FAILURES)
KEYED = Keyed(bytes(32), (bytes(32),), (Unkeyed(1, "dealt"), Unkeyed(4, "left-out")))
MINUTED = (MinutedEnvelope(0, Outcome.OPENED, "", bytes([1]) * 32), MinutedEnvelope(1, Outcome.UNKEYED, "dealt"))
MINUTES = Minutes(bytes(32), bytes(32), MOMENT, MOMENT, (bytes(16),), MINUTED)
REHEARSAL = Rehearsal(bytes(32), bytes(16), bytes(32), bytes(33))
DECISION = Decision(bytes(32), 1, ONE, "The authority was down.")


class Said(Protocol):
    """What these values have in common."""

    def encode(self) -> bytes: ...

    @classmethod
    def decode(cls, data: bytes) -> "Said": ...

    @classmethod
    def of(cls, statement: Statement) -> "Said": ...


VALUES: list[tuple[Kind, Said]] = [
    (Kind.CLOSING, CLOSING),
    (Kind.CLOSING, replace(CLOSING, decision=bytes(32))),
    (Kind.OPENING, OPENING),
    (Kind.OPENING, replace(OPENING, left_out=())),
    (Kind.CONTRIBUTION, CONTRIBUTION),
    (Kind.RELEASE, CONTRIBUTION),
    (Kind.CONTRIBUTION, replace(CONTRIBUTION, sealed=bytes(1136), failures=())),
    (Kind.KEYED, KEYED),
    (Kind.MINUTES, MINUTES),
    (Kind.REHEARSAL, REHEARSAL),
    (Kind.DECISION, DECISION),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_what_is_written_is_read(kind: Kind, value: Said) -> None:
    assert type(value).of(Statement(kind, value.encode())) == value


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_statement_of_another_kind_is_refused(kind: Kind, value: Said) -> None:
    for other in Kind:
        if other is not kind and not {kind, other} <= {Kind.CONTRIBUTION, Kind.RELEASE}:
            with pytest.raises(KindError):
                type(value).of(Statement(other, value.encode()))


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_key_less_or_more_is_refused(kind: Kind, value: Said) -> None:
    assert kind.limit
    fields = decode(value.encode(), limit=1 << 20)
    assert isinstance(fields, dict)
    mandatory = [key for key in fields if not (key == 7 and len(fields) == 7)]
    for key in mandatory:
        with pytest.raises(FormatError):
            type(value).decode(encode({other: fields[other] for other in fields if other != key}))
    with pytest.raises(FormatError):
        type(value).decode(encode({**fields, 9: 0}))


def test_each_value_makes_its_statement() -> None:
    assert CLOSING.statement == Statement(Kind.CLOSING, CLOSING.encode())
    assert OPENING.statement == Statement(Kind.OPENING, OPENING.encode())
    assert KEYED.statement == Statement(Kind.KEYED, KEYED.encode())
    assert MINUTES.statement == Statement(Kind.MINUTES, MINUTES.encode())
    assert REHEARSAL.statement == Statement(Kind.REHEARSAL, REHEARSAL.encode())
    assert DECISION.statement == Statement(Kind.DECISION, DECISION.encode())
    assert CONTRIBUTION.statement(Kind.RELEASE) == Statement(Kind.RELEASE, CONTRIBUTION.encode())
    with pytest.raises(KindError):
        CONTRIBUTION.statement(Kind.KEYED)


def refused(value: Said) -> None:
    """Its own decoder does not take it."""
    with pytest.raises(FormatError):
        type(value).decode(value.encode())


UNFIT: dict[str, Said] = {
    "closing of box 0": replace(CLOSING, box=0),
    "closing of more than an opening lists": replace(CLOSING, count=MAX_LIST + 1),
    "closing with a root of another size": replace(CLOSING, root=bytes(31)),
    "opening of nothing": replace(OPENING, closings=()),
    "opening of one closing twice": replace(OPENING, closings=(bytes(32), bytes(32))),
    "attempt 0": replace(OPENING, attempt=0),
    "attempt 65": replace(OPENING, attempt=65),
    "opening key of another size": replace(OPENING, opening_key=bytes(1215)),
    "left-out places falling": replace(OPENING, left_out=(5, 0)),
    "a left-out place twice": replace(OPENING, left_out=(5, 5)),
    "a left-out place beyond any list": replace(OPENING, left_out=(MAX_LIST,)),
    "a share cut": replace(CONTRIBUTION, sealed=SEALED[:-1]),
    "no room for HPKE": replace(CONTRIBUTION, sealed=bytes(1103), failures=()),
    "a failure beyond the shares": replace(CONTRIBUTION, failures=(SlotFailure(3, SlotCode.HPKE),)),
    "a failure twice": replace(CONTRIBUTION, failures=(FAILURES[0], FAILURES[0])),
    "failures falling": replace(CONTRIBUTION, failures=FAILURES[::-1]),
    "keyed by nobody": replace(KEYED, contributions=()),
    "keyed by one contribution twice": replace(KEYED, contributions=(bytes(32), bytes(32))),
    "keyed by more than there can be": replace(
        KEYED, contributions=tuple(number.to_bytes(32, "big") for number in range(MAX_CONTRIBUTIONS + 1))
    ),
    "unkeyed falling": replace(KEYED, unkeyed=KEYED.unkeyed[::-1]),
    "unkeyed for a reason too long": replace(KEYED, unkeyed=(Unkeyed(0, "x" * 201),)),
    "minutes that say an envelope twice": replace(MINUTES, envelopes=(MINUTED[0], MINUTED[0])),
    "minutes without contributors": replace(MINUTES, contributors=()),
    "minutes with a person twice": replace(MINUTES, contributors=(bytes(16), bytes(16))),
    "minutes with a digest of another size": replace(
        MINUTES, envelopes=(replace(MINUTED[0], documents_hash=bytes(31)),)
    ),
    "rehearsal with a share of another size": replace(REHEARSAL, share=bytes(32)),
    "decision with a reason too long": replace(DECISION, reason="x" * 2001),
    "decision over nothing": replace(DECISION, entry=replace(ONE, length=0)),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_value_out_of_bounds_is_refused(name: str) -> None:
    refused(UNFIT[name])


@pytest.mark.parametrize(
    ("value", "key", "wrong"),
    [
        (OPENING, 7, []),
        (OPENING, 5, 2),
        (CONTRIBUTION, 4, [[0, 5]]),
        (CONTRIBUTION, 4, [[0]]),
        (CONTRIBUTION, 4, 0),
        (KEYED, 3, [[0]]),
        (MINUTES, 6, [[0, 4, "", bytes(32)]]),
        (MINUTES, 6, [[0, 1, ""]]),
        (DECISION, 4, 2),
        (DECISION, 3, [bytes(16), bytes(32), bytes(32)]),
    ],
)
def test_a_field_in_another_form_is_refused(value: Said, key: int, wrong: Cbor) -> None:
    fields = decode(value.encode(), limit=1 << 20)
    assert isinstance(fields, dict)

    with pytest.raises(FormatError):
        type(value).decode(encode({**fields, key: wrong}))


def test_a_share_place_is_counted() -> None:
    assert CONTRIBUTION.count == 3


@pytest.mark.proves("T17")
def test_shares_are_bound_to_kind_opening_and_holder() -> None:
    assert share_info(Kind.CONTRIBUTION, bytes(32), bytes(16)) == label("contribution") + bytes(48)
    assert share_info(Kind.RELEASE, bytes(32), bytes(16)) == label("release") + bytes(48)
    with pytest.raises(KindError):
        share_info(Kind.KEYED, bytes(32), bytes(16))


# Lists


def test_a_list_is_read_as_written() -> None:
    for entries in ((), (ONE,), (ONE, TWO)):
        assert EnvelopeList.decode(EnvelopeList(entries).encode()) == EnvelopeList(entries)
    assert ListEntry.decode(ONE.encode()) == ONE


def test_a_lists_root_is_the_tree_hash_over_its_entries() -> None:
    assert EnvelopeList(()).root == EMPTY_ROOT
    assert EnvelopeList((ONE, TWO)).root == node_hash(leaf_hash(ONE.encode()), leaf_hash(TWO.encode()))


@pytest.mark.parametrize(
    "rows",
    [
        [ONE.to_cbor(), ONE.to_cbor()],
        [[bytes(16), bytes(32), bytes(32)]],
        [[bytes(15), bytes(32), bytes(32), 1]],
        [[bytes(16), bytes(32), bytes(32), 0]],
        [[bytes(16), bytes(32), bytes(32), 1 << 41]],
        {1: 2},
    ],
)
def test_a_list_in_another_form_is_refused(rows: Cbor) -> None:
    with pytest.raises(FormatError):
        EnvelopeList.decode(encode(rows))


def test_a_list_longer_than_any_is_refused_by_its_size() -> None:
    with pytest.raises(FormatError):
        EnvelopeList.decode(bytes(MAX_LIST_BYTES + 1))


def test_the_longest_entry_is_within_the_lists_bound() -> None:
    assert len(replace(ONE, length=1 << 40).encode()) <= 96
