# SPDX-License-Identifier: EUPL-1.2
"""Bodies of the routes about procedures: what a buyer says, what everyone sees.

Rules
  1. Unknown fields are refused; a moment names its zone.
  2. Bytes travel as lower-case hexadecimal, statements and card files as the text that they are.

Left to others: whether the values fit each other (vault.procedures.plan).
"""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.part_names import PartName
from crypto.policy import Limits, Part, Policy, Role
from vault.procedures import Change, LotDraft, Move, PartDraft, ProcedureDraft
from vault.procedures.plan import ALL_LOTS, DEFAULT_SETTLE
from vault.procedures.reading import ShownBox, ShownEpoch, ShownHolder, ShownProcedure

MAX_PARTS = 4
MAX_LOTS = 4096
MAX_CUSTODIANS = 32
MAX_CARD_FILE = 16 * 1024
HASH_PATTERN = "^[0-9a-f]{64}$"

Words = Annotated[str, Field(min_length=1, max_length=200)]
LotId = Annotated[str, Field(min_length=1, max_length=32, examples=["1", ALL_LOTS])]
Settle = Annotated[int, Field(ge=45, le=3600, description="Seconds between deadline and closing.")]


class Wanted(BaseModel):
    """A body that is sent: no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EarlierPart(Wanted):
    """A part that must be opened before: of the same lot unless another is named."""

    part: PartName
    lot: LotId | None = None


class PartWanted(Wanted):
    """One part of a lot."""

    part: PartName
    deadline: AwareDatetime
    not_before: AwareDatetime | None = Field(
        default=None, description="When it may open; deadline and settle if absent."
    )
    k: int = Field(ge=1, le=MAX_CUSTODIANS, description="How many custodians open it.")
    custodians: list[Annotated[str, Field(max_length=MAX_CARD_FILE)]] = Field(
        min_length=1, max_length=MAX_CUSTODIANS, description="Card files of `bidvault custodian init`, as they are."
    )
    after: list[EarlierPart | PartName] = Field(default=[], max_length=MAX_LOTS)

    def draft(self, lot: str) -> PartDraft:
        """In the journey's words."""
        return PartDraft(
            part=self.part.part,
            deadline=self.deadline,
            custodians=tuple(card.encode() for card in self.custodians),
            k=self.k,
            not_before=self.not_before,
            after=tuple(_earlier(one, lot) for one in self.after),
        )


class LotWanted(Wanted):
    """One lot; `all` holds what is common to all lots."""

    id: LotId
    title: Words
    parts: list[PartWanted] = Field(min_length=1, max_length=MAX_PARTS)


class LimitsBody(Wanted):
    """The most that a deposit may be."""

    document: int = Field(ge=1, description="Bytes of one document.")
    envelope: int = Field(ge=1, description="Bytes of all documents of an envelope.")
    documents: int = Field(ge=1)
    deposits: int = Field(ge=1, description="Envelopes of one bidder in one box.")

    def limits(self) -> Limits:
        """In the policy's words."""
        return Limits(self.document, self.envelope, self.documents, self.deposits)

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """As it is shown."""
        return cls(
            document=limits.document, envelope=limits.envelope, documents=limits.documents, deposits=limits.deposits
        )


class ProcedureWanted(Wanted):
    """What a buyer says of a procedure. Boxes are numbered from 1 in the order of lots and parts."""

    reference: Words
    title: Words
    siret: str = Field(max_length=32, examples=["21350238800019"])
    buyer: Words
    lots: list[LotWanted] = Field(min_length=1, max_length=MAX_LOTS)
    zone: str = Field(default="Europe/Paris", max_length=64)
    settle: Settle = int(DEFAULT_SETTLE.total_seconds())
    limits: LimitsBody | None = Field(default=None, description="The deployment's if absent.")

    def draft(self) -> ProcedureDraft:
        """In the journey's words."""
        return ProcedureDraft(
            reference=self.reference,
            title=self.title,
            siret=self.siret,
            buyer=self.buyer,
            lots=tuple(
                LotDraft(lot.id, lot.title, tuple(part.draft(lot.id) for part in lot.parts)) for lot in self.lots
            ),
            zone=self.zone,
            settle=timedelta(seconds=self.settle),
            limits=self.limits.limits() if self.limits else None,
        )


class MoveWanted(Wanted):
    """New times of one box: later ones."""

    lot: LotId
    part: PartName
    deadline: AwareDatetime
    not_before: AwareDatetime | None = None


class AmendmentWanted(Wanted):
    """What is to change, and why. It is in force once enough custodians have signed."""

    reason: str = Field(min_length=1, max_length=2000)
    moves: list[MoveWanted] = Field(default=[], max_length=MAX_LOTS)
    settle: Settle | None = None
    limits: LimitsBody | None = None

    def change(self) -> Change:
        """In the journey's words."""
        return Change(
            reason=self.reason,
            moves=tuple(Move(one.lot, one.part.part, one.deadline, one.not_before) for one in self.moves),
            settle=None if self.settle is None else timedelta(seconds=self.settle),
            limits=self.limits.limits() if self.limits else None,
        )


class ConfirmationWanted(Wanted):
    """The hash as it stands in the printed notice."""

    policy_hash: str = Field(pattern=HASH_PATTERN)


class CancellationWanted(Wanted):
    """Why a procedure ends without an award."""

    reason: str = Field(min_length=1, max_length=2000)


