# SPDX-License-Identifier: EUPL-1.2
"""The journeys of a procedure itself, for the crash table: drafted, rehearsed and published, amended.

Left to others: what comes after (tests.faults.journeys).
"""

from datetime import timedelta

from sqlmodel import select

from crypto.policy import Policy
from crypto.statement import Kind, Statement
from tests.checks import stored
from tests.checks.stored import Stored
from tests.faults import worker
from tests.faults.journeys import Journey
from tests.world.world import BUYER, World
from vault import procedures
from vault.lifecycle import ProcedureState
from vault.models import Canary, HolderAct, PolicyRow
from vault.procedures import Change, Move


class Drafting(Journey):
    """A draft, and another one where it broke off."""

    def act(self) -> None:
        procedures.draft(self.world.works, BUYER, self.world.draft(k=1, n=1))

    def begin(self) -> None:
        super().begin()
        self.known = set(stored.read(self.world.works).procedures)

    def seen(self, found: Stored) -> list[str]:
        return [
            *(["key"] if self.new("1/", of="keys") else []),
            *(["gate seed"] if self.new("3/", of="keys") else []),
            *(row.state.value for row in found.procedures.values() if row.id not in self.known),
        ]

    def go_on(self) -> None:
        before = set(stored.read(self.world.works).procedures)
        drafted = procedures.draft(self.world.works, BUYER, self.world.draft(k=1, n=1))
        assert drafted not in before


class Publishing(Journey):
    """One custodian rehearses and signs, the buyer publishes."""

    def begin(self) -> None:
        super().begin()
        self.id = procedures.draft(self.world.works, BUYER, self.world.draft(k=1, n=1))
        self.said: tuple[bytes, bytes] | None = None

    def act(self) -> None:
        world, alice = self.world, self.world.custodians[0]
        rehearsed, signed = self.said = self.said or self._made()
        procedures.rehearse(world.works, world.caller(alice), self.id, epoch=0, note=rehearsed)
        procedures.sign(world.works, world.caller(alice), self.id, epoch=0, note=signed)
        procedures.publish(world.works, BUYER, self.id)

    def seen(self, found: Stored) -> list[str]:
        policy = next(one for one in found.policy_rows if one.procedure_id == self.id)
        return [
            found.procedures[self.id].state.value,
            *_done(self.world, policy.policy_hash),
            *(["text kept"] if self.new("text/") else []),
            *(["gate accepted"] if policy.policy_hash in {one.policy_hash for one in found.gate.policies} else []),
        ]

    def go_on(self) -> None:
        self.act()
        self.act()
        assert stored.read(self.world.works).procedures[self.id].state is ProcedureState.PUBLISHED

    def _made(self) -> tuple[bytes, bytes]:
        """What the custodian's tool makes once and may send again."""
        with self.world.works.open() as work:
            row = work.session.get_one(PolicyRow, (self.id, 0))
            canaries = list(work.session.exec(select(Canary.file).where(Canary.policy_hash == row.policy_hash)))
        alice = self.world.custodians[0]
        (rehearsed,) = alice.rehearse(Policy.decode(row.payload), canaries)
        return rehearsed.note, alice.sign(Statement(Kind.POLICY, row.payload)).note


class Amending(Journey):
    """The buyer moves a deadline, the custodian signs, and with that it comes into force."""

    def begin(self) -> None:
        super().begin()
        self.world.publish(self.world.draft(k=1, n=1))
        self.id = self.world.procedure
        self.deadline = self.world.deadline + timedelta(days=1)

    def act(self) -> None:
        world, alice = self.world, self.world.custodians[0]
        if self._prepared() is None:
            box = world.box().box
            procedures.amend(world.works, BUYER, self.id, Change("later", (Move(box.lot, box.part, self.deadline),)))
        prepared = self._prepared()
        assert prepared is not None
        note = alice.sign(Statement(Kind.POLICY, prepared.payload)).note
        procedures.sign(world.works, world.caller(alice), self.id, epoch=1, note=note)

    def seen(self, found: Stored) -> list[str]:
        rows = sorted((one for one in found.policy_rows if one.procedure_id == self.id), key=lambda one: one.epoch)
        last = rows[-1]
        is_signed = last.epoch > 0 and last.note != Policy.decode(last.payload).statement.note
        accepted = {one.policy_hash for one in found.gate.policies}
        return [
            found.procedures[self.id].state.value,
            f"epoch {last.epoch} {last.state.value}",
            *(["signed"] if is_signed else []),
            *(["gate accepted"] if last.epoch and last.policy_hash in accepted else []),
        ]

    def go_on(self) -> None:
        worker.work(self.world, only={str(self.id)})
        if self._epoch() == 0:
            self.act()
        assert self._epoch() == 1
        assert self.world.deadline == self.deadline

    def _epoch(self) -> int:
        return stored.read(self.world.works).procedures[self.id].epoch

    def _prepared(self) -> PolicyRow | None:
        rows = stored.read(self.world.works).policy_rows
        return next((one for one in rows if one.procedure_id == self.id and one.epoch == 1), None)


def _done(world: World, policy_hash: bytes) -> list[str]:
    with world.works.open() as work:
        acts = work.session.exec(select(HolderAct).where(HolderAct.policy_hash == policy_hash)).all()
    rehearsed = sum(bool(one.rehearsals) for one in acts)
    signed = sum(one.signed_at is not None for one in acts)
    return [
        *([f"{rehearsed} rehearsed"] if rehearsed else []),
        *([f"{signed} signed"] if signed else []),
    ]
