# SPDX-License-Identifier: EUPL-1.2
"""Drafting: a procedure with its policy of epoch 0 fixed, ready to be rehearsed (protocol 4.1).

Rules
  1. Everything refusable is refused before a key is made.
  2. The payload is fixed here, once: custodians' cards, the gate's card, the vault's keys, the time authorities.
  3. One canary is sealed for each set of groups, and the gate rehearses it at once.

Left to others: rehearsals and signatures (vault.procedures.rehearsal), publication (vault.procedures.publication).
"""

from uuid import UUID

from uuid_utils import uuid7

from crypto.errors import FormatError
from crypto.policy import Limits, Policy, Role, TimeQuorum
from vault.errors import InvalidInput, NotAllowed
from vault.lifecycle import ProcedureState
from vault.models import Canary, HolderAct, PolicyRow, PolicyState, Procedure
from vault.procedures.access import Caller
from vault.procedures.canaries import canary_boxes, seal_canary
from vault.procedures.plan import Plan, ProcedureDraft, plan, require_siret, require_words
from vault.work import Work, Works


def draft(works: Works, caller: Caller, wanted: ProcedureDraft) -> UUID:
    """Make a procedure from a buyer's words.

    Raises:
        InvalidInput: something does not fit; `field` names it.
        NotAllowed: the SIRET is not the caller's organisation.
    """
    # 1. The words are checked before anything is made.
    siret = require_siret(wanted.siret)
    if siret != caller.organisation:
        raise NotAllowed("a procedure is drafted by its buyer: the SIRET is another organisation's")
    limits = require_words(wanted, most=deployment_limits(works))
    boxes = plan(wanted, now=works.clock.now())

    # 2. The procedure's key and the gate's, durable before anything relies on them.
    procedure_id = UUID(bytes=uuid7().bytes)
    works.keys.create_procedure(procedure_id)
    works.key_store.durable()
    policy = _fix_policy(works, wanted, boxes, procedure_id=procedure_id, siret=siret, limits=limits)

    # 3. Canaries, with the gate's share of each.
    files = [(box.number, seal_canary(policy, box)) for box in canary_boxes(policy)]
    sealed = [(box, file, works.gate.rehearse(policy, file).note) for box, file in files]

    # 4. ◆ The draft exists.
    with works.open() as work:
        work.session.add(_row(work, wanted, policy, caller=caller))
        work.session.flush()  # the rows below refer to it
        add_policy(work, policy)
        for number, (box, file, share) in enumerate(sealed, start=1):
            work.session.add(
                Canary(policy_hash=policy.hash, number=number, box_number=box, file=file, gate_share=share)
            )
    return procedure_id


def deployment_limits(works: Works) -> Limits:
    """The most that a procedure may allow here."""
    settings = works.settings
    return Limits(settings.max_document, settings.max_envelope, settings.max_documents, settings.max_deposits)


def add_policy(work: Work, policy: Policy, *, reason: str = "") -> None:
    """Put one epoch in preparation, in the place of one that came to nothing, with a row for each custodian's acts."""
    work.session.merge(
        PolicyRow(
            procedure_id=UUID(bytes=policy.procedure),
            epoch=policy.epoch,
            policy_hash=policy.hash,
            payload=policy.payload,
            note=policy.statement.note,
            state=PolicyState.PREPARING,
            reason=reason,
            created_at=work.now,
        )
    )
    for card in policy.cards(Role.CUSTODIAN):
        if work.session.get(HolderAct, (policy.hash, card.kid)) is None:
            work.session.add(HolderAct(policy_hash=policy.hash, kid=card.kid))


def _fix_policy(
    works: Works, wanted: ProcedureDraft, boxes: Plan, *, procedure_id: UUID, siret: str, limits: Limits
) -> Policy:
    policy = Policy(
        procedure=procedure_id.bytes,
        epoch=0,
        previous=None,
        reference=wanted.reference,
        title=wanted.title,
        siret=siret,
        buyer=wanted.buyer,
        zone=wanted.zone,
        boxes=boxes.boxes,
        groups=boxes.groups_with(works.gate.make_card(procedure_id)),
        time=TimeQuorum(works.settings.quorum, tuple(anchor.hash for anchor in works.authorities.anchors)),
        journal_vkey=works.service_keys.journal.verifier.vkey,
        statement_vkey=works.service_keys.statement.verifier.vkey,
        limits=limits,
        settle=wanted.settle,
    )
    try:
        return Policy.decode(policy.payload)  # what nobody could read back is not fixed
    except FormatError as error:
        raise InvalidInput("procedure", str(error)) from error


def _row(work: Work, wanted: ProcedureDraft, policy: Policy, *, caller: Caller) -> Procedure:
    return Procedure(
        id=UUID(bytes=policy.procedure),
        platform=caller.platform,
        reference=policy.reference,
        title=policy.title,
        siret=policy.siret,
        buyer=policy.buyer,
        zone=policy.zone,
        lots=[{"id": lot.id, "title": lot.title} for lot in wanted.lots],
        state=ProcedureState.DRAFTED,
        created_by=caller.subject,
        created_at=work.now,
    )