class RehearsalAnswer(BaseModel):
    """Which canary the rehearsal was of."""

    canary: int


class SignatureAnswer(BaseModel):
    """What became of a signature: who has signed, and whether the policy is in force now."""

    epoch: int
    policy_hash: str
    signed_by: list[str]
    is_in_force: bool

    @classmethod
    def of(cls, epoch: ShownEpoch) -> Self:
        """As it is shown."""
        return cls(
            epoch=epoch.epoch,
            policy_hash=epoch.policy_hash.hex(),
            signed_by=list(epoch.signed_by),
            is_in_force=epoch.state.value == "in_force",
        )


class BoxView(BaseModel):
    """One box; its state once published."""

    number: int
    lot: str
    part: PartName
    deadline: datetime
    not_before: datetime
    group: int
    k: int
    n: int
    after: list[int]
    state: str | None

    @classmethod
    def of(cls, shown: ShownBox) -> Self:
        """As it is shown."""
        box = shown.box
        return cls(
            number=box.number,
            lot=box.lot,
            part=PartName.of(box.part),
            deadline=box.deadline,
            not_before=box.not_before,
            group=box.custodians,
            k=shown.group.k,
            n=len(shown.group.cards),
            after=list(box.after),
            state=None if shown.state is None else shown.state.value,
        )


class HolderView(BaseModel):
    """One custodian, and what they have done for this policy."""

    kid: str
    name: str
    organisation: str
    canaries: list[int]
    has_rehearsed: bool
    has_signed: bool
    has_confirmed: bool

    @classmethod
    def of(cls, shown: ShownHolder) -> Self:
        """As it is shown."""
        return cls(
            kid=shown.kid.hex(),
            name=shown.name,
            organisation=shown.organisation,
            canaries=list(shown.canaries),
            has_rehearsed=shown.has_rehearsed,
            has_signed=shown.has_signed,
            has_confirmed=shown.has_confirmed,
        )


class EpochView(BaseModel):
    """One epoch of the policy."""

    epoch: int
    policy_hash: str
    state: str
    reason: str
    signed_by: list[str]
    created_at: datetime

    @classmethod
    def of(cls, shown: ShownEpoch) -> Self:
        """As it is shown."""
        return cls(
            epoch=shown.epoch,
            policy_hash=shown.policy_hash.hex(),
            state=shown.state.value,
            reason=shown.reason,
            signed_by=list(shown.signed_by),
            created_at=shown.created_at,
        )


class LotView(BaseModel):
    """One lot."""

    id: str
    title: str


class ModalitiesView(BaseModel):
    """How envelopes are sealed and stamped (published for each procedure)."""

    sealing: str
    suite: int
    gates: list[str]
    time_quorum: int
    time_anchors: list[str]
    statement_key: str
    journal_key: str

    @classmethod
    def of(cls, policy: Policy, suite: int) -> Self:
        """As it is shown."""
        return cls(
            sealing=SEALING,
            suite=suite,
            gates=[card.kid.hex() for card in policy.cards(Role.GATE)],
            time_quorum=policy.time.q,
            time_anchors=[anchor.hex() for anchor in policy.time.anchors],
            statement_key=policy.statement_vkey,
            journal_key=policy.journal_vkey,
        )


SEALING = (
    "AES-256-GCM in chunks under a key that is split by Shamir among custodians and the gate; "
    "shares sealed with X-Wing (ML-KEM-768 and X25519); RFC 3161 time-stamps over SHA-256"
)


class ProcedureView(BaseModel):
    """A procedure as it is now."""

    id: UUID
    state: str
    reference: str
    title: str
    siret: str
    buyer: str
    zone: str
    epoch: int
    policy_hash: str = Field(description="Printed in the notice; each custodian compares it.")
    lots: list[LotView]
    boxes: list[BoxView]
    custodians: list[HolderView]
    unconfirmed: list[str] = Field(description="Custodians who have not entered the hash printed in the notice.")
    epochs: list[EpochView]
    canaries: int
    settle: int
    limits: LimitsBody
    modalities: ModalitiesView
    warnings: list[str]
    created_at: datetime
    published_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, shown: ShownProcedure) -> Self:
        """As it is shown."""
        policy = shown.policy
        return cls(
            id=shown.id,
            state=shown.state.value,
            reference=policy.reference,
            title=policy.title,
            siret=policy.siret,
            buyer=policy.buyer,
            zone=policy.zone,
            epoch=policy.epoch,
            policy_hash=policy.hash.hex(),
            lots=[LotView(id=number, title=title) for number, title in shown.lots],
            boxes=[BoxView.of(box) for box in shown.boxes],
            custodians=[HolderView.of(holder) for holder in shown.holders],
            unconfirmed=[holder.name for holder in shown.holders if not holder.has_confirmed],
            epochs=[EpochView.of(epoch) for epoch in shown.epochs],
            canaries=shown.canaries,
            settle=int(policy.settle.total_seconds()),
            limits=LimitsBody.of(policy.limits),
            modalities=ModalitiesView.of(policy, shown.suite),
            warnings=list(shown.warnings),
            created_at=shown.created_at,
            published_at=shown.published_at,
            ended_at=shown.ended_at,
        )


def _earlier(one: EarlierPart | PartName, lot: str) -> tuple[str, Part]:
    if isinstance(one, PartName):
        return lot, one.part
    return one.lot or lot, one.part.part
