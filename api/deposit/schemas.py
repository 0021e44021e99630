# SPDX-License-Identifier: EUPL-1.2
"""What the deposit face reads from addresses and headers, and what it answers.

Rules
  1. Headers are text of the depositor: UTF-8, bounded, refused with the field's name.
  2. The deposit secret is read into a buffer that the route overwrites; it stands in no answer and no error.

Left to others: which bidders, ids and paths may be (vault.deposit.announcement).
"""

import base64
import binascii
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import quote
from uuid import UUID

from fastapi import Header, Path, Query
from pydantic import BaseModel, ConfigDict

from api.auth import Actor
from api.part_names import PartName
from vault.deposit.own import Told
from vault.envelopes import Depositor, Wanted
from vault.errors import InvalidInput

LONGEST_LOT = 32  # issue 10: a lot's id
STATEMENT = "text/plain; charset=utf-8"  # a signed note is text
EVIDENCE = "application/cbor"


class StatementKind(StrEnum):
    """Which of an envelope's statements is meant."""

    RECEIPT = "receipt"
    WITHDRAWAL = "withdrawal"


class EnvelopeAddress:
    """Which envelope: its procedure, its lot, its id."""

    def __init__(
        self,
        procedure: Annotated[UUID, Path(description="The procedure.")],
        lot: Annotated[str, Path(max_length=LONGEST_LOT, description="The lot; `all` holds what is common to all.")],
        envelope: Annotated[UUID, Path(description="The envelope's id: a UUIDv4 that its depositor has drawn.")],
    ) -> None:
        self.procedure = procedure
        self.lot = lot
        self.envelope = envelope

    @property
    def path(self) -> str:
        """The envelope's address."""
        return f"/v1/procedures/{self.procedure}/lots/{quote(self.lot, safe='')}/envelopes/{self.envelope}"


class BidderHeader:
    """The bidder for whom the platform acts."""

    def __init__(
        self,
        bidder: Annotated[str, Header(description="`siret:` and 14 digits, `vat:…` or `other:…`; kept as it is.")],
    ) -> None:
        self.text = utf8(bidder, field="Bidder")

    def depositor(self, actor: Actor) -> Depositor:
        """Platform and bidder: together they are the depositor."""
        return Depositor(actor.platform, self.text)

    def wanted(self, actor: Actor, address: EnvelopeAddress) -> Wanted:
        """An envelope of this depositor."""
        return Wanted(self.depositor(actor), address.procedure, address.lot, address.envelope)


class DepositHeaders(BidderHeader):
    """Bidder, part and deposit secret of a deposit."""

    def __init__(
        self,
        bidder: Annotated[str, Header(description="`siret:` and 14 digits, `vat:…` or `other:…`; kept as it is.")],
        deposit_secret: Annotated[str, Header(description="32 random bytes, base64url; the vault keeps them nowhere.")],
        part: Annotated[PartName, Query(description="Which part of the bid this envelope is.")],
    ) -> None:
        super().__init__(bidder)
        self.secret = read_secret(deposit_secret)
        self.part = part.part

    def __repr__(self) -> str:
        return "DepositHeaders(…)"


def utf8(value: str, *, field: str) -> str:
    """A header's text: servers hand headers over as latin-1, depositors send UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError as error:
        raise InvalidInput(field, "text in UTF-8") from error


def read_secret(value: str) -> bytearray:
    """The deposit secret of its header; padding may be left away. InvalidInput when it is not base64url."""
    try:
        return bytearray(base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise InvalidInput("Deposit-Secret", "32 bytes as base64url") from None


class EnvelopeStatus(BaseModel):
    """An envelope, told to its depositor.

    `receipt`, `registration` and `withdrawal` are the signed notes as they were given; `proof` is where the journal's
    proof of the receipt's entry lies, once the box is closed.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    procedure: UUID
    lot: str
    part: PartName
    state: str
    verdict: int | None
    reason: str | None
    deadline: datetime
    received_at: datetime
    receipt: str | None
    registration: str | None
    withdrawal: str | None
    evidence: str | None
    proof: str | None

    @classmethod
    def of(cls, told: Told, address: EnvelopeAddress) -> Self:
        """The answer's body."""
        return cls(
            id=told.envelope_id,
            procedure=told.procedure,
            lot=told.lot,
            part=PartName.of(told.part),
            state=told.state.value,
            verdict=told.verdict or None,
            reason=told.reason or None,
            deadline=told.deadline,
            received_at=told.last_byte_at,
            receipt=_text(told.receipt),
            registration=_text(told.registration),
            withdrawal=_text(told.withdrawal),
            evidence=f"{address.path}/evidence" if told.receipt else None,
            proof=f"{address.path}/proof" if told.is_provable else None,
        )


def _text(note: bytes) -> str | None:
    return note.decode() or None
