# SPDX-License-Identifier: EUPL-1.2
"""Bodies of the routes from the closed box on."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from vault.opening.contributing import Contributed
from vault.opening.documents import OpenedEnvelope
from vault.opening.offer import Offered, Request
from vault.opening.showing import ShownOpening

MAX_BOXES = 4096  # protocol 3.8
MAX_LEFT_OUT = 10_000


class Strict(BaseModel):
    """A body without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpeningWanted(Strict):
    """What to open: boxes by number, admitted envelopes by id; which listed envelopes stay sealed."""

    boxes: list[int] = Field(default=[], max_length=MAX_BOXES, examples=[[1, 2]])
    admitted: list[UUID] = Field(default=[], max_length=MAX_BOXES)
    left_out: list[UUID] = Field(default=[], max_length=MAX_LEFT_OUT)

    def request(self) -> Request:
        return Request(tuple(self.boxes), admitted=tuple(self.admitted), left_out=tuple(self.left_out))


class OpeningOffered(Strict):
    """An opening that custodians may contribute to; `rotten` names envelopes whose stored bytes have changed."""

    id: str
    rotten: list[UUID]

    @classmethod
    def of(cls, offered: Offered) -> Self:
        return cls(id=offered.id.hex(), rotten=list(offered.rotten))


class ContributorView(Strict):
    """One custodian's contribution."""

    kid: str
    name: str
    state: str
    reason: str
    at: datetime


class OpeningView(Strict):
    """One opening as its parties see it."""

    id: str
    procedure: UUID
    attempt: int
    state: str
    boxes: list[int]
    began_at: datetime
    needed: int
    contributors: list[ContributorView]
    is_frozen: bool

    @classmethod
    def of(cls, shown: ShownOpening) -> Self:
        return cls(
            id=shown.id.hex(),
            procedure=shown.procedure,
            attempt=shown.attempt,
            state=shown.state.value,
            boxes=list(shown.boxes),
            began_at=shown.began_at,
            needed=shown.needed,
            contributors=[
                ContributorView(kid=one.kid.hex(), name=one.name, state=one.state, reason=one.reason, at=one.at)
                for one in shown.contributors
            ],
            is_frozen=shown.is_frozen,
        )


class ContributionAnswer(Strict):
    """What became of a contribution: stored (its shares are being tried), accepted, or refused and why."""

    id: str
    state: str
    reason: str
    accepted: int
    needed: int

    @classmethod
    def of(cls, given: Contributed) -> Self:
        return cls(
            id=given.id.hex(),
            state=given.state.value,
            reason=given.reason,
            accepted=given.accepted,
            needed=given.needed,
        )


class DecisionWanted(Strict):
    """Which late or review envelope to admit, and why."""

    envelope: UUID
    reason: str = Field(min_length=1, max_length=2000)


class DecisionAnswer(Strict):
    """How many custodians have signed the decision."""

    signed: int

    @classmethod
    def of(cls, signed: int) -> Self:
        return cls(signed=signed)


class DocumentView(Strict):
    """One opened document."""

    number: int
    path: str
    size: int
    sha256: str
    sha512: str


class EnvelopeView(Strict):
    """One envelope of a closed box; its documents once it is opened."""

    id: UUID
    box: int
    state: str
    bidder: str
    received_at: datetime
    documents: list[DocumentView]

    @classmethod
    def of(cls, one: OpenedEnvelope) -> Self:
        documents = [
            DocumentView(
                number=number, path=each.path, size=each.size, sha256=each.sha256.hex(), sha512=each.sha512.hex()
            )
            for number, each in enumerate(one.documents)
        ]
        return cls(
            id=one.id,
            box=one.box,
            state=one.state.value,
            bidder=one.bidder,
            received_at=one.received_at,
            documents=documents,
        )
