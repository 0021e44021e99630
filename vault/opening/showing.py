# SPDX-License-Identifier: EUPL-1.2
"""What buyers, custodians and auditors are shown of openings and closings: states, who has contributed, statements."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from crypto.closings import Closing
from crypto.policy import Card, Policy
from vault import envelopes
from vault.errors import NotFound
from vault.models import ClosingRow, ContributionRow, OpeningRow, OpeningState
from vault.opening import due
from vault.opening.contributing import of_opening
from vault.work import Work, Works


@dataclass(frozen=True)
class Contributor:
    """One custodian's contribution, as others see it."""

    kid: bytes
    name: str
    state: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class ShownOpening:
    """One opening: its boxes, its state, who has contributed, how many are needed."""

    id: bytes
    procedure: UUID
    attempt: int
    state: OpeningState
    boxes: tuple[int, ...]
    began_at: datetime
    needed: int
    contributors: tuple[Contributor, ...]
    is_frozen: bool


def opening(works: Works, opening_id: bytes) -> ShownOpening:
    """One opening; NotFound."""
    with works.open() as work:
        return _shown(work, due.row_of(work, opening_id))


def openings(works: Works, platform: str, procedure: UUID) -> list[ShownOpening]:
    """All openings of a procedure, oldest first."""
    with works.open() as work:
        rows = due.of_procedure(work, procedure)
        return [_shown(work, row) for row in rows if due.platform_of(work, row) == platform]


def minutes(works: Works, opening_id: bytes) -> bytes:
    """The signed minutes; NotFound until they are written."""
    with works.open() as work:
        row = due.row_of(work, opening_id)
        if row.minutes is None:
            raise NotFound
        return row.minutes


def closing_note(works: Works, platform: str, procedure: UUID, box: int) -> bytes:
    """The signed main closing of a box; NotFound until it is accepted."""
    with works.open() as work:
        found = envelopes.address_number(work, platform, procedure, number=box)
        main = select(ClosingRow).where(
            ClosingRow.box_id == found.box_id, col(ClosingRow.decision_id).is_(None), ClosingRow.is_accepted
        )
        row = work.session.exec(main).first()
        if row is None or row.note is None:
            raise NotFound
        return row.note


def _shown(work: Work, row: OpeningRow) -> ShownOpening:
    said = due.opening_of(row)
    policy = next(one for one in envelopes.chain(work, row.procedure_id) if one.hash == said.policy_hash)
    numbers = tuple(Closing.decode(one.payload).box for one in due.closing_rows(work, row))
    group = policy.groups[policy.box(numbers[0]).custodians]
    return ShownOpening(
        id=row.id,
        procedure=row.procedure_id,
        attempt=row.attempt,
        state=row.state,
        boxes=numbers,
        began_at=row.began_at,
        needed=group.k,
        contributors=tuple(_contributor(policy, one) for one in of_opening(work, row.id)),
        is_frozen=row.is_frozen,
    )


def _contributor(policy: Policy, row: ContributionRow) -> Contributor:
    card: Card | None = policy.card_of(row.kid)
    return Contributor(row.kid, card.name if card else "", row.state.value, row.reason, row.at)
