# SPDX-License-Identifier: EUPL-1.2
"""Putting a policy in force: kept as a locked object, stored and signed by the gate, signed by the vault.

Rules
  1. The text is a locked, durable object before the gate sees it, and again with all signatures (protocol §5).
  2. The gate stores an epoch before anyone else relies on it; a refusal of the gate is journaled.

Left to others: when a policy may be put in force (publication, amendment).
"""

from contextlib import suppress

from crypto.encoding import sha256
from crypto.errors import CryptoError
from crypto.policy import Policy, require_in_force
from crypto.statement import Kind, Statement, parse_note
from vault import journal
from vault.errors import StoreConflict
from vault.gate import answers
from vault.models import PolicyRow, Procedure
from vault.procedures import access
from vault.store.locks import kept_lock
from vault.store.names import text_name
from vault.work import Works


def stored_note(row: PolicyRow) -> Statement:
    """A policy's statement with the signatures gathered so far."""
    unsigned = Policy.decode(row.payload).statement
    return unsigned if row.note == unsigned.note else parse_note(row.note, Kind.POLICY)


def put_in_force(works: Works, procedure: Procedure, statement: Statement) -> Statement:
    """The statement with the gate's and the vault's signatures; repeated, it gives the same.

    Raises:
        CryptoError: the gate refuses; journaled.
        GateUnsound: its answer does not hold; nothing is in force.
    """
    keep_text(works, statement.note)
    try:
        accepted = works.gate.accept_policy(statement.note)
    except CryptoError as error:
        journal.refuse_by_gate(works, error, place=access.place_of(procedure), subject=statement.id)
        raise
    answers.require_signature(statement, accepted, Policy.of(statement))
    signed = statement.with_signatures(accepted.signatures).signed_by(works.service_keys.statement)
    require_in_force(signed)
    keep_text(works, signed.note)
    return signed


def keep_text(works: Works, text: bytes) -> None:
    """Keep a text as a locked object under its digest, durably; what lies there already is the same text."""
    with suppress(StoreConflict):
        works.store.put(text_name(sha256(text)), text, lock_until=kept_lock(works.clock.now()))
    works.store.durable()
