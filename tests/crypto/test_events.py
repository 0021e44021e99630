# SPDX-License-Identifier: EUPL-1.2
"""What the journal tells, and how little its leaves do."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from crypto.encoding import Cbor, encode
from crypto.errors import FormatError
from crypto.events import LEAF_SIZE, MAX_DATA, Event, EventKind, dummy_leaf, leaf_data

EVENT = Event(EventKind.ENVELOPE_SEALED, datetime(2026, 12, 1, 16, tzinfo=UTC), bytes(16), bytes(32), b"\x01")


@pytest.mark.parametrize("kind", EventKind)
def test_a_kind_reads_subject_and_past_participle(kind: EventKind) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", kind.value)


@pytest.mark.parametrize("event", [EVENT, replace(EVENT, data=None), replace(EVENT, data=bytes(MAX_DATA))])
def test_what_is_written_is_read(event: Event) -> None:
    assert Event.decode(event.encode()) == event


@pytest.mark.parametrize(
    "value",
    [
        {1: "envelope.eaten", 2: 0, 3: bytes(16), 4: bytes(32)},
        {1: "envelope.sealed", 2: 0, 3: bytes(15), 4: bytes(32)},
        {1: "envelope.sealed", 2: 0, 3: bytes(16), 4: bytes(31)},
        {1: "envelope.sealed", 2: 0, 3: bytes(16), 4: bytes(32), 5: bytes(MAX_DATA + 1)},
        {1: "envelope.sealed", 2: 0, 3: bytes(16), 4: bytes(32), 6: b""},
        {1: "envelope.sealed", 2: 0, 3: bytes(16)},
    ],
)
def test_an_event_in_another_form_is_refused(value: Cbor) -> None:
    with pytest.raises(FormatError):
        Event.decode(encode(value))


@pytest.mark.proves("LOG-06")
def test_leaves_of_events_and_dummies_look_alike() -> None:
    told, dummy = leaf_data(EVENT, bytes(32)), dummy_leaf()

    assert len(told) == len(dummy) == LEAF_SIZE
    assert told[:1] == dummy[:1] == b"\x01"
    assert dummy != dummy_leaf()


def test_only_the_salt_finds_the_leaf() -> None:
    assert leaf_data(EVENT, bytes(32)) != leaf_data(EVENT, bytes([1]) * 32)
    assert leaf_data(EVENT, bytes(32)) == leaf_data(EVENT, bytes(32))
