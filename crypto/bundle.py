# SPDX-License-Identifier: EUPL-1.2
"""The opening bundle: all that a custodian needs for an opening, in one stream (protocol 4.6).

    magic ‖ (u32 length ‖ CBOR [section, …])…      sections only rise

Rules
  1. Policies, closings, lists, tokens, decisions, earlier boxes, anchors, opening; then headers in list order; then
     the number of headers, without which the stream was cut.
  2. Each frame is canonical CBOR of a bounded length; nothing stands behind the end.
  3. The head fits in memory; headers are read one at a time.
  4. An anchor comes along only as bytes: which ones count is said by the policy, by hash.

Left to others: every check of what is said (crypto.opening_rules); the transport.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO

from crypto.ceremony import MAX_CLOSINGS, EnvelopeList
from crypto.certificates import Anchor, RevocationEvidence, choose_anchors, make_anchor
from crypto.closing_rules import MAX_EPOCHS, ClosedBox
from crypto.closings import MAX_LIST
from crypto.encoding import Cbor, decode, encode, require_array, require_bstr, require_uint, u32
from crypto.errors import FormatError, TimestampError, TruncatedError
from crypto.header import MAX_HEADER, PREFIX_SIZE
from crypto.opening_rules import Dossier, EarlierBox
from crypto.policy import Policy
from crypto.statement import Kind, Statement, parse_note
from crypto.timestamp import VerifiedTimestamp, judge_token

MAGIC = b"bidvault/bundle/v1\n"
MAX_FRAME = 34 << 20  # a token's evidence may have 32 MiB (crypto.certificates)
MAX_HEAD = 512 << 20  # what a laptop can hold
MAX_TOKENS = 8 * MAX_CLOSINGS
MAX_ANCHORS = 64


class Section(IntEnum):
    """What a frame holds, in the order of the stream."""

    POLICY = 1
    CLOSING = 2
    LIST = 3
    TOKEN = 4
    DECISION = 5
    EARLIER = 6
    ANCHOR = 7
    OPENING = 8
    HEADER = 9
    END = 10


@dataclass(frozen=True)
class BundledToken:
    """A token over a closing's id, with the revocation data received for it; not judged."""

    token: bytes = field(repr=False)
    evidence: RevocationEvidence = field(repr=False)


@dataclass(frozen=True)
class BundledClosing:
    """One closing of the opening, as it travels."""

    statement: Statement
    envelopes: EnvelopeList
    tokens: tuple[BundledToken, ...] = ()
    decision: Statement | None = None


@dataclass(frozen=True)
class BundleHead:
    """All of a bundle but its headers."""

    policies: tuple[Statement, ...]
    closings: tuple[BundledClosing, ...]
    opening: Statement
    earlier: tuple[EarlierBox, ...] = ()
    anchors: tuple[bytes, ...] = field(default=(), repr=False)

    def judged(self, anchors: Sequence[Anchor]) -> Dossier:
        """The dossier for `require_due`: tokens that pass every check under these anchors; the others count nothing."""
        closed = tuple(
            ClosedBox(
                statement=one.statement,
                envelopes=one.envelopes,
                tokens=tuple(judge_tokens(one.tokens, over=one.statement.id, anchors=anchors)),
                decision=one.decision,
            )
            for one in self.closings
        )
        return Dossier(self.policies, closed, self.opening, self.earlier)

    def anchors_named_by(self, policy: Policy) -> tuple[Anchor, ...]:
        """The anchors that came along and that a policy (pinned, or chained to it) names by hash."""
        return choose_anchors([make_anchor(der) for der in self.anchors], policy.time.anchors)


