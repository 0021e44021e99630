# SPDX-License-Identifier: EUPL-1.2
"""The gate takes back what it did, after its rows were lost: only from its own signatures, or by its usual checks.

Rules
  1. A policy, an opening or a release is taken back when a gate's card of the policy signed it: what the gate signed
     once it may remember. No clock is asked: it was, when it signed.
  2. A closing bears no signature of the gate: it passes every check of step C4 again (vault.gate.service).
  3. Where a row is there and says otherwise, nothing is taken.

Left to others: which acts are shown (vault.recovery), what the gate does for the first time (vault.gate.service).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from crypto.ceremony import Contribution, Opening
from crypto.errors import PolicyError, StateError
from crypto.policy import Policy, Role, require_in_force
from crypto.statement import Kind, Statement, parse_note, require_signers
from vault.gate import records
from vault.gate.models import AcceptedClosing, AcceptedPolicy, Released, SignedOpening
from vault.gate.service import Gate


@dataclass(frozen=True)
class Remembered:
    """All that a gate remembers of one procedure."""

    policies: tuple[AcceptedPolicy, ...]
    closings: tuple[AcceptedClosing, ...]
    openings: tuple[SignedOpening, ...]


def remembered(gate: Gate, procedure: UUID) -> Remembered:
    """The gate's rows of one procedure, oldest first."""
    with gate.records.read() as session:
        return Remembered(
            policies=tuple(
                session.exec(
                    select(AcceptedPolicy)
                    .where(AcceptedPolicy.procedure_id == procedure)
                    .order_by(col(AcceptedPolicy.epoch))
                )
            ),
            closings=tuple(
                session.exec(
                    select(AcceptedClosing)
                    .where(AcceptedClosing.procedure_id == procedure)
                    .order_by(col(AcceptedClosing.at))
                )
            ),
            openings=tuple(
                session.exec(
                    select(SignedOpening).where(SignedOpening.procedure_id == procedure).order_by(col(SignedOpening.at))
                )
            ),
        )


def procedures(gate: Gate) -> frozenset[UUID]:
    """Every procedure that the gate remembers."""
    with gate.records.read() as session:
        return frozenset(session.exec(select(AcceptedPolicy.procedure_id)))


def adopt_policy(gate: Gate, note: bytes) -> bool:
    """Take back an epoch of a policy that is in force; tells whether it was forgotten.

    Raises:
        SignatureError: somebody who must has not signed it, the gate among them.
        StateError: the gate remembers another policy with this epoch, or not the one before.
    """
    statement = parse_note(note, Kind.POLICY)
    policy = require_in_force(statement)
    procedure = UUID(bytes=policy.procedure)
    with gate.records.open(procedure) as session:
        known = session.get(AcceptedPolicy, (procedure, policy.epoch))
        if known is not None:
            if known.policy_hash != policy.hash:
                raise StateError(f"the gate remembers another policy of epoch {policy.epoch}")
            return False
        chain = records.policies(session, procedure)
        if policy.previous != (chain[-1].hash if chain else None):
            raise StateError("the gate does not remember the epoch before this one")
        session.add(
            AcceptedPolicy(
                procedure_id=procedure, epoch=policy.epoch, policy_hash=policy.hash, note=note, at=gate.clock.now()
            )
        )
    return True


def adopt_opening(gate: Gate, note: bytes) -> bool:
    """Take back an opening that the gate signed; tells whether it was forgotten; SignatureError, PolicyError."""
    statement = parse_note(note, Kind.OPENING)
    opening = Opening.of(statement)
    procedure, policy = _policy(gate, opening.policy_hash)
    _require_own(statement, policy)
    with gate.records.open(procedure) as session:
        if records.has_opening(session, statement.id):
            return False
        session.add(
            SignedOpening(
                id=statement.id,
                procedure_id=procedure,
                attempt=opening.attempt,
                closings=list(opening.closings),
                note=statement.note,
                at=gate.clock.now(),
            )
        )
    return True


def adopt_release(gate: Gate, note: bytes) -> bool:
    """Take back a release that the gate signed; tells whether it was forgotten; SignatureError, StateError."""
    statement = parse_note(note, Kind.RELEASE)
    opening_id = Contribution.of(statement).opening_id
    with gate.records.read() as session:
        row = session.get(SignedOpening, opening_id)
    if row is None:
        raise StateError("the gate does not remember the opening")
    procedure, policy = _policy(gate, Opening.of(parse_note(row.note, Kind.OPENING)).policy_hash)
    _require_own(statement, policy)
    with gate.records.open(procedure) as session:
        if session.get(Released, opening_id) is not None:
            return False
        session.add(Released(opening_id=opening_id, id=statement.id, note=statement.note, at=gate.clock.now()))
    return True


def _policy(gate: Gate, policy_hash: bytes) -> tuple[UUID, Policy]:
    with gate.records.read() as session:
        row = records.policy_row(session, policy_hash)
    if row is None:
        raise PolicyError("the gate knows no such policy")
    return row.procedure_id, Policy.of(parse_note(row.note, Kind.POLICY))


def _require_own(statement: Statement, policy: Policy) -> None:
    require_signers(statement, [card.verifier for card in policy.cards(Role.GATE)], 1)
