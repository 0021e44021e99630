# SPDX-License-Identifier: EUPL-1.2
"""Heads of sealed envelopes: lengths, forms and holders that are refused (protocol 3.4)."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from crypto.algorithms import HASH_SIZE, SLOT_SIZE
from crypto.encoding import Cbor, encode, u16, u32
from crypto.errors import DealtError, FormatError, HoldersError, PolicyError
from crypto.header import (
    MAGIC,
    MAX_HEADER,
    Core,
    EnvelopeKind,
    Header,
    Secrets,
    Slot,
    SlotGroup,
    build_header,
    decode_header,
    parse_prefix,
    require_holders,
    require_recombining,
)
from crypto.policy import Role
from crypto.shares import split
from tests.crypto.holders import Holders, head_of, make_holders

HOLDERS = make_holders(trustees=(1, 2))
HEADER = head_of(HOLDERS.seal()).header


def prefix(*, magic: bytes = MAGIC, version: int = 1, suite: int = 1, size: int = 10) -> bytes:
    """The first 16 bytes of a file."""
    return magic + u16(version) + u16(suite) + u32(size)


def framed(value: Cbor) -> bytes:
    """A header of any content behind a right prefix."""
    data = encode(value)
    return prefix(size=len(data)) + data


def content() -> dict[int, Cbor]:
    """A well-formed header's map."""
    slot: Cbor = [bytes(16), bytes(32), bytes(SLOT_SIZE)]
    return {1: bytes(32), 2: 1, 3: bytes(16), 4: 1, 5: 1, 6: [[1, 1, [slot]], [2, 1, [slot]]]}


@pytest.mark.proves("T34")
@pytest.mark.parametrize(
    "start",
    [
        prefix(version=2),
        prefix(suite=2),
        prefix(size=2**32 - 1),
        prefix(size=MAX_HEADER + 1),
        prefix(magic=b"\x89TVSE\r\n\x1b"),
        prefix()[:15],
        b"",
    ],
)
def test_attack_T34_another_version_suite_magic_or_a_huge_length_is_refused(start: bytes) -> None:
    with pytest.raises(FormatError):
        parse_prefix(start)