class BundleReader:
    """Reads a bundle from a stream: `head` at once, then `headers` one by one.

    Raises:
        FormatError: not a bundle, a frame too long or out of place.
        TruncatedError: the stream ends before its end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pending: tuple[Section, Sequence[Cbor]] | None = None
        if _read_exactly(stream, len(MAGIC)) != MAGIC:
            raise FormatError("not an opening bundle")
        self.head = _assemble(self._head_frames())

    def headers(self) -> Iterator[bytes]:
        """Prefix and header of each listed envelope, in list order; empty where the vault has none. Once only."""
        count = 0
        while True:
            section, content = self._next()
            if section is Section.END:
                break
            (framed,) = _content(content, 1)
            count += 1
            if section is not Section.HEADER or count > MAX_LIST:
                raise FormatError("a frame stands where it must not")
            yield require_bstr(framed, most=PREFIX_SIZE + MAX_HEADER)
        (announced,) = _content(content, 1)
        if require_uint(announced) != count or self._stream.read(1):
            raise FormatError("the bundle does not end where it says")

    def _head_frames(self) -> Iterator[tuple[Section, Sequence[Cbor]]]:
        size = 0
        last = Section.POLICY
        while True:
            section, content = self._next()
            size += _size_of(content)
            if not last <= section <= Section.OPENING or size > MAX_HEAD:
                raise FormatError("a frame stands where it must not, or the bundle is too long")
            last = section
            yield section, content
            if section is Section.OPENING:
                return

    def _next(self) -> tuple[Section, Sequence[Cbor]]:
        length = int.from_bytes(_read_exactly(self._stream, 4), "big")
        if length > MAX_FRAME:
            raise FormatError(f"a frame of {length} bytes, at most {MAX_FRAME} allowed")
        frame = require_array(decode(_read_exactly(self._stream, length), limit=MAX_FRAME), least=2, most=4)
        return Section(require_uint(frame[0], least=1, most=len(Section))), frame[1:]


def write_bundle(head: BundleHead, headers: Iterable[bytes]) -> Iterator[bytes]:
    """The stream's bytes, frame by frame.

    Args:
        head: all but the headers.
        headers: prefix and header of each listed envelope, in list order; empty where there is none.
    """
    yield MAGIC
    yield from (_frame(section, *content) for section, content in _frames_of(head))
    count = 0
    for framed in headers:
        yield _frame(Section.HEADER, framed)
        count += 1
    yield _frame(Section.END, count)


def judge_tokens(
    tokens: Iterable[BundledToken], *, over: bytes, anchors: Sequence[Anchor]
) -> Iterator[VerifiedTimestamp]:
    """Those tokens that pass every check; one that does not proves nothing and stops nothing."""
    for one in tokens:
        try:
            yield judge_token(one.token, over, anchors=anchors, evidence=one.evidence)
        except (TimestampError, FormatError):
            continue


def _frames_of(head: BundleHead) -> Iterator[tuple[Section, tuple[Cbor, ...]]]:
    yield from ((Section.POLICY, (one.note,)) for one in head.policies)
    yield from ((Section.CLOSING, (one.statement.note,)) for one in head.closings)
    yield from ((Section.LIST, (one.envelopes.encode(),)) for one in head.closings)
    for place, closing in enumerate(head.closings):
        for token in closing.tokens:
            yield Section.TOKEN, (place, token.token, token.evidence.encode())
    for place, closing in enumerate(head.closings):
        if closing.decision is not None:
            yield Section.DECISION, (place, closing.decision.note)
    for one in head.earlier:
        yield Section.EARLIER, (one.closing.note, _note_of(one.opening), _note_of(one.minutes))
    yield from ((Section.ANCHOR, (der,)) for der in head.anchors)
    yield Section.OPENING, (head.opening.note,)


def _note_of(statement: Statement | None) -> bytes:
    return b"" if statement is None else statement.note


def _frame(section: Section, *content: Cbor) -> bytes:
    data = encode([int(section), *content])
    return u32(len(data)) + data


class _Gathered:
    """Frames of a head, by section, as they come."""

    def __init__(self, frames: Iterable[tuple[Section, Sequence[Cbor]]]) -> None:
        self._by_section: dict[Section, list[Sequence[Cbor]]] = {section: [] for section in Section}
        for section, content in frames:
            self._by_section[section].append(content)

    def of(self, section: Section, *, size: int, most: int) -> list[Sequence[Cbor]]:
        rows = self._by_section[section]
        if len(rows) > most:
            raise FormatError(f"more than {most} frames of {section.name.lower()}")
        return [_content(row, size) for row in rows]

    def notes(self, section: Section, kind: Kind, *, most: int) -> tuple[Statement, ...]:
        return tuple(parse_note(require_bstr(row[0]), kind) for row in self.of(section, size=1, most=most))


def _assemble(frames: Iterable[tuple[Section, Sequence[Cbor]]]) -> BundleHead:
    gathered = _Gathered(frames)
    statements = gathered.notes(Section.CLOSING, Kind.CLOSING, most=MAX_CLOSINGS)
    lists = [EnvelopeList.decode(require_bstr(row[0])) for row in gathered.of(Section.LIST, size=1, most=MAX_CLOSINGS)]
    if len(lists) != len(statements) or sum(len(one) for one in lists) > MAX_LIST:
        raise FormatError("each closing has its list, and all lists together are bounded")
    tokens: list[list[BundledToken]] = [[] for _ in statements]
    for place, token, evidence in gathered.of(Section.TOKEN, size=3, most=MAX_TOKENS):
        decoded = RevocationEvidence.decode(require_bstr(evidence))
        tokens[_place(place, statements)].append(BundledToken(require_bstr(token), decoded))
    decisions: dict[int, Statement] = {}
    for place, note in gathered.of(Section.DECISION, size=2, most=MAX_CLOSINGS):
        decisions[_place(place, statements)] = parse_note(require_bstr(note), Kind.DECISION)
    closings = tuple(
        BundledClosing(statement, lists[place], tuple(tokens[place]), decisions.get(place))
        for place, statement in enumerate(statements)
    )
    earlier = tuple(_earlier(row) for row in gathered.of(Section.EARLIER, size=3, most=MAX_CLOSINGS))
    return BundleHead(
        policies=gathered.notes(Section.POLICY, Kind.POLICY, most=MAX_EPOCHS),
        closings=closings,
        opening=gathered.notes(Section.OPENING, Kind.OPENING, most=1)[0],
        earlier=earlier,
        anchors=tuple(require_bstr(row[0]) for row in gathered.of(Section.ANCHOR, size=1, most=MAX_ANCHORS)),
    )


def _earlier(row: Sequence[Cbor]) -> EarlierBox:
    closing, opening, minutes = (require_bstr(note) for note in row)
    return EarlierBox(
        closing=parse_note(closing, Kind.CLOSING),
        opening=parse_note(opening, Kind.OPENING) if opening else None,
        minutes=parse_note(minutes, Kind.MINUTES) if minutes else None,
    )


def _place(value: Cbor, statements: Sequence[Statement]) -> int:
    return require_uint(value, most=len(statements) - 1)


def _content(content: Sequence[Cbor], size: int) -> Sequence[Cbor]:
    return require_array(content, size=size)


def _size_of(content: Sequence[Cbor]) -> int:
    return sum(len(one) for one in content if isinstance(one, bytes))


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    pieces: list[bytes] = []
    missing = size
    while missing:
        piece = stream.read(missing)
        if not piece:
            raise TruncatedError("the bundle ends early")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
