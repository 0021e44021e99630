# SPDX-License-Identifier: EUPL-1.2
"""The store: every object that a row relies on is there, is the same, and is locked as long as promised.

Rules
  1. An envelope's version has the row's size; its outer layer opens, and H(file) and HH are those of its record.
  2. It is locked at least until 90 days after the deadline of the policy it was received under.
  3. Accepted closings with their lists, offered openings and policies in force are texts in the store; texts, tiles,
     heads and prints are locked for a year at least.
  4. No object of an envelope lies there without an attempt that names it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from crypto.deposit import DepositRecord
from crypto.encoding import from_millis
from crypto.statement import Kind, Statement, parse_note
from tests.checks.stored import Finding, Stored
from vault import shelf
from vault.envelopes import Kept
from vault.errors import VaultError
from vault.lifecycle import EnvelopeState
from vault.models import OpeningState
from vault.store.locks import envelope_lock
from vault.store.names import CHECKPOINTS, OBJECTS, PRINTS, TEXTS, TILES, object_name, text_name

EVIDENCE_YEAR = timedelta(days=365)
NOT_OFFERED = (OpeningState.PREPARED,)


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    for kept in stored.envelopes.values():
        yield from _envelope(stored, kept)
    yield from _evidence(stored)
    yield from _texts(stored)
    yield from _prints(stored)
    yield from _unnamed(stored)


def _envelope(stored: Stored, kept: Kept) -> Iterator[Finding]:
    works, facts, record = stored.works, kept.facts, DepositRecord.decode(kept.facts.record)
    name = object_name(facts.object_id.bytes)
    try:
        found = works.store.head(name, facts.version_id)
    except VaultError as error:
        yield Finding("object-missing", f"{kept.id}: {type(error).__name__}")
        return
    if found.size != facts.length:
        yield Finding("object-of-another-size", str(kept.id))
    least = _promised(stored, kept, record)
    if least is not None and (found.lock_until is None or found.lock_until < least):
        yield Finding("lock-too-short", f"{kept.id}: until {found.lock_until}, promised {least}")
    is_known = kept.state is EnvelopeState.FAILED or _is_known_rotten(stored, kept)
    if not is_known and not shelf.is_intact(works, facts):
        yield Finding("object-rotten", str(kept.id))
    elif not is_known and sha256(shelf.read_header(works, facts)).digest() != record.header_hash:
        yield Finding("header-of-another-envelope", str(kept.id))


def _promised(stored: Stored, kept: Kept, record: DepositRecord) -> datetime | None:
    policy = next((one for one in stored.policies(kept.facts.procedure) if one.hash == record.policy_hash), None)
    if policy is None:
        return None
    tried = [one.facts.t_first for one in stored.by_object.get(kept.facts.object_id, ())]
    begun = from_millis(min(tried)) if tried else record.first_byte_at
    return envelope_lock(policy.box(record.box).deadline, begun)


def _is_known_rotten(stored: Stored, kept: Kept) -> bool:
    """Whether an opening under way has found it rotten: its state follows with `keyed`."""
    return kept.row.list_index is not None and any(row.rotten for row in stored.openings)


def _evidence(stored: Stored) -> Iterator[Finding]:
    store = stored.works.store
    for name, versions in stored.objects.items():
        if not name.startswith((CHECKPOINTS, TILES, TEXTS, PRINTS)):
            continue
        for version in versions:
            if version.is_marker:
                yield Finding("marker-over-evidence", name)
                continue
            lock = store.head(name, version.version_id).lock_until
            if lock is None or lock < version.stored_at + EVIDENCE_YEAR:
                yield Finding("lock-too-short", f"{name}: until {lock}")


def _texts(stored: Stored) -> Iterator[Finding]:
    for what, text in _wanted_texts(stored):
        name = text_name(sha256(text).digest())
        versions = stored.objects.get(name, ())
        if not versions:
            yield Finding("text-not-in-the-store", what)
        elif stored.works.store.get_range(name, versions[0].version_id, offset=0, size=len(text) + 1) != text:
            yield Finding("text-of-another-statement", what)


def _wanted_texts(stored: Stored) -> Iterator[tuple[str, bytes]]:
    for closing in stored.closings.values():
        if closing.is_accepted:
            yield f"closing {closing.id.hex()[:16]}", Statement(Kind.CLOSING, closing.payload).text.encode()
            yield f"list of {closing.id.hex()[:16]}", closing.list
    for opening in stored.openings:
        if opening.note:
            yield f"opening {opening.id.hex()[:16]}", parse_note(opening.note, Kind.OPENING).text.encode()
    for row in stored.policy_rows:
        if row in stored.policy_rows and row.state.value in {"in_force", "replaced"}:
            yield f"policy {row.policy_hash.hex()[:16]}", row.note


def _prints(stored: Stored) -> Iterator[Finding]:
    for row in stored.prints:
        sizes = [one.size for one in stored.objects.get(row.key, ()) if one.version_id == row.version_id]
        if sizes != [row.size]:
            yield Finding("print-missing", f"{row.statement_id.hex()[:16]} {row.language}")


def _unnamed(stored: Stored) -> Iterator[Finding]:
    named = {object_name(one.facts.object_id.bytes) for one in stored.attempts}
    named |= {object_name(kept.facts.object_id.bytes) for kept in stored.envelopes.values()}
    for name in stored.objects:
        if name.startswith(OBJECTS) and name not in named:
            yield Finding("object-that-nobody-began", name)
