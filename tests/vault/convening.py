# SPDX-License-Identifier: EUPL-1.2
"""What tests of procedures share: rehearsals, signatures and amendments, and what the journal tells."""

from datetime import timedelta
from uuid import UUID

from sqlmodel import select

from crypto.ceremony import Rehearsal
from crypto.events import Event, EventKind
from crypto.policy import Part, Policy
from tests.world.custodian import Custodian
from tests.world.world import BUYER, PLATFORM, World
from vault import journal, procedures
from vault.models import JournalRow
from vault.procedures import Caller, Change, Move, reading

STRANGER = Caller("buyer@nantes", PLATFORM, organisation="55208131766522")


def policy_of(world: World) -> Policy:
    return reading.show(world.works, BUYER, world.procedure).policy


def rehearsal_of(world: World, one: Custodian) -> Rehearsal:
    canary = reading.canary_file(world.works, world.caller(one), world.procedure, epoch=0, number=1)
    (said,) = one.rehearse(policy_of(world), [canary])
    return Rehearsal.of(said)


def rehearse(world: World, one: Custodian, said: Rehearsal, *, signer: Custodian | None = None) -> int:
    note = (signer or one).sign(said.statement).note
    return procedures.rehearse(world.works, world.caller(one), world.procedure, epoch=0, note=note)


def sign(world: World, one: Custodian, *, epoch: int = 0, policy: Policy | None = None) -> Policy:
    statement = one.sign((policy or policy_of(world)).statement)
    return procedures.sign(world.works, world.caller(one), world.procedure, epoch=epoch, note=statement.note)


def later(world: World, *, days: int = 1, part: Part = Part.TECHNICAL) -> Change:
    box = world.policy.box_of("1", part)
    assert box is not None
    return Change("Visite du site reportée", (Move("1", part, box.deadline + timedelta(days=days)),))


def amended(world: World, change: Change, *, by: int) -> Policy:
    policy = procedures.amend(world.works, BUYER, world.procedure, change)
    for one in world.custodians[:by]:
        sign(world, one, epoch=policy.epoch, policy=policy)
    return policy


def events(world: World, kind: EventKind, *, procedure: UUID | None = None) -> list[Event]:
    wanted = procedure or world.procedure
    with world.works.open() as work:
        rows = work.session.exec(
            select(JournalRow).where(JournalRow.procedure_id == wanted).order_by(JournalRow.seq)  # type: ignore[arg-type]
        )
        told = [Event.decode(journal.read(world.works, row, procedure=wanted).event) for row in rows]
    return [one for one in told if one.kind is kind]


def refusals(world: World) -> list[Event]:
    return events(world, EventKind.ACCESS_REFUSED)
