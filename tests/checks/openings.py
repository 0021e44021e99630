# SPDX-License-Identifier: EUPL-1.2
"""Openings: who signed and contributed, what was keyed, what was read, and that nothing was opened twice.

Rules
  1. What was offered, the gate signed; what was released, the gate released, with the same bytes.
  2. Contributions are signed by custodians of the box, each a person of its own among those not refused; before the
     release there are k accepted ones.
  3. `keyed` and the minutes say of each listed envelope what its row says.
  4. Documents are there exactly for opened envelopes, numbered from 0, with the digests that reading them again gives.
  5. No closing has two openings under way, and none was opened twice.
"""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from crypto.ceremony import Contribution, Keyed, Minutes, Outcome
from crypto.errors import CryptoError
from crypto.manifest import Document, documents_digest
from crypto.policy import Policy, Role
from crypto.statement import Kind, parse_note, require_signers
from tests.checks.stored import Finding, Stored
from vault.envelopes import Kept
from vault.errors import VaultError
from vault.hidden import reveal
from vault.lifecycle import ContributionState, EnvelopeState
from vault.models import ContributionRow, DocumentRow, OpeningRow, OpeningState
from vault.opening import due, reading
from vault.rows import DocumentFacts

SIGNED = (OpeningState.OFFERED, OpeningState.RELEASED, OpeningState.KEYED, OpeningState.MINUTED)
RELEASED = (OpeningState.RELEASED, OpeningState.KEYED, OpeningState.MINUTED)
LIVE = (*SIGNED, OpeningState.PREPARED)
AFTER_KEYED = (EnvelopeState.KEYED, EnvelopeState.OPENED, EnvelopeState.FAILED)
OUTCOMES = {
    EnvelopeState.OPENED: Outcome.OPENED,
    EnvelopeState.FAILED: Outcome.FAILED,
    EnvelopeState.UNKEYED: Outcome.UNKEYED,
    EnvelopeState.LISTED: Outcome.UNKEYED,
}


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    for row in stored.openings:
        yield from _opening(stored, row)
        yield from _contributions(stored, row)
        if row.keyed is not None:
            yield from _keyed(stored, row, row.keyed)
        if row.minutes is not None:
            yield from _minutes(stored, row, row.minutes)
    yield from _one_at_a_time(stored)
    yield from _documents(stored)


def _opening(stored: Stored, row: OpeningRow) -> Iterator[Finding]:
    where = f"opening {row.id.hex()[:16]} is {row.state.value}"
    signed = {one.id: one for one in stored.gate.openings}
    released = {one.opening_id: one for one in stored.gate.releases}
    if row.state in SIGNED:
        there = signed.get(row.id)
        if there is None:
            yield Finding("opening-the-gate-does-not-know", where)
        elif not set(parse_note(there.note, Kind.OPENING).signatures) <= set(
            parse_note(row.note, Kind.OPENING).signatures
        ):
            yield Finding("opening-without-the-gate-s-signature", where)
    if row.state in RELEASED:
        release = released.get(row.id)
        if release is None or release.note != row.release:
            yield Finding("release-the-gate-knows-otherwise", where)
    yield from _ended(row, where)


def _ended(row: OpeningRow, where: str) -> Iterator[Finding]:
    if row.state is OpeningState.ABANDONED:
        return  # also after it was keyed: a further attempt restores lost keys (protocol 4.8)
    if (row.keyed is not None) != (row.state in {OpeningState.KEYED, OpeningState.MINUTED}):
        yield Finding("opening-and-keyed-differ", where)
    if (row.minutes is not None) != (row.state is OpeningState.MINUTED):
        yield Finding("opening-and-minutes-differ", where)


def _contributions(stored: Stored, row: OpeningRow) -> Iterator[Finding]:
    policy = _policy(stored, row)
    own = [one for one in stored.contributions if one.opening_id == row.id]
    for one in own:
        yield from _contribution(one, policy)
    persons = Counter(one.person for one in own if one.state is not ContributionState.REFUSED)
    if any(count > 1 for count in persons.values()):
        yield Finding("a-person-counts-twice", row.id.hex()[:16])
    accepted = sum(one.state is ContributionState.ACCEPTED for one in own)
    if row.state in RELEASED and accepted < _needed(stored, row, policy):
        yield Finding("released-below-quorum", f"{row.id.hex()[:16]}: {accepted} accepted")


def _contribution(one: ContributionRow, policy: Policy) -> Iterator[Finding]:
    where = f"contribution {one.id.hex()[:16]}"
    card = policy.card_of(one.kid)
    try:
        statement = parse_note(one.note, Kind.CONTRIBUTION)
        said = Contribution.of(statement)
        if card is None or card.role is not Role.CUSTODIAN:
            yield Finding("contribution-of-a-stranger", where)
            return
        require_signers(statement, [card.verifier], 1)
    except CryptoError as error:
        yield Finding("contribution-does-not-hold", f"{where}: {error}")
        return
    if (statement.id, said.opening_id, said.kid, card.person) != (one.id, one.opening_id, one.kid, one.person):
        yield Finding("contribution-and-row-differ", where)


