# SPDX-License-Identifier: EUPL-1.2
"""What several prints have in common: procedure and box, secrecy, tokens, how to check, attached files.

Left to others: the prints themselves (receipts, closings, minutes), the page (page), the phrases (words).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crypto.deposit import Service
from crypto.errors import PolicyError
from crypto.manifest import Document
from crypto.policy import Policy
from crypto.policy_parts import Box, Role
from crypto.receipt_evidence import require_chain
from crypto.statement import Kind, Statement, require_signers
from crypto.timestamp import VerifiedTimestamp
from vault.prints.glyphs import displayable
from vault.prints.page import Attachment, Banner, Column, Facts, Heading, Listing, Page, Part, Value, Words, set_page
from vault.prints.phrases import Phrases
from vault.prints.words import Language, clock, fill, moment, moment_value, number, phrases, utc

NOTE_TYPE = "text/plain"
BINARY_TYPE = "application/octet-stream"
STATEMENT_FILE = "statement.note"  # the name by which `bidvault verify` finds what a print stands for
COMMON_LOT = "all"  # what is common to all lots
MAX_ROWS = 2000  # of one listing; beyond it a print is no longer for reading, and the attached file has all
COMMAND = "bidvault verify {kind}.pdf --trust {trust}/"


def in_force_for(statement: Statement, policies: Sequence[bytes], policy_hash: bytes) -> Policy:
    """The policy that a statement names, in force, the statement signed by its vault.

    Raises:
        PolicyError: the chain lacks it; SignatureError: not signed by the vault.
    """
    policy = next((one for one in require_chain(policies) if one.hash == policy_hash), None)
    if policy is None:
        raise PolicyError("the policy that the statement names is not among those given")
    require_signers(statement, [policy.vault_verifier], 1)
    return policy


def box_name(box: Box, words: Phrases) -> str:
    """A box for people: its lot and part."""
    phrase = words.common_lot if box.lot == COMMON_LOT else words.lot
    return fill(phrase, lot=box.lot, part=words.parts[box.part - 1])


def consultation(policy: Policy, boxes: Sequence[Box], words: Phrases) -> tuple[Value, ...]:
    """Reference, title and boxes of a procedure."""
    named = tuple(Value(box_name(box, words)) for box in boxes)
    return (Value(policy.title, "strong"), Value(policy.reference), *named)


def buyer(policy: Policy) -> tuple[Value, ...]:
    """Who buys."""
    return (Value(policy.buyer, "strong", note=f"SIRET {_siret(policy.siret)}"),)


def depositor(bidder: str) -> tuple[Value, ...]:
    """Who deposited, as the platform said it."""
    kind, _, rest = bidder.partition(":")
    if kind == "siret" and rest.isdigit():
        return (Value(f"SIRET {_siret(rest)}", "strong", note=bidder),)
    return (Value(bidder, "strong"),)


def documents_listing(documents: Sequence[Document], words: Phrases) -> tuple[Part, ...]:
    """Every document with size and digest."""
    columns = (
        Column(words.number, width=10, right=True),
        Column(words.document),
        Column(words.size, width=27, right=True),
        Column(words.digest, width=51),
    )
    rows = tuple(
        (
            Value(number(place), "number"),
            Value(one.path, "path"),
            Value(number(one.size), "number"),
            Value(one.sha256.hex(), "digest"),
        )
        for place, one in enumerate(documents[:MAX_ROWS], start=1)
    )
    unshown = any(displayable(one.path) != one.path for one in documents)
    notes = [Words(words.unshown, "small")] if unshown else []
    return (Listing(columns, rows), *rest_note(len(documents), words), *notes)


def rest_note(count: int, words: Phrases) -> tuple[Part, ...]:
    """What a listing says of the rows that it leaves out."""
    return (Words(fill(words.rest, count=number(count - MAX_ROWS)), "small"),) if count > MAX_ROWS else ()


def tokens_part(tokens: Sequence[VerifiedTimestamp], words: Phrases) -> tuple[Part, ...]:
    """The time tokens and what they leave open."""
    if not tokens:
        return ()
    columns = (
        Column(words.authority),
        Column(words.certified, width=40),
        Column(words.interval, width=46),
        Column(words.root, width=37),
    )
    rows = tuple(
        (
            Value(one.authority),
            Value(utc(one.at), "number"),
            Value(f"{clock(one.earliest)} – {clock(one.latest)}", "number"),
            Value(one.anchor_hash.hex()[:16], "id"),
        )
        for one in tokens
    )
    return (Heading(words.tokens), Words(fill(words.tokens_note), "small"), Listing(columns, rows))


def secrecy_part(policy: Policy, box: Box, *, level: int, since: datetime, words: Phrases) -> tuple[Part, ...]:
    """What is promised about who can read, in the words of the protocol."""
    custodians = next(group for group in policy.groups_of(box) if group.role is Role.CUSTODIAN)
    sentence = fill(
        words.level_words[min(level, 1)],
        committed=moment(since, policy.zone, words),
        not_before=moment(box.not_before, policy.zone, words),
        k=custodians.k,
        n=len(custodians.cards),
    )
    single = (Words(fill(words.one_custodian)),) if custodians.k == 1 and level > 0 else ()
    return (
        Heading(f"{words.secrecy} – {fill(words.secrecy_level, level=f'S{level}' if level else '0')}"),
        Words(sentence),
        *single,
    )


def test_banner(level: int, words: Phrases) -> tuple[Part, ...]:
    """The warning of level 0, first of all."""
    return (Banner("bad", words.test_only[0], fill(words.test_only[1])),) if level == 0 else ()


def proved_part(sentences: Sequence[str], words: Phrases) -> tuple[Part, ...]:
    """What is proved, sentence by sentence."""
    return (Heading(words.proved), *(Words(sentence) for sentence in (*sentences, fill(words.proved_seal))))


def attested(phrase: str, policy: Policy, service: str) -> str:
    """Who attests, with which key."""
    return fill(phrase, service=service, key=policy.vault_verifier.name)


def certified(tokens: Sequence[VerifiedTimestamp], words: Phrases) -> tuple[str, ...]:
    """Which authorities say the time."""
    names = ", ".join(dict.fromkeys(one.authority for one in tokens))
    return (fill(words.proved_time, authorities=names),) if names else ()


def check_part(kind: Kind, attachments: Sequence[Attachment], words: Phrases) -> tuple[Part, ...]:
    """How to check the print, and what it carries."""
    command = COMMAND.format(kind=kind.value, trust=words.trust)
    columns = (Column(words.file, width=42), Column(words.content), Column(words.size, width=27, right=True))
    rows = tuple(
        (Value(one.name, "code"), Value(one.description), Value(number(len(one.data)), "number")) for one in attachments
    )
    return (
        Heading(words.check),
        Words(fill(words.check_text)),
        Words(command, "command"),
        Words(fill(words.check_steps), "small"),
        Heading(words.attached, level=3),
        Listing(columns, rows),
    )


def service_part(service: Service, words: Phrases) -> tuple[Part, ...]:
    """Whom to turn to (CRPA R112-11-1)."""
    line = fill(words.service_text, name=service.name, address=service.address, telephone=service.telephone)
    return (Heading(words.service), Words(line))


def statement_file(statement: Statement, words: Phrases) -> Attachment:
    """The signed statement that a print stands for."""
    return Attachment(STATEMENT_FILE, NOTE_TYPE, statement.note, words.file_statement, relationship="source")


def policy_files(policies: Sequence[bytes], words: Phrases) -> tuple[Attachment, ...]:
    """The policies from epoch 0 on."""
    return tuple(
        Attachment(f"policy-{epoch}.note", NOTE_TYPE, note, fill(words.file_policy, epoch=epoch))
        for epoch, note in enumerate(policies)
    )


@dataclass(frozen=True)
class Sheet:
    """What a print is about: a statement under its policy, in a language."""

    statement: Statement
    policy: Policy
    language: Language

    @property
    def words(self) -> Phrases:
        """The phrases of its language."""
        return phrases(self.language)

    def moment(self, at: datetime, *, kind: str = "text") -> tuple[Value, ...]:
        """A moment as the procedure reckons it, and in UTC."""
        return (moment_value(at, self.policy.zone, self.words, kind=kind),)

    def set(self, title: str, *, at: datetime, parts: Sequence[Part], attachments: Sequence[Attachment]) -> bytes:
        """The whole print as PDF; it ends with how to check it."""
        words = self.words
        page = Page(
            language=self.language.value,
            title=title,
            subject=f"{self.policy.reference} – {self.policy.title}",
            author=self.policy.vault_verifier.name,
            at=at,
            header=(self.policy.buyer, self.policy.reference),
            footer=words.statement,
            footer_code=self.statement.id.hex()[:32],
            page_word=words.page,
            parts=(*parts, *check_part(self.statement.kind, attachments, words)),
            attachments=tuple(attachments),
        )
        return set_page(page)


def envelope_name(envelope_id: bytes) -> str:
    """An envelope's id as people write UUIDs."""
    return str(uuid.UUID(bytes=envelope_id))


def identifiers(rows: Sequence[tuple[str, Value]], words: Phrases) -> tuple[Part, ...]:
    """Labels and digests."""
    return (Heading(words.identifiers), Facts(tuple((label, (value,)) for label, value in rows)))


def _siret(digits: str) -> str:
    return " ".join((digits[:3], digits[3:6], digits[6:9], digits[9:]))
