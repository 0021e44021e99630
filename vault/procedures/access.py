# SPDX-License-Identifier: EUPL-1.2
"""Who may see a procedure and act on it, and its rows.

Rules
  1. A draft is known to its buyer and to the custodians it names; from publication on it is public on its platform.
  2. Only its buyer, by SIRET, acts on it as a whole; a custodian acts with cards that name their person.
  3. Whoever may not gets the answer that an unknown id gets; the attempt is journaled.

Left to others: who the caller is (api.auth), what the acts do (the journey's other modules).
"""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlmodel import col, select

from crypto.errors import CryptoError
from crypto.policy import Card, Policy, Role
from vault import envelopes, refusals
from vault.errors import CallerError, NotFound, NotReady, RowChanged
from vault.journal import Place
from vault.models import BoxRow, Canary, HolderAct, PolicyRow, PolicyState, Procedure
from vault.work import Work, Works

Refused = TypeVar("Refused", bound=CryptoError | CallerError)


@dataclass(frozen=True)
class Caller:
    """Whoever acts: a buyer has an organisation (SIRET), a custodian a person."""

    subject: str
    platform: str
    organisation: str | None = None
    person: bytes | None = None


def place_of(procedure: Procedure) -> Place:
    """Where the journal's entries about a whole procedure belong: public at once."""
    return Place(procedure.platform, procedure.id)


def require_visible(work: Work, procedure_id: UUID, caller: Caller) -> Procedure:
    """The procedure, if this caller may know of it; NotFound."""
    procedure = _on_platform(work, procedure_id, caller, is_locked=False)
    is_public = procedure.published_at is not None
    if is_public or caller.organisation == procedure.siret or cards_of(latest_policy(work, procedure.id)[1], caller):
        return procedure
    raise NotFound


def require_buyer(works: Works, procedure_id: UUID, caller: Caller) -> Procedure:
    """The procedure, as it was, for its buyer; for anyone else NotFound, journaled."""
    with works.open() as work:
        procedure = _on_platform(work, procedure_id, caller, is_locked=False)
        if caller.organisation == procedure.siret:
            return procedure
    raise refused(works, procedure, caller, NotFound())


def require_custodian(works: Works, procedure_id: UUID, caller: Caller) -> Procedure:
    """The procedure, as it was, for a person one of its cards names; for anyone else NotFound, journaled."""
    with works.open() as work:
        procedure = _on_platform(work, procedure_id, caller, is_locked=False)
        if cards_of(latest_policy(work, procedure.id)[1], caller):
            return procedure
    raise refused(works, procedure, caller, NotFound())


def of_buyer(work: Work, caller: Caller) -> list[Procedure]:
    """All procedures of a buyer, newest first."""
    own = select(Procedure).where(Procedure.platform == caller.platform, Procedure.siret == (caller.organisation or ""))
    return list(work.session.exec(own.order_by(col(Procedure.created_at).desc())))


def of_id(work: Work, procedure_id: UUID) -> Procedure:
    """A procedure by its id alone, for the vault's own acts; NotFound."""
    procedure = work.session.get(Procedure, procedure_id)
    if procedure is None:
        raise NotFound
    return procedure


def lock_procedure(work: Work, procedure_id: UUID, caller: Caller) -> Procedure:
    """The procedure, locked until the transaction ends: its acts follow each other; NotFound."""
    return _on_platform(work, procedure_id, caller, is_locked=True)


def refused(
    works: Works, procedure: Procedure, caller: Caller, error: Refused, *, subject: bytes = refusals.NO_SUBJECT
) -> Refused:
    """Journal that this caller was refused, by the error's word, and give the error back to be raised."""
    who = f"{caller.platform}/{caller.subject}"
    refusals.tell(works, refusals.Refusal(who, error.code, place_of(procedure), subject))
    return refusals.told(error)


def cards_of(policy: Policy, caller: Caller) -> tuple[Card, ...]:
    """The custodian cards that name this person."""
    return tuple(card for card in policy.cards(Role.CUSTODIAN) if card.person == caller.person)


def policy_of(row: PolicyRow) -> Policy:
    """What a row's policy says: as it was signed, or, in preparation, as it was drafted; RowChanged."""
    if row.state in envelopes.WERE_IN_FORCE:
        return envelopes.signed_policy(row.note)
    try:
        return Policy.decode(row.payload)
    except CryptoError as error:
        raise RowChanged("a policy in preparation") from error


def policy_row(work: Work, procedure_id: UUID, epoch: int) -> tuple[PolicyRow, Policy]:
    """One epoch's row; NotFound."""
    row = work.session.get(PolicyRow, (procedure_id, epoch))
    if row is None:
        raise NotFound
    return row, policy_of(row)


def latest_policy(work: Work, procedure_id: UUID) -> tuple[PolicyRow, Policy]:
    """The last epoch's row, in force or in preparation."""
    rows = policy_rows(work, procedure_id)
    if not rows:
        raise NotFound
    return rows[-1], policy_of(rows[-1])


def policy_in_force(work: Work, procedure_id: UUID) -> tuple[PolicyRow, Policy]:
    """The row in force; NotReady before publication."""
    rows = [row for row in policy_rows(work, procedure_id) if row.state is PolicyState.IN_FORCE]
    if not rows:
        raise NotReady("the procedure is not published yet")
    return rows[-1], policy_of(rows[-1])


def policy_rows(work: Work, procedure_id: UUID) -> list[PolicyRow]:
    """All epochs from 0."""
    wanted = select(PolicyRow).where(PolicyRow.procedure_id == procedure_id).order_by(col(PolicyRow.epoch))
    return list(work.session.exec(wanted))


def box_rows(work: Work, procedure_id: UUID) -> list[BoxRow]:
    """The boxes of a published procedure, by number."""
    wanted = select(BoxRow).where(BoxRow.procedure_id == procedure_id).order_by(col(BoxRow.number))
    return list(work.session.exec(wanted.execution_options(populate_existing=True)))


def canaries(work: Work, policy_hash: bytes) -> list[Canary]:
    """The canaries under a policy, by number."""
    return list(work.session.exec(select(Canary).where(Canary.policy_hash == policy_hash).order_by(col(Canary.number))))


def holder_acts(work: Work, policy_hash: bytes) -> dict[bytes, HolderAct]:
    """What each custodian has done for a policy, by kid."""
    rows = work.session.exec(select(HolderAct).where(HolderAct.policy_hash == policy_hash))
    return {row.kid: row for row in rows}


def _on_platform(work: Work, procedure_id: UUID, caller: Caller, *, is_locked: bool) -> Procedure:
    wanted = select(Procedure).where(Procedure.id == procedure_id, Procedure.platform == caller.platform)
    procedure = work.session.exec(wanted.with_for_update() if is_locked else wanted).one_or_none()
    if procedure is None:
        raise NotFound
    return procedure
