# SPDX-License-Identifier: EUPL-1.2
"""Tables of the vault.

Rules
  1. Rows of envelopes, attempts, ledgers and the journal show in clear only the platform, a random id, a state and
     the week bucket until their box is closed; the rest is one blob (protocol 4.12, vault.hidden).
  2. The columns marked "after the closing" are filled by the closing and by nothing before it.
  3. A table model does not validate: rows are made only from values that were validated before.
  4. The journal is append-only; the database refuses everything else (deploy/migrations).

Left to others: the blobs' contents (vault.rows), the gate's own tables (vault.gate.models).
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

from vault.lifecycle import BoxState, ContributionState, EnvelopeState, ProcedureState


class _Named(TypeDecorator[StrEnum]):
    """An enum kept as its text; the migration holds the CHECK."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002 SQLAlchemy's signature
        return None if value is None else self.kind(value)


def _state(kind: type[StrEnum]) -> Column[StrEnum]:
    return Column(_Named(kind), nullable=False)


def _moment(*, optional: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=optional)


class AttemptState(StrEnum):
    """What became of a deposit that began."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class PolicyState(StrEnum):
    """Life of one epoch of a procedure's policy."""

    PREPARING = "preparing"
    IN_FORCE = "in_force"
    REPLACED = "replaced"
    DROPPED = "dropped"


class OpeningState(StrEnum):
    """Life of one attempt at an opening."""

    PREPARED = "prepared"  # O2 committed its text
    OFFERED = "offered"  # signed by the gates, custodians may contribute
    RELEASED = "released"  # O4
    KEYED = "keyed"  # O6
    MINUTED = "minuted"  # O8
    ABANDONED = "abandoned"


class Procedure(SQLModel, table=True):
    """One award procedure; all of it is public once published."""

    __tablename__ = "procedure"
    id: UUID = Field(primary_key=True)
    platform: str = Field(max_length=64, index=True)
    reference: str = Field(max_length=200)
    title: str
    siret: str = Field(max_length=14)
    buyer: str
    zone: str
    lots: list[dict[str, str]] = Field(sa_column=Column(JSONB, nullable=False))  # [{id, title}] in order
    state: ProcedureState = Field(sa_column=_state(ProcedureState))
    epoch: int = 0  # of the policy in force, once published
    created_by: str
    created_at: datetime = Field(sa_column=_moment())
    published_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))
    ended_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))


class PolicyRow(SQLModel, table=True):
    """One epoch of a policy: its payload as signed, with the signatures gathered so far."""

    __tablename__ = "policy"
    procedure_id: UUID = Field(primary_key=True, foreign_key="procedure.id")
    epoch: int = Field(primary_key=True)
    policy_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: PolicyState = Field(sa_column=_state(PolicyState))
    reason: str = ""  # of an amendment
    created_at: datetime = Field(sa_column=_moment())


class Canary(SQLModel, table=True):
    """An envelope made to be opened before publication: one for each set of groups (protocol 4.1)."""

    __tablename__ = "canary"
    policy_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    number: int = Field(primary_key=True)
    box_number: int
    file: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    gate_share: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    opened_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))


class HolderAct(SQLModel, table=True):
    """What one custodian has done for one policy: rehearsed, signed, confirmed."""

    __tablename__ = "holder_act"
    policy_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    kid: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    rehearsals: list[bytes] = Field(default_factory=list, sa_column=Column(ARRAY(LargeBinary), nullable=False))
    signed_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))
    confirmed_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))


class BoxRow(SQLModel, table=True):
    """One (procedure, lot, part). Its dates are copies: the policy in force is the truth."""

    __tablename__ = "box"
    __table_args__ = (UniqueConstraint("procedure_id", "number"), UniqueConstraint("procedure_id", "lot", "part"))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    procedure_id: UUID = Field(foreign_key="procedure.id")
    number: int
    lot: str = Field(max_length=32)
    part: int
    state: BoxState = Field(sa_column=_state(BoxState))
    deadline: datetime = Field(sa_column=_moment())
    not_before: datetime = Field(sa_column=_moment())
    due_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, index=True))  # deadline + settle


class Envelope(SQLModel, table=True):
    """A sealed envelope that the vault holds, or has received and not yet judged."""

    __tablename__ = "envelope"
    __table_args__ = (
        Index("envelope_bucket", "platform", "bucket"),
        Index("envelope_received", "state", postgresql_where=text("state = 'received'")),
        Index("envelope_box", "procedure_id", "box_number", "list_index"),
    )
    id: UUID = Field(primary_key=True)
    platform: str = Field(max_length=64)
    bucket: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: EnvelopeState = Field(sa_column=_state(EnvelopeState))
    facts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    # after the closing
    procedure_id: UUID | None = None
    box_number: int | None = None
    closing_id: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    list_index: int | None = None
    bidder: str | None = None
    file_key_at: datetime | None = Field(default=None, sa_column=_moment(optional=True))


