# SPDX-License-Identifier: EUPL-1.2
"""What prints are made of, told in values: receipts, withdrawals, notices, closings, minutes, all really signed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property

from crypto.ceremony import MinutedEnvelope, Minutes, Outcome
from crypto.closing_rules import ClosedBox as RulesClosedBox
from crypto.deposit import (
    DepositRecord,
    Receipt,
    Registration,
    Ruling,
    Service,
    Verdict,
    Withdrawal,
    WithdrawalRecord,
)
from crypto.encoding import sha256
from crypto.events import Event, EventKind
from crypto.manifest import Document, documents_digest, documents_tag, tag_key
from crypto.policy import Mode
from crypto.receipt_evidence import CheckedReceipt, ReceiptEvidence, check_receipt
from crypto.statement import Kind, Statement
from tests.crypto.holders import DEADLINE
from tests.crypto.procedure import VAULT, Sealed, Told, holders
from tests.world import pki
from tests.world.authority import SimulatedAuthority
from vault.lifecycle import Reason
from vault.prints import ClosedBox, MinutedOpening, OpenedEnvelope

SECRET = bytes(range(32))
ENVELOPE = bytes.fromhex("0190f3a47c214e55a0b6d2c3e4f50617")
BIDDER = "siret:55208131766522"
SERVICE = Service(
    "Coffre des marchés du Grand Ouest", "3 contour de la Motte, 35000 Rennes, France", "+33 2 99 00 00 00"
)


def document(path: str, size: int = 1234) -> Document:
    """A document of a made-up content."""
    return Document(path, size, hashlib.sha256(path.encode()).digest())


DOCUMENTS = (
    document("Candidature/DC1 – lettre de candidature.pdf", 184_220),
    document("Candidature/DC2 – déclaration du candidat.pdf", 97_003),
    document("Offre technique/Mémoire technique, méthodologie et planning d’exécution détaillé.docx", 2_481_903),
    document("Offre technique/Plans/plans d’exécution.zip", 314_572_800),
    document("Offre financière/Bordereau des prix unitaires.xlsx", 48_118),
)


def told() -> Told:
    """A procedure with words of the length that buyers use."""
    made = holders(3, 5)
    names = ("Claire Le Goff", "Youssef Benali", "Anne-Marie Kerbrat", "Jean-Baptiste Dupont de l’Étang", "Ewen Riou")
    custodians = made.policy.groups[0]
    cards = tuple(
        replace(card, name=name, organisation="Ville de Rennes, direction de la commande publique")
        for card, name in zip(custodians.cards, names, strict=True)
    )
    policy = replace(
        made.policy,
        reference="2026-DCP-0417",
        title="Réhabilitation énergétique du groupe scolaire Léon-Grimault : gros œuvre, charpente et couverture",
        buyer="Ville de Rennes",
        groups=(replace(custodians, cards=cards), *made.policy.groups[1:]),
    )
    return Told(replace(made, policy=policy))


@dataclass
class Printed:
    """A told procedure with one deposit in box 1."""

    told: Told = field(default_factory=told)
    documents: Sequence[Document] = DOCUMENTS
    bidder: str = BIDDER
    verdict: Verdict = Verdict.IN_TIME
    reason: str = Reason.STAMPED_BEFORE_DEADLINE
    level: int = 1
    before: timedelta = timedelta(hours=1, minutes=12, seconds=2, milliseconds=750)

    @property
    def policies(self) -> tuple[bytes, ...]:
        """The policy notes."""
        return (self.told.signed().note,)

    @cached_property
    def record(self) -> DepositRecord:
        """What was deposited."""
        return DepositRecord(
            policy_hash=self.told.policy.hash,
            box=1,
            envelope_id=ENVELOPE,
            mode=Mode.SERVER,
            header_hash=sha256(b"header"),
            file_hash=sha256(b"file"),
            length=sum(one.size for one in self.documents) + 5_000,
            bidder=self.bidder,
            first_byte_at=DEADLINE - self.before - timedelta(minutes=3),
            last_byte_at=DEADLINE - self.before,
            documents_tag=documents_tag(tag_key(SECRET, ENVELOPE), self.documents),
        )

    @property
    def authority(self) -> SimulatedAuthority:
        """The authority that stamped it."""
        return SimulatedAuthority("a", lambda: self.record.last_byte_at + timedelta(seconds=1))

    def ruling(self, token: bytes) -> Ruling:
        """The verdict on it."""
        at = self.record.last_byte_at + timedelta(seconds=1, milliseconds=400)
        return Ruling(
            verdict=self.verdict,
            reason=self.reason,
            committed_at=at,
            tokens=(token,),
            level=self.level,
            event=Event(EventKind.ENVELOPE_SEALED, at, self.told.policy.procedure, self.record.imprint),
            salt=bytes(32),
            service=SERVICE,
            judged_by=self.told.policy.hash,
        )

    @cached_property
    def receipt(self) -> Statement:
        """The signed receipt."""
        return Receipt(self.record, self.ruling(self.authority.token(self.record.imprint))).statement.signed_by(VAULT)

    @cached_property
    def withdrawal(self) -> Statement:
        """The signed withdrawal of the same envelope."""
        record = WithdrawalRecord(self.record.policy_hash, 1, ENVELOPE, self.bidder, self.record.last_byte_at)
        return Withdrawal(record, self.ruling(self.authority.token(record.imprint))).statement.signed_by(VAULT)

    @property
    def registration(self) -> Statement:
        """The signed notice of the same deposit."""
        at = self.record.last_byte_at + timedelta(seconds=5)
        event = Event(EventKind.DEPOSIT_RECEIVED, at, self.told.policy.procedure, self.record.imprint)
        return Registration(self.record, at, event, bytes(32), SERVICE).statement.signed_by(VAULT)

    @cached_property
    def evidence(self) -> ReceiptEvidence:
        """The file beside receipt and withdrawal."""
        return ReceiptEvidence(
            self.policies, tuple(one.der for one in pki.time_anchors()), (self.authority.evidence(),)
        )

    def checked(self) -> CheckedReceipt:
        """The receipt, checked."""
        return check_receipt(self.receipt.note, self.evidence)

    def checked_withdrawal(self) -> CheckedReceipt:
        """The withdrawal, checked."""
        return check_receipt(self.withdrawal.note, self.evidence, kind=Kind.WITHDRAWAL)

    def closed(self, sealed: Sequence[Sealed]) -> ClosedBox:
        """A closing of these envelopes as prints take it."""
        return as_printed(self.told, self.told.closed(sealed))

    def minuted(
        self, closed: ClosedBox, *, failed: Sequence[int] = (), left_out: tuple[int, ...] = ()
    ) -> MinutedOpening:
        """Minutes of an opening of this closing; all envelopes hold the same documents."""
        told = self.told
        rules_box = RulesClosedBox(closed.closing, closed.entries, closed.tokens)
        opening = told.opening(rules_box, left_out=left_out)
        opened = tuple(
            OpenedEnvelope(index, f"siret:{55208131766522 + index}", tuple(self.documents))
            for index in range(len(closed.entries))
            if index not in failed and index not in left_out
        )
        said = [MinutedEnvelope(one.index, Outcome.OPENED, "", documents_digest(one.documents)) for one in opened]
        said += [MinutedEnvelope(index, Outcome.FAILED, "chunk") for index in failed]
        minutes = Minutes(
            opening_id=opening.id,
            keyed_id=sha256(b"keyed"),
            began=told.now,
            ended=told.now + timedelta(minutes=4, seconds=12),
            contributors=tuple(card.person for card in told.policy.groups[0].cards[: told.policy.groups[0].k]),
            envelopes=tuple(sorted(said, key=lambda one: one.index)),
        )
        return MinutedOpening(minutes.statement.signed_by(VAULT), opening, (closed,), opened)


def as_printed(told: Told, closed: RulesClosedBox) -> ClosedBox:
    """A closing of the rules with the revocation data that its tokens came with."""
    beside = tuple(authority.evidence() for authority in told.authorities())
    return ClosedBox(closed.statement, closed.envelopes, tuple(closed.tokens), beside)


def with_documents(printed: Printed, documents: Sequence[Document]) -> Printed:
    """The same deposit of other documents."""
    return replace(printed, documents=documents)