@pytest.mark.proves("T34")
def test_attack_T34_a_million_slots_are_refused_before_allocating() -> None:
    data = (
        b"\xa6\x01\x58\x20" + bytes(32) + b"\x02\x01\x03\x50" + bytes(16) + b"\x04\x01\x05\x01\x06\x9a\x00\x0f\x42\x40"
    )
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode_header(prefix(size=len(data)) + data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


@pytest.mark.proves("T33", "T34")
@pytest.mark.parametrize("value", [b"\x00", b"\x40", b"\x60", b"\x80", b"\x81\x80"])
def test_attack_T33_a_header_full_of_small_values_is_refused_before_they_are_built(value: bytes) -> None:
    count = (MAX_HEADER - 100) // len(value)
    core = b"\xa6\x01\x58\x20" + bytes(32) + b"\x02\x01\x03\x50" + bytes(16) + b"\x04\x01\x05\x01\x06"
    data = core + b"\x9a" + count.to_bytes(4, "big") + value * count
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="more values"):
            decode_header(prefix(size=len(data)) + data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_a_well_formed_header_is_read() -> None:
    assert decode_header(framed(content())).groups[1].role is Role.GATE


CHANGES: dict[str, Callable[[dict[int, Cbor]], object]] = {
    "a short policy hash": lambda values: values.update({1: bytes(31)}),
    "box 0": lambda values: values.update({2: 0}),
    "box 4097": lambda values: values.update({2: 4097}),
    "a long id": lambda values: values.update({3: bytes(17)}),
    "mode 3": lambda values: values.update({4: 3}),
    "kind 3": lambda values: values.update({5: 3}),
    "one group": lambda values: values.update({6: [[1, 1, [[bytes(16), bytes(32), bytes(SLOT_SIZE)]]]]}),
    "no slot": lambda values: values.update({6: [[1, 1, []], [2, 1, []]]}),
    "k beyond n": lambda values: values.update({6: [[1, 2, [[bytes(16), bytes(32), bytes(SLOT_SIZE)]]]] * 2}),
    "k of 0": lambda values: values.update({6: [[1, 0, [[bytes(16), bytes(32), bytes(SLOT_SIZE)]]]] * 2}),
    "a role without shares": lambda values: values.update(
        {6: [[5, 1, [[bytes(16), bytes(32), bytes(SLOT_SIZE)]]]] * 2}
    ),
    "33 slots": lambda values: values.update({6: [[1, 1, [[bytes(16), bytes(32), bytes(SLOT_SIZE)]] * 33]] * 2}),
    "a short slot": lambda values: values.update({6: [[1, 1, [[bytes(16), bytes(32), bytes(SLOT_SIZE - 1)]]]] * 2}),
    "a missing key": lambda values: values.pop(5),
    "an unknown key": lambda values: values.update({7: 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_header_of_another_form_is_refused(change: Callable[[dict[int, Cbor]], object]) -> None:
    values = content()
    change(values)

    with pytest.raises(FormatError):
        decode_header(framed(values))


def test_a_header_that_ends_early_or_late_is_refused() -> None:
    for data in (HEADER.framed[:-1], HEADER.framed + b"\x00", HEADER.framed[:10]):
        with pytest.raises(FormatError):
            decode_header(data)


def test_a_header_is_read_as_it_was_built() -> None:
    read = decode_header(HEADER.framed)

    assert read == HEADER
    assert (read.framed, read.hash) == (HEADER.framed, HEADER.hash)
    assert len(read.hash) == HASH_SIZE


def test_a_header_longer_than_any_may_be_is_not_built() -> None:
    slots = tuple(Slot(bytes(16), bytes(32), bytes(SLOT_SIZE)) for _ in range(32))
    groups = tuple(SlotGroup(Role.CUSTODIAN, 1, slots) for _ in range(4))

    with pytest.raises(FormatError):
        _ = Header(Core(bytes(32), 1, bytes(16), EnvelopeKind.BID), groups).framed


def test_the_largest_group_sizes_fit() -> None:
    slots = tuple(Slot(bytes(16), bytes(32), bytes(SLOT_SIZE)) for _ in range(32))
    groups = tuple(SlotGroup(role, 1, slots) for role in (Role.CUSTODIAN, Role.GATE, Role.TRUSTEE))

    assert len(Header(Core(bytes(32), 1, bytes(16), EnvelopeKind.BID), groups).framed) <= MAX_HEADER


def rearranged(change: Callable[[tuple[SlotGroup, ...]], tuple[SlotGroup, ...]]) -> Header:
    """The header with its groups changed."""
    return replace(HEADER, groups=change(HEADER.groups))


REARRANGED: dict[str, Callable[[tuple[SlotGroup, ...]], tuple[SlotGroup, ...]]] = {
    "k lowered": lambda groups: (replace(groups[0], k=1), *groups[1:]),
    "a holder missing": lambda groups: (replace(groups[0], slots=groups[0].slots[:-1]), *groups[1:]),
    "a holder added": lambda groups: (replace(groups[0], slots=(*groups[0].slots, groups[2].slots[0])), *groups[1:]),
    "holders in another order": lambda groups: (replace(groups[0], slots=groups[0].slots[::-1]), *groups[1:]),
    "a foreign holder": lambda groups: (
        replace(groups[0], slots=(replace(groups[0].slots[0], kid=bytes(16)), *groups[0].slots[1:])),
        *groups[1:],
    ),
    "a group missing": lambda groups: groups[:2],
    "groups in another order": lambda groups: (groups[1], groups[0], groups[2]),
    "a role changed": lambda groups: (replace(groups[0], role=Role.TRUSTEE), *groups[1:]),
}


@pytest.mark.proves("T27")
@pytest.mark.parametrize("change", REARRANGED.values(), ids=REARRANGED.keys())
def test_holders_other_than_the_policys_are_refused(
    change: Callable[[tuple[SlotGroup, ...]], tuple[SlotGroup, ...]],
) -> None:
    with pytest.raises(HoldersError):
        require_holders(rearranged(change), HOLDERS.policy)


def test_the_policys_holders_are_accepted() -> None:
    require_holders(HEADER, HOLDERS.policy)


@pytest.mark.proves("T28")
def test_another_policy_or_a_box_it_has_not_is_refused() -> None:
    other: Holders = make_holders()

    with pytest.raises(PolicyError):
        require_holders(HEADER, other.policy)
    with pytest.raises(PolicyError):
        require_holders(replace(HEADER, core=replace(HEADER.core, box=9)), HOLDERS.policy)


def test_a_stranger_has_no_slot() -> None:
    with pytest.raises(HoldersError):
        HEADER.slot_of(bytes(16))


def test_a_header_names_its_envelope() -> None:
    assert (HEADER.box, HEADER.envelope_id, HEADER.kind) == (1, bytes(range(16)), EnvelopeKind.BID)
    assert HEADER.policy_hash == HOLDERS.policy.hash


def test_custodians_and_trustees_get_shares_of_the_same_secret_dealt_afresh() -> None:
    policy = HOLDERS.policy
    secrets = Secrets(bytearray(b"o" * 32), bytearray(b"g" * 32))

    header = build_header(HEADER.core, policy.groups_of(policy.box(1)), secrets)

    assert [group.role for group in header.groups] == [Role.CUSTODIAN, Role.GATE, Role.TRUSTEE]
    assert secrets.of(Role.TRUSTEE) is secrets.of(Role.CUSTODIAN)
    assert secrets.of(Role.GATE) is secrets.gates


@pytest.mark.proves("T22")
def test_a_wrong_deal_is_noticed_before_it_is_sealed() -> None:
    one, other = split(bytes(32), 2, 3), split(bytes(32), 2, 3)

    for shares in ([one[0], one[1], other[2]], [other[0], one[1], one[2]]):
        with pytest.raises(DealtError):
            require_recombining(shares, 2)
    require_recombining(one, 2)


@pytest.mark.proves("KEY-07")
def test_secrets_do_not_print_and_are_zeroed() -> None:
    secrets = Secrets(bytearray(b"o" * 32), bytearray(b"g" * 32))
    assert "o" * 3 not in repr(secrets)

    secrets.close()

    assert not any(secrets.custodians + secrets.gates)
