# SPDX-License-Identifier: EUPL-1.2
"""The opening's stream."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from crypto.bundle import MAGIC, BundleHead, BundleReader, Section, write_bundle
from crypto.certificates import RevocationEvidence
from crypto.closings import MAX_LIST
from crypto.contribution import contribute
from crypto.encoding import Cbor, encode, u32
from crypto.errors import CryptoError, FormatError, KindError, TimeProofError, TruncatedError
from crypto.opening_rules import require_due
from tests.crypto.procedure import Sealed, Told
from tests.world import pki

ROW = (b"\x58\x20" + bytes(32)) * 2 + b"\x01"  # digests and length of a list entry


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def listed(told: Told) -> list[Sealed]:
    return [told.seal(), told.seal()]


@pytest.fixture(scope="module")
def head(told: Told, listed: list[Sealed]) -> BundleHead:
    return told.head(told.closed(listed), told.supplementary(told.seal()))


@pytest.fixture(scope="module")
def whole(head: BundleHead, listed: list[Sealed]) -> bytes:
    return b"".join(write_bundle(head, [listed[0].framed, b"", listed[1].framed]))


def read(data: bytes) -> tuple[BundleHead, list[bytes]]:
    """A whole bundle from bytes."""
    reader = BundleReader(io.BytesIO(data))
    return reader.head, list(reader.headers())


def frames(data: bytes) -> list[bytes]:
    """The frames of a bundle, each with its length."""
    found: list[bytes] = []
    place = len(MAGIC)
    while place < len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "big")
        found.append(data[place:end])
        place = end
    return found


def frame(section: int, *content: Cbor) -> bytes:
    """One frame."""
    data = encode([int(section), *content])
    return u32(len(data)) + data


def test_what_is_written_is_read(head: BundleHead, listed: list[Sealed], whole: bytes) -> None:
    found, headers = read(whole)

    assert found == head
    assert headers == [listed[0].framed, b"", listed[1].framed]


@pytest.mark.proves("OPEN-02")
def test_a_custodian_contributes_from_the_stream_alone(told: Told) -> None:
    listed = [told.seal()]
    closed = told.closed(listed)
    data = b"".join(write_bundle(told.head(closed), [listed[0].framed]))
    reader = BundleReader(io.BytesIO(data))

    dossier = reader.head.judged(reader.head.anchors_named_by(told.policy))
    due = require_due(dossier, memory=told.memory, now=told.now)
    made = contribute(due, reader.headers(), holder=told.holder(told.holders.custodians[0]))

    assert made.failures == ()


def test_a_box_opened_earlier_travels_along(told: Told, listed: list[Sealed]) -> None:
    earlier = told.minuted(told.closed(listed))
    empty = replace(told.minuted(told.closed([])), opening=None, minutes=None)
    head = replace(told.head(told.closed([])), earlier=(earlier, empty))

    assert read(b"".join(write_bundle(head, [])))[0].earlier == (earlier, empty)


@pytest.mark.proves("T10")
def test_a_token_that_fails_a_check_proves_nothing_and_stops_nothing(told: Told) -> None:
    closed = told.closed([])
    head = told.head(closed)
    good = head.closings[0]
    broken = replace(good.tokens[0], evidence=RevocationEvidence())
    garbled = replace(good.tokens[0], token=b"\x30\x00")
    head = replace(head, closings=(replace(good, tokens=(broken, garbled, good.tokens[1])),))

    dossier = head.judged(head.anchors_named_by(told.policy))

    assert len(dossier.closed[0].tokens) == 1
    with pytest.raises(TimeProofError):
        require_due(dossier, memory=told.memory, now=told.now)


def test_only_anchors_that_the_policy_names_are_taken(told: Told, head: BundleHead) -> None:
    more = replace(head, anchors=(*head.anchors, pki.anchor("foreign").der))

    assert more.anchors_named_by(told.policy) == pki.time_anchors()


def test_a_bundle_cut_anywhere_is_refused(whole: bytes) -> None:
    pieces = frames(whole)
    cuts = {0, 5, len(MAGIC), len(MAGIC) + 2, len(whole) - 1}
    cuts |= {len(MAGIC) + sum(len(one) for one in pieces[:count]) for count in range(len(pieces))}

    for cut in cuts:
        with pytest.raises((TruncatedError, FormatError)):
            read(whole[:cut])


def test_nothing_stands_behind_the_end(whole: bytes) -> None:
    with pytest.raises(FormatError):
        read(whole + b"\x00")


def test_the_end_counts_the_headers(whole: bytes) -> None:
    pieces = frames(whole)

    with pytest.raises(FormatError):
        read(MAGIC + b"".join(pieces[:-2] + pieces[-1:]))


def test_another_stream_is_no_bundle() -> None:
    with pytest.raises(FormatError):
        BundleReader(io.BytesIO(b"x" * 100))


def test_a_frame_is_bounded_before_it_is_read() -> None:
    with pytest.raises(FormatError):
        BundleReader(io.BytesIO(MAGIC + b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    "content", [b"\x00", b"\x81\x01", b"\x82\x0b\x40", b"\x82\x00\x40", b"\x85\x01\x40\x40\x40\x40"]
)
def test_a_frame_in_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        BundleReader(io.BytesIO(MAGIC + u32(len(content)) + content))


def _moved(pieces: list[bytes]) -> Iterator[list[bytes]]:
    """Bundles whose frames stand where they must not."""
    yield [pieces[1], pieces[0], *pieces[2:]]  # a closing before the policy
    yield [*pieces[:-1], pieces[0], pieces[-1]]  # a policy among the headers
    yield [pieces[-2], *pieces]  # a header first
    yield [pieces[-1], *pieces]  # the end first


def test_frames_out_of_order_are_refused(whole: bytes) -> None:
    for moved in _moved(frames(whole)):
        with pytest.raises(FormatError):
            read(MAGIC + b"".join(moved))


@pytest.mark.parametrize("section", [Section.LIST, Section.CLOSING])
def test_each_closing_has_its_list(whole: bytes, section: Section) -> None:
    pieces = frames(whole)
    first = next(place for place, one in enumerate(pieces) if one[5] == section)

    with pytest.raises(FormatError):
        read(MAGIC + b"".join(pieces[:first] + pieces[first + 1 :]))


def test_a_token_of_no_closing_is_refused(whole: bytes) -> None:
    pieces = frames(whole)
    place = next(place for place, one in enumerate(pieces) if one[5] == Section.TOKEN)
    pieces.insert(place, frame(Section.TOKEN, 2, b"", RevocationEvidence().encode()))

    with pytest.raises(FormatError):
        read(MAGIC + b"".join(pieces))


def test_two_openings_are_too_many(whole: bytes) -> None:
    pieces = frames(whole)
    place = next(place for place, one in enumerate(pieces) if one[5] == Section.OPENING)
    pieces.insert(place, pieces[place])

    with pytest.raises((FormatError, CryptoError)):
        read(MAGIC + b"".join(pieces))


def test_more_anchors_than_allowed_are_refused(whole: bytes) -> None:
    pieces = frames(whole)
    place = next(place for place, one in enumerate(pieces) if one[5] == Section.ANCHOR)
    pieces[place:place] = [pieces[place]] * 64

    with pytest.raises(FormatError):
        read(MAGIC + b"".join(pieces))


def test_a_statement_of_another_kind_is_refused_in_its_place(head: BundleHead) -> None:
    wrong = MAGIC + frame(Section.POLICY, head.opening.note) + frame(Section.OPENING, head.opening.note)

    with pytest.raises(KindError):
        read(wrong)


def test_a_header_longer_than_any_is_refused(whole: bytes) -> None:
    pieces = frames(whole)
    pieces[-2] = frame(Section.HEADER, bytes(131_072 + 17))

    with pytest.raises(FormatError):
        read(MAGIC + b"".join(pieces))


def test_a_closing_with_two_decisions_is_refused(told: Told, listed: list[Sealed]) -> None:
    late = told.supplementary(told.seal())
    whole = b"".join(write_bundle(told.head(told.closed(listed), late), []))
    (decision,) = [one for one in frames(whole) if one[5] == Section.DECISION]

    with pytest.raises(FormatError, match="two decisions"):
        read(whole.replace(decision, decision * 2))


@pytest.mark.proves("T33", "T34")
def test_frames_are_counted_as_they_come() -> None:
    endless = MAGIC + frame(Section.POLICY, b"") * 257

    with pytest.raises(FormatError, match="more than 256"):
        read(endless)


def test_lists_are_bounded_together(told: Told) -> None:
    half = MAX_LIST // 2 + 1
    rows = b"".join(b"\x84\x50" + place.to_bytes(16, "big") + ROW for place in range(half))
    encoded = b"\x9a" + half.to_bytes(4, "big") + rows
    closing = told.closed([]).statement.note
    head = frame(Section.POLICY, told.signed().note) + frame(Section.CLOSING, closing) * 2
    lists = frame(Section.LIST, encoded) * 2

    with pytest.raises(FormatError, match="at most 262144"):
        read(MAGIC + head + lists + frame(Section.OPENING, told.opening(told.closed([])).note))
