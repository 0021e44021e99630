# SPDX-License-Identifier: EUPL-1.2
"""The print of a box's closing: the list of its envelopes as it was fixed (protocol 3.7).

Rules
  1. Envelopes are named by their ids: before the opening nobody's name is shown.
  2. The list is the one whose root was signed; another is not printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.certificates import RevocationEvidence
from crypto.closings import Closing, EnvelopeList
from crypto.errors import ListError, TimestampError
from crypto.statement import Statement
from crypto.timestamp import VerifiedTimestamp
from vault.prints.page import Attachment, Banner, Column, Facts, Heading, Listing, Part, Value, Words
from vault.prints.parts import (
    BINARY_TYPE,
    MAX_ROWS,
    Sheet,
    attested,
    box_name,
    buyer,
    certified,
    consultation,
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
class ClosedBox:
    """A closing with its list and its time tokens.

    Attributes:
        closing: the signed closing.
        entries: its list; checked against the closing's root when printed.
        tokens: verified tokens over the closing's id.
        revocation: for each token, what was received beside it.
    """

    closing: Statement
    entries: EnvelopeList
    tokens: tuple[VerifiedTimestamp, ...]
    revocation: tuple[RevocationEvidence, ...]

    def said(self) -> Closing:
        """What the closing says.

        Raises:
            ListError: the list is not the one closed.
            TimestampError: a token is over something else.
        """
        closing = Closing.of(self.closing)
        if closing.root != self.entries.root or closing.count != len(self.entries):
            raise ListError("the list is not the one that was closed")
        if any(token.imprint != self.closing.id for token in self.tokens):
            raise TimestampError("a token is not over this closing")
        return closing


def print_closing(closed: ClosedBox, policies: Sequence[bytes], *, language: Language) -> bytes:
    """The PDF of a closing list, not sealed yet.

    Args:
        closed: closing, list, tokens.
        policies: policy notes, epoch 0 first, the one the closing names last; attached.
        language: of the print.

    Raises:
        ListError: the list is not the one closed.
        SignatureError, PolicyError: the closing is not the vault's, or not under this policy.
    """
    closing = closed.said()
    policy = in_force_for(closed.closing, policies, closing.policy_hash)
    sheet = Sheet(closed.closing, policy, language)
    words = sheet.words
    parts = (
        Banner("plain", words.closed[0], fill(words.closed[1])),
        *_facts(sheet, closing),
        Heading(words.entries),
        *_listing(closed.entries, words),
        *tokens_part(closed.tokens, words),
        *proved_part(
            (attested(words.proved_closing, policy, words.vault), *certified(closed.tokens, words)),
            words,
        ),
        *_identifiers(sheet, closing),
    )
    title = words.closing if closing.decision is None else words.supplementary
    attachments = (statement_file(closed.closing, words), *closed_files(closed, words), *policy_files(policies, words))
    return sheet.set(title, at=closing.at, parts=parts, attachments=attachments)


def closed_files(closed: ClosedBox, words: Phrases, *, place: int | None = None) -> tuple[Attachment, ...]:
    """List, tokens and revocation data of a closing; numbered where a print carries several."""
    mark = "" if place is None else f"-{place}"
    stamped = zip(closed.tokens, closed.revocation, strict=True)
    return (
        Attachment(f"list{mark}.cbor", BINARY_TYPE, closed.entries.encode(), words.file_list),
        *(
            one
            for index, (token, beside) in enumerate(stamped, start=1)
            for one in (
                Attachment(f"token{mark}-{index}.der", BINARY_TYPE, token.token, words.file_stamp),
                Attachment(f"token{mark}-{index}.evidence", BINARY_TYPE, beside.encode(), words.file_revocation),
            )
        ),
    )


def _facts(sheet: Sheet, closing: Closing) -> tuple[Part, ...]:
    words, box = sheet.words, sheet.policy.box(closing.box)
    return (
        Heading(words.mentions),
        Facts(
            (
                (words.buyer_plain, buyer(sheet.policy)),
                (words.consultation_plain, consultation(sheet.policy, [], words)),
                (words.box, (Value(box_name(box, words)),)),
                (words.deadline, sheet.moment(closing.deadline)),
                (words.closed_at, sheet.moment(closing.at, kind="strong")),
                (words.count, (Value(number(closing.count), "strong"),)),
            )
        ),
    )


def _listing(entries: EnvelopeList, words: Phrases) -> tuple[Part, ...]:
    if not entries:
        return (Words(words.none),)
    columns = (
        Column(words.number, width=10, right=True),
        Column(words.envelope_id, width=58),
        Column(words.sealed_file),
        Column(words.size, width=27, right=True),
    )
    rows = tuple(
        (
            Value(number(place), "number"),
            Value(envelope_name(entry.envelope_id), "id"),
            Value(entry.file_hash.hex(), "digest"),
            Value(number(entry.length), "number"),
        )
        for place, entry in enumerate(entries.entries[:MAX_ROWS], start=1)
    )
    return (Listing(columns, rows), *rest_note(len(entries), words))


def _identifiers(sheet: Sheet, closing: Closing) -> tuple[Part, ...]:
    words = sheet.words
    rows = [
        (words.statement, Value(sheet.statement.id.hex(), "code")),
        (words.root_of_list, Value(closing.root.hex(), "code")),
        (words.policy_in_force, Value(closing.policy_hash.hex(), "code")),
        (words.signed_by, Value(sheet.policy.vault_verifier.vkey, "code")),
    ]
    if closing.decision is not None:
        rows.append((words.decision, Value(closing.decision.hex(), "code")))
    return identifiers(rows, words)