class Attempt(SQLModel, table=True):
    """A deposit that began, whatever came of it (D2)."""

    __tablename__ = "attempt"
    __table_args__ = (Index("attempt_open", "state", postgresql_where=text("state = 'open'")),)
    id: UUID = Field(primary_key=True)
    platform: str = Field(max_length=64)
    bucket: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: AttemptState = Field(sa_column=_state(AttemptState))
    facts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Ledger(SQLModel, table=True):
    """One bidder's envelopes in one box, in journal order; its id is a keyed digest of both."""

    __tablename__ = "ledger"
    id: UUID = Field(primary_key=True)
    platform: str = Field(max_length=64)
    bucket: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = "kept"
    facts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class JournalRow(SQLModel, table=True):
    """One entry of the journal; `position` is its index in the log once the sequencer has placed it."""

    __tablename__ = "journal"
    __table_args__ = (
        Index("journal_unplaced", "seq", postgresql_where=text("position IS NULL")),
        Index("journal_bucket", "platform", "bucket"),
        Index("journal_procedure", "procedure_id", "seq"),
    )
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(cache=1), primary_key=True))
    platform: str = Field(max_length=64)
    bucket: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    leaf: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = "entered"
    facts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    position: int | None = Field(default=None, sa_column=Column(BigInteger, unique=True))
    procedure_id: UUID | None = None  # of public acts; of deposits only after the closing


class CheckpointRow(SQLModel, table=True):
    """A signed head of the log."""

    __tablename__ = "checkpoint"
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    is_published: bool = False
    at: datetime = Field(sa_column=_moment())


class ClosingRow(SQLModel, table=True):
    """A box's closing: the text of C2, then its signature and tokens."""

    __tablename__ = "closing"
    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    box_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    decision_id: bytes | None = Field(default=None, sa_column=Column(LargeBinary, unique=True))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    list: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    is_accepted: bool = False
    is_printed: bool = False
    at: datetime = Field(sa_column=_moment())


class StampRow(SQLModel, table=True):
    """A verified time token over a subject (a closing request, a closing id …), with its revocation evidence."""

    __tablename__ = "stamp"
    subject: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    evidence: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_column=_moment())


class DecisionRow(SQLModel, table=True):
    """k custodians' word on one late or review envelope, with the signatures gathered so far."""

    __tablename__ = "decision"
    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    box_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    envelope_id: UUID
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    is_taken: bool = False


class OpeningRow(SQLModel, table=True):
    """One attempt at opening one or more closings together."""

    __tablename__ = "opening"
    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    procedure_id: UUID = Field(foreign_key="procedure.id", index=True)
    attempt: int
    state: OpeningState = Field(sa_column=_state(OpeningState))
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    release: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    rotten: list[int] | None = Field(default=None, sa_column=Column(ARRAY(BigInteger)))  # O4a, indices
    keyed: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    minutes: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    is_frozen: bool = False
    is_printed: bool = False
    began_at: datetime = Field(sa_column=_moment())


class ContributionRow(SQLModel, table=True):
    """One custodian's shares for one opening."""

    __tablename__ = "contribution"
    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    opening_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False, index=True))
    kid: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    person: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: ContributionState = Field(sa_column=_state(ContributionState))
    reason: str = ""
    at: datetime = Field(sa_column=_moment())


class DocumentRow(SQLModel, table=True):
    """One opened document; path and digests are hidden facts under the procedure's key (O7)."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("envelope_id", "number"),)
    id: UUID = Field(primary_key=True)
    envelope_id: UUID = Field(foreign_key="envelope.id")
    number: int
    state: str = "opened"
    facts: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PrintRow(SQLModel, table=True):
    """A stored print of a statement in one language."""

    __tablename__ = "print"
    statement_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    language: str = Field(primary_key=True, max_length=2)
    key: str
    version_id: str
    size: int = Field(sa_column=Column(BigInteger, nullable=False))


class Unmirrored(SQLModel, table=True):
    """A row that was written and has not been copied to the store since; its id counts all writes (vault.mirror)."""

    __tablename__ = "unmirrored"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    name: str
    key: dict[str, str | int] = Field(sa_column=Column(JSONB, nullable=False))


class MirrorRow(SQLModel, table=True):
    """The one row that tells how many copies were begun, and up to which all are done."""

    __tablename__ = "mirror"
    id: int = Field(default=1, primary_key=True)
    begun: int = Field(sa_column=Column(BigInteger, nullable=False))
    done: int = Field(sa_column=Column(BigInteger, nullable=False))
