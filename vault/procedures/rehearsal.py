# SPDX-License-Identifier: EUPL-1.2
"""Rehearsing and signing: each custodian proves its key and signs the policy (protocol 4.1).

Rules
  1. A rehearsal counts when its holder signed it, its share is the dealt one, and the caller is the card's person.
  2. A signature counts under the same person's card, over exactly the policy in preparation.
  3. The same act again changes nothing; a drill under a policy in force is journaled like a rehearsal.

Left to others: opening slots and pinning (the custodian's tool), what follows (publication, amendment).
"""

from contextlib import suppress
from uuid import UUID

from crypto.errors import CryptoError, PersonError, PolicyError, SignatureError
from crypto.events import EventKind
from crypto.policy import Card, Policy
from crypto.statement import Kind, parse_note, require_signers
from vault import jobs, journal
from vault.errors import NotReady, WrongState
from vault.models import HolderAct, PolicyState
from vault.procedures import access
from vault.procedures.access import Caller
from vault.procedures.amendment import enact
from vault.procedures.canaries import require_rehearsal
from vault.procedures.enforcement import stored_note
from vault.work import Work, Works

ENACT = "enact_amendment"  # the job that goes on where an amendment was broken off


def rehearse(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int, note: bytes) -> int:
    """Take one custodian's rehearsal; give the number of the canary it opened.

    Raises:
        NotFound: no such policy for this caller.
        CryptoError: the rehearsal does not hold; the refusal is journaled.
    """
    procedure = access.require_custodian(works, procedure_id, caller)
    try:
        return _take_rehearsal(works, caller, procedure_id, epoch=epoch, note=note)
    except CryptoError as error:
        raise access.refused(works, procedure, caller, error) from None


def sign(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int, note: bytes) -> Policy:
    """Take one custodian's signature on the policy in preparation; the same again changes nothing.

    An amendment comes into force with the last signature needed.

    Raises:
        NotFound: no such policy for this caller.
        WrongState: this policy is not, or no longer, in preparation.
        CryptoError: another policy, another's or no signature; the refusal is journaled.
    """
    procedure = access.require_custodian(works, procedure_id, caller)
    try:
        policy = _take_signature(works, caller, procedure_id, epoch=epoch, note=note)
    except CryptoError as error:
        raise access.refused(works, procedure, caller, error) from None
    if epoch:
        with suppress(NotReady):  # others have to sign too
            enact(works, procedure_id)
    return policy


def _take_rehearsal(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int, note: bytes) -> int:
    statement = parse_note(note, Kind.REHEARSAL)
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        row, policy = access.policy_row(work, procedure_id, epoch)
        files = {canary.number: canary.file for canary in access.canaries(work, row.policy_hash)}
        card, number = require_rehearsal(statement, policy, files)
        act = _act_of(work, policy, card, caller)
        if note not in act.rehearsals:
            act.rehearsals = [*act.rehearsals, note]
            place = access.place_of(procedure)
            event = journal.event(
                EventKind.CUSTODIAN_REHEARSED, at=work.now, place=place, subject=statement.id, data=card.kid
            )
            journal.append(works, work, event, place=place)
    return number


def _take_signature(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int, note: bytes) -> Policy:
    given = parse_note(note, Kind.POLICY)
    with works.open() as work:
        access.lock_procedure(work, procedure_id, caller)
        row, policy = access.policy_row(work, procedure_id, epoch)
        if given.payload != row.payload:
            raise PolicyError("the signature is on another policy")
        own = access.cards_of(policy, caller)
        names = require_signers(given, [card.verifier for card in own], 1)
        known = set(stored_note(row).signatures)
        new = [line for line in given.signatures if line.name in names and line not in known]
        if not new:
            return policy
        if row.state is not PolicyState.PREPARING:
            raise WrongState(row.state, PolicyState.PREPARING)
        row.note = stored_note(row).with_signatures(new).note
        for card in own:
            if card.verifier.name in names:
                _act_of(work, policy, card, caller).signed_at = work.now
        if epoch:
            jobs.queue(work, ENACT, str(procedure_id))
    return policy


def _act_of(work: Work, policy: Policy, card: Card, caller: Caller) -> HolderAct:
    if card.person != caller.person:
        raise PersonError("the card is another person's")
    act = work.session.get(HolderAct, (policy.hash, card.kid))
    if act is None:
        raise SignatureError("not a custodian of this policy")
    return act
