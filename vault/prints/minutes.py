# SPDX-License-Identifier: EUPL-1.2
"""The print of an opening's minutes (protocol 3.8).

Rules
  1. Every listed envelope has its line: opened, failed, not opened, or left sealed by the buyer.
  2. Names of documents are those of which the minutes hold the digest; others are not printed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crypto.ceremony import MinutedEnvelope, Minutes, Opening, Outcome
from crypto.closings import Closing, ListEntry
from crypto.errors import ListError, ManifestError, OpeningError
from crypto.manifest import Document, documents_digest
from crypto.policy_parts import Box, Role
from crypto.statement import Statement
from vault.prints.closings import ClosedBox, closed_files
from vault.prints.page import Attachment, Banner, Column, Facts, Heading, Listing, Part, Value, Words
from vault.prints.parts import (
    MAX_ROWS,
    NOTE_TYPE,
    Sheet,
    attested,
    box_name,
    buyer,
    consultation,
    documents_listing,
    envelope_name,
    identifiers,
    in_force_for,
    policy_files,
    proved_part,
    rest_note,
    statement_file,
    tokens_part,
)
from vault.prints.phrases import Phrases
from vault.prints.words import Language, fill, number


@dataclass(frozen=True)
class OpenedEnvelope:
    """What was found in one opened envelope: its place in the opening's lists, its bidder, its documents."""

    index: int
    bidder: str
    documents: tuple[Document, ...]


@dataclass(frozen=True)
class MinutedOpening:
    """An opening as its minutes tell it.

    Attributes:
        minutes: the signed minutes.
        opening: the signed opening they are of.
        closings: the closings it opened, in its order.
        opened: what was found, for each envelope minuted as opened; checked against the minutes.
    """

    minutes: Statement
    opening: Statement
    closings: tuple[ClosedBox, ...]
    opened: tuple[OpenedEnvelope, ...]


@dataclass(frozen=True)
class _Session:
    """The parts of an opening, found to belong together."""

    minutes: Minutes
    opening: Opening
    closings: tuple[Closing, ...]
    entries: tuple[tuple[int, ListEntry], ...]  # the box of each listed envelope
    found: Mapping[int, OpenedEnvelope]


def print_minutes(minuted: MinutedOpening, policies: Sequence[bytes], *, language: Language) -> bytes:
    """The PDF of an opening's minutes, not sealed yet.

    Raises:
        OpeningError, ListError, ManifestError: the parts do not belong together.
        SignatureError, PolicyError: the minutes are not the vault's, or not under this policy.
    """
    session = _session(minuted)
    policy = in_force_for(minuted.minutes, policies, session.opening.policy_hash)
    sheet = Sheet(minuted.minutes, policy, language)
    words = sheet.words
    tokens = [token for closed in minuted.closings for token in closed.tokens]
    parts = (
        _banner(session, words),
        *_facts(sheet, session),
        *_contributors(sheet, session),
        *_envelopes(sheet, session),
        *tokens_part(tokens, words),
        *proved_part((attested(words.proved_minutes, policy, words.vault),), words),
        *_identifiers(sheet, session),
        *_documents(session, words),
    )
    attachments = (
        statement_file(minuted.minutes, words),
        Attachment("opening.note", NOTE_TYPE, minuted.opening.note, words.file_opening),
        *_closing_files(minuted, words),
        *policy_files(policies, words),
    )
    return sheet.set(words.minutes, at=session.minutes.ended, parts=parts, attachments=attachments)


def _session(minuted: MinutedOpening) -> _Session:
    """Check that minutes, opening, closings and documents belong together."""
    minutes, opening = Minutes.of(minuted.minutes), Opening.of(minuted.opening)
    if minutes.opening_id != minuted.opening.id:
        raise OpeningError("the minutes are of another opening")
    if opening.closings != tuple(closed.closing.id for closed in minuted.closings):
        raise ListError("the closings are not those of the opening")
    closings = tuple(closed.said() for closed in minuted.closings)
    entries = tuple(
        (closing.box, entry)
        for closing, closed in zip(closings, minuted.closings, strict=True)
        for entry in closed.entries.entries
    )
    found = {one.index: one for one in minuted.opened}
    for said in minutes.envelopes:
        if said.index >= len(entries):
            raise ListError("the minutes name an envelope that no list holds")
        one = found.get(said.index)
        if (said.outcome is Outcome.OPENED) != (one is not None):
            raise ManifestError("the documents are not those of the opened envelopes")
        if one is not None and documents_digest(one.documents) != said.documents_hash:
            raise ManifestError("documents are not those that the minutes hold the digest of")
    return _Session(minutes, opening, closings, entries, found)


def _banner(session: _Session, words: Phrases) -> Banner:
    failed = sum(said.outcome is not Outcome.OPENED for said in session.minutes.envelopes)
    if failed:
        return Banner("warn", words.opened_partly[0], fill(words.opened_partly[1], count=number(failed)))
    return Banner("good", words.opened[0], fill(words.opened[1]))


