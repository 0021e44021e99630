# SPDX-License-Identifier: EUPL-1.2
"""The gate's transactions and rows.

Rules
  1. One procedure's acts follow each other: its lock is taken first, in a statement of its own.
  2. Rows are added, never changed.

Left to others: what may become a row (vault.gate.service).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlmodel import Session, col, select

from crypto.closing_rules import CheckedClosing, ClosedBox, Memory, PolicyChain
from crypto.closings import EnvelopeList
from crypto.policy import Policy
from crypto.statement import Kind, parse_note
from vault.errors import DatabaseUnavailable
from vault.gate.models import AcceptedClosing, AcceptedPolicy, Released, SignedOpening

GATE_LOCKS = 0x62780003  # advisory lock space, apart from the vault's (vault.work)


@dataclass(frozen=True)
class GateRecords:
    """The gate's rows, under its own database role."""

    engine: Engine = field(repr=False)

    @contextmanager
    def open(self, procedure: UUID) -> Iterator[Session]:
        """One transaction about one procedure; written when the block ends well, and not otherwise.

        Raises:
            DatabaseUnavailable: the database does not answer; ask again.
        """
        with self.read() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(:space, :number)"), _lock_of(procedure))
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction without a lock: to find where something belongs.

        Raises:
            DatabaseUnavailable: the database does not answer; ask again.
        """
        try:
            with Session(self.engine, expire_on_commit=False, autoflush=False) as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, InternalError, NoConnectionFree) as error:
            raise DatabaseUnavailable("the gate's database does not answer") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseUnavailable("the gate's database broke off") from error
            raise


@dataclass(frozen=True)
class ShownClosing:
    """A closing as the gate is shown it: bytes, kept as they are."""

    note: bytes = field(repr=False)
    entries: bytes = field(repr=False)
    decision: bytes | None = field(default=None, repr=False)

    def parsed(self) -> ClosedBox:
        """What the bytes say; FormatError, KindError."""
        return ClosedBox(
            parse_note(self.note, Kind.CLOSING),
            EnvelopeList.decode(self.entries),
            decision=None if self.decision is None else parse_note(self.decision, Kind.DECISION),
        )


def policies(session: Session, procedure: UUID) -> tuple[Policy, ...]:
    """All accepted epochs of a procedure's policy, from 0; the last is in force."""
    rows = session.exec(
        select(AcceptedPolicy).where(AcceptedPolicy.procedure_id == procedure).order_by(col(AcceptedPolicy.epoch))
    )
    return tuple(Policy.of(parse_note(row.note, Kind.POLICY)) for row in rows)


def policy_row(session: Session, policy_hash: bytes) -> AcceptedPolicy | None:
    """The accepted policy of that hash."""
    return session.exec(select(AcceptedPolicy).where(AcceptedPolicy.policy_hash == policy_hash)).one_or_none()


def main_closings(session: Session, procedure: UUID) -> dict[int, AcceptedClosing]:
    """The main closings of a procedure, by box."""
    rows = session.exec(
        select(AcceptedClosing).where(
            AcceptedClosing.procedure_id == procedure, col(AcceptedClosing.decision_id).is_(None)
        )
    )
    return {row.box: row for row in rows}


def memory(session: Session, procedure: UUID, chain: PolicyChain) -> Memory:
    """What the gate pinned and accepted of a procedure, as the rules of crypto ask for it."""
    rows = session.exec(select(AcceptedClosing).where(AcceptedClosing.procedure_id == procedure)).all()
    return Memory(
        pinned=chain.latest.hash,
        main_closings={row.box: row.id for row in rows if row.decision_id is None},
        decided={row.decision_id: row.id for row in rows if row.decision_id is not None},
    )


def add_closing(
    session: Session, checked: CheckedClosing, shown: ShownClosing, *, procedure: UUID, at: datetime
) -> None:
    """Remember a closing with the bytes it stands on."""
    session.add(
        AcceptedClosing(
            id=checked.id,
            procedure_id=procedure,
            box=checked.box.number,
            decision_id=checked.closing.decision,
            note=shown.note,
            list=shown.entries,
            decision=shown.decision,
            at=at,
        )
    )


def openings_over(session: Session, procedure: UUID, closings: frozenset[bytes]) -> list[SignedOpening]:
    """The signed openings that share a closing with these, by attempt."""
    rows = session.exec(
        select(SignedOpening).where(SignedOpening.procedure_id == procedure).order_by(col(SignedOpening.attempt))
    )
    return [row for row in rows if closings.intersection(row.closings)]


def released(session: Session, openings: Iterable[SignedOpening]) -> frozenset[bytes]:
    """Those of these openings whose shares were given out."""
    return frozenset(row.id for row in openings if session.get(Released, row.id) is not None)


def has_closing(session: Session, closing_id: bytes) -> bool:
    """Whether the gate remembers accepting this closing."""
    return session.get(AcceptedClosing, closing_id) is not None


def has_opening(session: Session, opening_id: bytes) -> bool:
    """Whether the gate remembers signing this opening."""
    return session.get(SignedOpening, opening_id) is not None


def has_release(session: Session, release_id: bytes) -> bool:
    """Whether the gate remembers giving out this release."""
    return session.exec(select(Released.opening_id).where(Released.id == release_id)).first() is not None


def _lock_of(procedure: UUID) -> dict[str, int]:
    return {"space": GATE_LOCKS, "number": int.from_bytes(procedure.bytes[-4:], "big", signed=True)}
