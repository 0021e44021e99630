# SPDX-License-Identifier: EUPL-1.2
"""What the gate remembers: rows in its own schema, unique and never changed (protocol §5).

Rules
  1. Only the gate's role writes here; it may add and read rows, never change or remove them (deploy/migrations).
  2. A row keeps the whole note that it stands for, so that a recovery adopts it byte for byte.

Left to others: what may become a row (vault.gate.service).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, LargeBinary, MetaData, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

SCHEMA = "gate"


class GateTable(SQLModel):
    """Tables of the gate have their own metadata: the vault's do not know them."""

    metadata = MetaData(schema=SCHEMA)


def _bytes(*, primary_key: bool = False, unique: bool = False) -> Column[bytes]:
    return Column(LargeBinary, primary_key=primary_key, nullable=False, unique=unique)


def _at() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


class AcceptedPolicy(GateTable, table=True):
    """One epoch of a procedure's policy; epochs only rise."""

    __tablename__ = "policy"
    procedure_id: UUID = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    policy_hash: bytes = Field(sa_column=_bytes(unique=True))
    note: bytes = Field(sa_column=_bytes())
    at: datetime = Field(sa_column=_at())


class AcceptedClosing(GateTable, table=True):
    """A box's closing; without a decision it is the main one, of which there is one ever."""

    __tablename__ = "closed"
    __table_args__ = (
        Index("closed_main", "procedure_id", "box", unique=True, postgresql_where="decision_id IS NULL"),
        UniqueConstraint("decision_id"),
    )
    id: bytes = Field(sa_column=_bytes(primary_key=True))
    procedure_id: UUID
    box: int
    decision_id: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    note: bytes = Field(sa_column=_bytes())
    list: bytes = Field(sa_column=_bytes())
    decision: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    at: datetime = Field(sa_column=_at())


class SignedOpening(GateTable, table=True):
    """An opening that the gate signed."""

    __tablename__ = "signed"
    id: bytes = Field(sa_column=_bytes(primary_key=True))
    procedure_id: UUID = Field(index=True)
    attempt: int
    closings: list[bytes] = Field(sa_column=Column(ARRAY(LargeBinary), nullable=False))
    note: bytes = Field(sa_column=_bytes())
    at: datetime = Field(sa_column=_at())


class Released(GateTable, table=True):
    """The gate's shares for one opening, as given out."""

    __tablename__ = "released"
    opening_id: bytes = Field(sa_column=_bytes(primary_key=True))
    id: bytes = Field(sa_column=_bytes(unique=True))  # of the release, by which the journal names it
    note: bytes = Field(sa_column=_bytes())
    at: datetime = Field(sa_column=_at())
