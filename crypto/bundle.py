# SPDX-License-Identifier: EUPL-1.2
"""The opening bundle: all that a custodian needs for an opening, in one stream (protocol 4.6).

    magic ‖ (u32 length ‖ CBOR [section, …])…      sections only rise

Rules
  1. Policies, closings, lists, tokens, decisions, earlier boxes, anchors, opening; then headers in list order; then
     the number of headers, without which the stream was cut.
  2. Each frame is canonical CBOR of a bounded length; nothing stands behind the end.
  3. The head fits in memory: frames are counted and weighed as they come, before they are kept. Headers are read
     one at a time.
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
_MAX_FRAME_ITEMS = 4  # a section and three of its own


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


_HEAD_FRAMES = {  # section: items of a frame, most frames
    Section.POLICY: (1, MAX_EPOCHS),
    Section.CLOSING: (1, MAX_CLOSINGS),
    Section.LIST: (1, MAX_CLOSINGS),
    Section.TOKEN: (3, MAX_TOKENS),
    Section.DECISION: (2, MAX_CLOSINGS),
    Section.EARLIER: (3, MAX_CLOSINGS),
    Section.ANCHOR: (1, MAX_ANCHORS),
    Section.OPENING: (1, 1),
}


@dataclass(frozen=True)
class _Frame:
    """One frame as read: what it holds, and how many bytes it came in."""

    section: Section
    content: Sequence[Cbor]
    size: int


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
        if _read_exactly(stream, len(MAGIC)) != MAGIC:
            raise FormatError("not an opening bundle")
        self.head = _assemble(self._head_frames())

    def headers(self) -> Iterator[bytes]:
        """Prefix and header of each listed envelope, in list order; empty where the vault has none. Once only."""
        count = 0
        while (frame := self._next()).section is not Section.END:
            (framed,) = _content(frame.content, 1)
            count += 1
            if frame.section is not Section.HEADER or count > MAX_LIST:
                raise FormatError("a frame stands where it must not")
            yield require_bstr(framed, most=PREFIX_SIZE + MAX_HEADER)
        (announced,) = _content(frame.content, 1)
        if require_uint(announced) != count or self._stream.read(1):
            raise FormatError("the bundle does not end where it says")

    def _head_frames(self) -> Iterator[_Frame]:
        size = 0
        last = Section.POLICY
        while True:
            frame = self._next()
            size += frame.size
            if not last <= frame.section <= Section.OPENING or size > MAX_HEAD:
                raise FormatError("a frame stands where it must not, or the bundle is too long")
            last = frame.section
            yield frame
            if last is Section.OPENING:
                return

    def _next(self) -> _Frame:
        length = int.from_bytes(_read_exactly(self._stream, 4), "big")
        if length > MAX_FRAME:
            raise FormatError(f"a frame of {length} bytes, at most {MAX_FRAME} allowed")
        data = _read_exactly(self._stream, length)
        frame = require_array(decode(data, limit=MAX_FRAME, items=_MAX_FRAME_ITEMS), least=2, most=_MAX_FRAME_ITEMS)
        return _Frame(Section(require_uint(frame[0], least=1, most=len(Section))), frame[1:], 4 + length)


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
    """Frames of a head, by section, as they come: none is kept beyond its section's number."""

    def __init__(self, frames: Iterable[_Frame]) -> None:
        self._by_section: dict[Section, list[Sequence[Cbor]]] = {section: [] for section in _HEAD_FRAMES}
        for frame in frames:
            size, most = _HEAD_FRAMES[frame.section]
            rows = self._by_section[frame.section]
            if len(rows) == most:
                raise FormatError(f"more than {most} frames of {frame.section.name.lower()}")
            rows.append(_content(frame.content, size))

    def of(self, section: Section) -> list[Sequence[Cbor]]:
        return self._by_section[section]

    def notes(self, section: Section, kind: Kind) -> tuple[Statement, ...]:
        return tuple(parse_note(require_bstr(row[0]), kind) for row in self.of(section))

    def lists(self) -> list[EnvelopeList]:
        """The lists of all closings, bounded together."""
        lists: list[EnvelopeList] = []
        count = 0
        for row in self.of(Section.LIST):
            lists.append(EnvelopeList.decode(require_bstr(row[0])))
            count += len(lists[-1])
            if count > MAX_LIST:
                raise FormatError(f"an opening lists at most {MAX_LIST} envelopes")
        return lists

    def by_closing(self, section: Section, closings: int) -> Iterator[tuple[int, Sequence[Cbor]]]:
        """Rows that begin with the place of their closing: places never fall, so that there is one order."""
        last = 0
        for row in self.of(section):
            last = require_uint(row[0], least=last, most=closings - 1)
            yield last, row[1:]


def _assemble(frames: Iterable[_Frame]) -> BundleHead:
    gathered = _Gathered(frames)
    statements = gathered.notes(Section.CLOSING, Kind.CLOSING)
    lists = gathered.lists()
    if len(lists) != len(statements):
        raise FormatError("each closing has its list")
    tokens: list[list[BundledToken]] = [[] for _ in statements]
    for place, (token, evidence) in gathered.by_closing(Section.TOKEN, len(statements)):
        decoded = RevocationEvidence.decode(require_bstr(evidence))
        tokens[place].append(BundledToken(require_bstr(token), decoded))
    decisions: dict[int, Statement] = {}
    for place, (note,) in gathered.by_closing(Section.DECISION, len(statements)):
        if place in decisions:
            raise FormatError("a closing has two decisions")
        decisions[place] = parse_note(require_bstr(note), Kind.DECISION)
    closings = tuple(
        BundledClosing(statement, lists[place], tuple(tokens[place]), decisions.get(place))
        for place, statement in enumerate(statements)
    )
    return BundleHead(
        policies=gathered.notes(Section.POLICY, Kind.POLICY),
        closings=closings,
        opening=gathered.notes(Section.OPENING, Kind.OPENING)[0],
        earlier=tuple(_earlier(row) for row in gathered.of(Section.EARLIER)),
        anchors=tuple(require_bstr(row[0]) for row in gathered.of(Section.ANCHOR)),
    )


def _earlier(row: Sequence[Cbor]) -> EarlierBox:
    closing, opening, minutes = (require_bstr(note) for note in row)
    return EarlierBox(
        closing=parse_note(closing, Kind.CLOSING),
        opening=parse_note(opening, Kind.OPENING) if opening else None,
        minutes=parse_note(minutes, Kind.MINUTES) if minutes else None,
    )


def _content(content: Sequence[Cbor], size: int) -> Sequence[Cbor]:
    return require_array(content, size=size)


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