def _facts(sheet: Sheet, session: _Session) -> tuple[Part, ...]:
    words, minutes = sheet.words, session.minutes
    boxes = tuple(Value(box_name(box, words)) for box in _boxes(sheet, session))
    return (
        Heading(words.opening),
        Facts(
            (
                (words.buyer_plain, buyer(sheet.policy)),
                (words.consultation_plain, consultation(sheet.policy, [], words)),
                (words.boxes, boxes),
                (words.began_at, sheet.moment(minutes.began, kind="strong")),
                (words.ended_at, sheet.moment(minutes.ended, kind="strong")),
                (words.count, (Value(number(len(session.entries))),)),
            )
        ),
    )


def _boxes(sheet: Sheet, session: _Session) -> tuple[Box, ...]:
    return tuple(sheet.policy.box(number_) for number_ in dict.fromkeys(one.box for one in session.closings))


def _contributors(sheet: Sheet, session: _Session) -> tuple[Part, ...]:
    words, people = sheet.words, session.minutes.contributors
    group = next(one for one in sheet.policy.groups_of(_boxes(sheet, session)[0]) if one.role is Role.CUSTODIAN)
    cards = {card.person: card for card in group.cards}
    needed = fill(words.custodians_needed, k=group.k, n=len(group.cards), have=len(people))
    rows = tuple(
        (
            Value(cards[person].name if person in cards else words.unknown_person),
            Value(cards[person].organisation if person in cards else ""),
            Value(cards[person].kid.hex() if person in cards else person.hex(), "digest"),
        )
        for person in people
    )
    columns = (Column(words.person), Column(words.organisation), Column(words.key, width=51))
    return (Heading(words.custodians), Words(needed), Listing(columns, rows))


def _envelopes(sheet: Sheet, session: _Session) -> tuple[Part, ...]:
    words = sheet.words
    if not session.entries:
        return (Heading(words.envelopes), Words(words.none))
    said = {one.index: one for one in session.minutes.envelopes}
    columns = (
        Column(words.number, width=10, right=True),
        Column(words.bidder),
        Column(words.envelope_id, width=58),
        Column(words.outcome, width=44),
    )
    rows = tuple(
        _line(session, index, said.get(index), box=sheet.policy.box(session.entries[index][0]), words=words)
        for index in range(min(len(session.entries), MAX_ROWS))
    )
    return (Heading(words.envelopes), Listing(columns, rows), *rest_note(len(session.entries), words))


def _line(
    session: _Session, index: int, said: MinutedEnvelope | None, *, box: Box, words: Phrases
) -> tuple[Value, ...]:
    found, entry = session.found.get(index), session.entries[index][1]
    outcome = words.left_out if said is None else words.outcomes[said.outcome - 1]
    note = fill(words.reason_line, reason=said.reason) if said is not None and said.reason else ""
    if found is not None:
        total = number(sum(document.size for document in found.documents))
        note = fill(words.found_line, count=number(len(found.documents)), total=total)
    return (
        Value(number(index + 1), "number"),
        Value(found.bidder if found else words.not_read, note=box_name(box, words)),
        Value(envelope_name(entry.envelope_id), "id"),
        Value(outcome, note=note),
    )


def _documents(session: _Session, words: Phrases) -> tuple[Part, ...]:
    """The documents of each opened envelope."""
    parts: list[Part] = [Heading(words.read_documents)] if session.found else []
    for index, found in sorted(session.found.items()):
        parts.append(Heading(f"{number(index + 1)} – {found.bidder}", level=3))
        parts.extend(documents_listing(found.documents, words))
    return tuple(parts)


def _identifiers(sheet: Sheet, session: _Session) -> tuple[Part, ...]:
    words = sheet.words
    rows = [
        (words.statement, Value(sheet.statement.id.hex(), "code")),
        (words.opening, Value(session.minutes.opening_id.hex(), "code", note=_attempt(session, words))),
        (words.keyed, Value(session.minutes.keyed_id.hex(), "code")),
        *((words.closed_at, Value(one.hex(), "code")) for one in session.opening.closings[:MAX_ROWS]),
        (words.policy_in_force, Value(session.opening.policy_hash.hex(), "code")),
        (words.signed_by, Value(sheet.policy.vault_verifier.vkey, "code")),
    ]
    return identifiers(rows, words)


def _attempt(session: _Session, words: Phrases) -> str:
    return fill(words.attempt, attempt=session.opening.attempt)


def _closing_files(minuted: MinutedOpening, words: Phrases) -> tuple[Attachment, ...]:
    return tuple(
        one
        for place, closed in enumerate(minuted.closings, start=1)
        for one in (
            Attachment(f"closing-{place}.note", NOTE_TYPE, closed.closing.note, words.file_closing),
            *closed_files(closed, words, place=place),
        )
    )
