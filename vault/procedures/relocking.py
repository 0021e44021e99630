# SPDX-License-Identifier: EUPL-1.2
"""Locking sealed envelopes again where their deadline has moved (preservation 2.1).

Rules
  1. An envelope's object stays locked until 90 days after the deadline in force; a lock is only ever extended.
  2. It happens at night and in random order: the order of locking tells of no procedure.
  3. What is locked far enough already is success; one object that is missing stops nothing.

Left to others: locks after the closing (retention), dates (vault.store.locks).
"""

import secrets
from datetime import datetime
from uuid import UUID

from sqlmodel import select

from vault import envelopes
from vault.errors import ObjectMissing
from vault.lifecycle import BoxState, ProcedureState
from vault.models import BoxRow, Procedure
from vault.store.locks import envelope_lock
from vault.store.names import object_name
from vault.work import Work, Works


def relock(works: Works) -> int:
    """Extend the locks of all envelopes of open boxes whose deadline was amended; tells how many were looked at."""
    with works.open() as work:
        due = [one for procedure in _amended(work) for one in _held(works, work, procedure)]
    secrets.SystemRandom().shuffle(due)
    for object_id, version_id, deadline in due:
        lock_until = envelope_lock(deadline, works.clock.now())
        try:
            works.store.extend_lock(object_name(object_id.bytes), version_id, lock_until=lock_until)
        except ObjectMissing:
            continue  # the closing's re-reading names it (step O1)
    return len(due)


def _amended(work: Work) -> list[Procedure]:
    rows = select(Procedure).where(Procedure.state == ProcedureState.PUBLISHED, Procedure.epoch > 0)
    return list(work.session.exec(rows))


def _held(works: Works, work: Work, procedure: Procedure) -> list[tuple[UUID, str, datetime]]:
    rows = select(BoxRow).where(BoxRow.procedure_id == procedure.id, BoxRow.state == BoxState.OPEN)
    deadlines = {row.number: row.deadline for row in work.session.exec(rows)}
    buckets = {
        works.keys.bucket(procedure.platform, policy.box(number).deadline)
        for policy in envelopes.chain(work, procedure.id)
        for number in deadlines
    }
    found = envelopes.in_week(works, work, procedure=procedure.id, platform=procedure.platform, buckets=buckets)
    return [
        (one.facts.object_id, one.facts.version_id, deadlines[one.facts.box])
        for one in found
        if one.facts.box in deadlines and one.facts.version_id
    ]