def _needed(stored: Stored, row: OpeningRow, policy: Policy) -> int:
    boxes = [stored.boxes[stored.closings[one].box_id].number for one in due.closings(row)]
    return policy.groups[policy.box(boxes[0]).custodians].k


def _policy(stored: Stored, row: OpeningRow) -> Policy:
    return stored.policies(row.procedure_id)[-1]


def _listed(stored: Stored, row: OpeningRow) -> list[Kept | None]:
    entries = [entry for one in due.closings(row) for entry in due.entries_of(stored.closings[one])]
    return [stored.envelopes.get(UUID(bytes=entry.envelope_id)) for entry in entries]


def _keyed(stored: Stored, row: OpeningRow, note: bytes) -> Iterator[Finding]:
    said = Keyed.of(parse_note(note, Kind.KEYED))
    without = {one.index for one in said.unkeyed}
    accepted = {one.id for one in stored.contributions if one.state is ContributionState.ACCEPTED}
    if said.opening_id != row.id or not set(said.contributions) <= accepted:
        yield Finding("keyed-by-others", row.id.hex()[:16])
    for index, kept in enumerate(_listed(stored, row)):
        if kept is None or (index not in without and kept.state not in AFTER_KEYED):
            yield Finding("keyed-and-state-differ", f"{row.id.hex()[:16]}, {index}")
        elif index in without and kept.state in {EnvelopeState.KEYED, EnvelopeState.OPENED}:
            yield Finding("keyed-without-a-key", f"{row.id.hex()[:16]}, {index}")


def _minutes(stored: Stored, row: OpeningRow, note: bytes) -> Iterator[Finding]:
    said = Minutes.of(parse_note(note, Kind.MINUTES))
    keyed = parse_note(row.keyed or b"", Kind.KEYED) if row.keyed else None
    if said.opening_id != row.id or keyed is None or said.keyed_id != keyed.id:
        yield Finding("minutes-of-another-opening", row.id.hex()[:16])
    listed = _listed(stored, row)
    if [one.index for one in said.envelopes] != list(range(len(listed))):
        yield Finding("minutes-of-another-list", row.id.hex()[:16])
        return
    for one, kept in zip(said.envelopes, listed, strict=True):
        if kept is None or OUTCOMES.get(kept.state) is not one.outcome:
            yield Finding("minutes-and-state-differ", f"{row.id.hex()[:16]}, {one.index}")
        elif one.outcome is Outcome.OPENED and one.documents_hash != documents_digest(_as_listed(stored, kept)):
            yield Finding("minutes-and-documents-differ", f"{row.id.hex()[:16]}, {one.index}")


def _one_at_a_time(stored: Stored) -> Iterator[Finding]:
    over = Counter(closing for row in stored.openings if row.state in LIVE for closing in due.closings(row))
    for closing, count in over.items():
        if count > 1:
            yield Finding("two-openings-of-one-closing", closing.hex()[:16])
    attempts = Counter((row.procedure_id, due.closings(row), row.attempt) for row in stored.openings)
    if any(count > 1 for count in attempts.values()):
        yield Finding("one-attempt-twice", str(attempts))


def _documents(stored: Stored) -> Iterator[Finding]:
    for kept in stored.envelopes.values():
        rows = _rows(stored, kept)
        if kept.state is not EnvelopeState.OPENED:
            if rows:
                yield Finding("documents-of-what-is-not-opened", str(kept.id))
            continue
        if [row.number for row in rows] != list(range(len(rows))) or not rows:
            yield Finding("documents-numbered-otherwise", str(kept.id))
        yield from _read_again(stored, kept, rows)


def _read_again(stored: Stored, kept: Kept, rows: list[DocumentRow]) -> Iterator[Finding]:
    try:
        checked = reading.open_reader(stored.works, kept.facts).check(kept.facts.bidder)
    except (CryptoError, VaultError) as error:
        yield Finding("opened-cannot-be-read", f"{kept.id}: {error}")
        return
    found = [(one.path, one.size, one.sha256, one.sha512) for one in checked]
    facts = [_facts(stored, kept, row) for row in rows]
    if found != [(one.path, one.size, one.sha256, one.sha512) for one in facts]:
        yield Finding("documents-are-not-what-was-sealed", str(kept.id))


def _rows(stored: Stored, kept: Kept) -> list[DocumentRow]:
    return sorted((one for one in stored.documents if one.envelope_id == kept.id), key=lambda one: one.number)


def _facts(stored: Stored, kept: Kept, row: DocumentRow) -> DocumentFacts:
    key = stored.works.keys.facts(kept.facts.procedure)
    return DocumentFacts.decode(reveal(key, row.facts, table=reading.TABLE, row_id=row.id, state=row.state))


def _as_listed(stored: Stored, kept: Kept) -> list[Document]:
    facts = [_facts(stored, kept, row) for row in _rows(stored, kept)]
    return [Document(one.path, one.size, one.sha256) for one in facts]
