# SPDX-License-Identifier: EUPL-1.2
"""What the journal tells: a closed list of kinds, one event, its salted leaf (protocol 3.9).

Rules
  1. Kinds are `subject.past-participle`; the list is closed, retired members stay.
  2. All leaves look alike: 33 bytes, whatever the event; dummies pad each publication to a multiple of 64.
  3. Only who holds salt and event can tell which leaf is theirs.

Left to others: places in the log and proofs (crypto.merkle), writing entries (vault.journal).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crypto.encoding import Cbor, Fields, decode, encode, label, sha256, to_millis
from crypto.errors import FormatError

SALT_SIZE = 32
LEAF_SIZE = 33
BATCH = 64  # protocol 3.9: each publication is padded to a multiple of this
MAX_DATA = 512
MAX_EVENT = 1024
_PROCEDURE_SIZE = 16
_SUBJECT_SIZE = 32
_LEAF_VERSION = b"\x01"


class EventKind(StrEnum):
    """Everything that the journal can tell."""

    POLICY_PUBLISHED = "policy.published"
    POLICY_AMENDED = "policy.amended"
    CUSTODIAN_REHEARSED = "custodian.rehearsed"
    DEPOSIT_STARTED = "deposit.started"
    DEPOSIT_RECEIVED = "deposit.received"
    DEPOSIT_REFUSED = "deposit.refused"
    ENVELOPE_SEALED = "envelope.sealed"
    ENVELOPE_WITHDRAWN = "envelope.withdrawn"
    BOX_CLOSED = "box.closed"
    OPENING_SIGNED = "opening.signed"
    OPENING_ABANDONED = "opening.abandoned"
    CONTRIBUTION_ACCEPTED = "contribution.accepted"
    CONTRIBUTION_REFUSED = "contribution.refused"
    GATE_RELEASED = "gate.released"
    GATE_REFUSED = "gate.refused"
    BOX_KEYED = "box.keyed"
    ENVELOPE_OPENED = "envelope.opened"
    ENVELOPE_FAILED = "envelope.failed"
    OPENING_MINUTED = "opening.minuted"
    DECISION_TAKEN = "decision.taken"
    ACCESS_REFUSED = "access.refused"
    DOCUMENT_READ = "document.read"
    PROCEDURE_ARCHIVED = "procedure.archived"
    PROCEDURE_CANCELLED = "procedure.cancelled"
    PACKAGE_EXPORTED = "package.exported"
    VAULT_RECOVERED = "vault.recovered"  # a restored database went on; all entries before it are as they were
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - the name of an event


_KINDS = {kind.value: kind for kind in EventKind}


@dataclass(frozen=True)
class Event:
    """One fact.

    Attributes:
        kind: what happened.
        at: when, UTC.
        procedure: the procedure's id, zeros where there is none.
        subject: a digest that names what it happened to.
        data: at most 512 bytes more, or None.
    """

    kind: EventKind
    at: datetime
    procedure: bytes
    subject: bytes
    data: bytes | None = None

    def encode(self) -> bytes:
        """The canonical bytes."""
        return encode(self.to_cbor())

    def to_cbor(self) -> Cbor:
        """The map of protocol 3.9."""
        entries: dict[int, Cbor] = {1: self.kind.value, 2: to_millis(self.at), 3: self.procedure, 4: self.subject}
        if self.data is not None:
            entries[5] = self.data
        return entries

    @classmethod
    def decode(cls, data: bytes) -> "Event":
        """Read an event strictly; FormatError."""
        return cls.from_cbor(decode(data, limit=MAX_EVENT))

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Event":
        """Read the map of protocol 3.9; FormatError."""
        fields = Fields(value, mandatory=range(1, 5), optional=(5,))
        kind = _KINDS.get(fields.text(1))
        if kind is None:
            raise FormatError("an unknown kind of event")
        return cls(
            kind=kind,
            at=fields.moment(2),
            procedure=fields.bstr(3, size=_PROCEDURE_SIZE),
            subject=fields.bstr(4, size=_SUBJECT_SIZE),
            data=fields.bstr(5, most=MAX_DATA) if fields.has(5) else None,
        )


def leaf_data(event: Event, salt: bytes) -> bytes:
    """The leaf of an event: 01 and a salted hash."""
    return _LEAF_VERSION + sha256(label("entry"), salt, event.encode())


def dummy_leaf() -> bytes:
    """A leaf that tells nothing and looks like any other."""
    return _LEAF_VERSION + secrets.token_bytes(SALT_SIZE)
