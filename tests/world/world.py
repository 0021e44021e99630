# SPDX-License-Identifier: EUPL-1.2
"""The world of a test: a vault on a real database, with stores, authorities, clocks and people that a test moves.

A test changes the objects (`world.time.a.silent = True`) and acts; nothing is patched.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID, uuid4

from sqlmodel import col, select

from crypto.closings import EnvelopeList
from crypto.keys.file import MasterKey
from crypto.policy import Part, Policy, Role
from crypto.statement import Kind, Statement
from deploy.embedded import Addresses
from tests.world import pki
from tests.world.authority import TimeWorld
from tests.world.custodian import Custodian
from tests.world.store import MemoryKeyStore, MemoryObjectStore
from vault import closing, procedures, withdrawal
from vault.deposit.announcement import AnnouncedDocument, DepositRequest, Piece
from vault.deposit.journey import deposit
from vault.envelopes import Addressed, Depositor
from vault.gate.keys import GateKeys
from vault.gate.service import Gate
from vault.keys import Keychain, ServiceKeys
from vault.lifecycle import BoxState
from vault.models import BoxRow, Canary, ClosingRow, PolicyRow
from vault.opening import contributing, documents, due, keying, offer, reading
from vault.procedures import Caller
from vault.procedures.plan import LotDraft, PartDraft, ProcedureDraft
from vault.receiving import Acknowledgement
from vault.settings import Authority, BucketAccess, Settings
from vault.work import Works, connect

PLATFORM = "default"
SIRET = "21350238800019"
ACME = "siret:55208131766522"
ZENITH = "siret:44306184100047"
ORIGIN = "vault.test"
BUYER = Caller("buyer@rennes", PLATFORM, organisation=SIRET)


@dataclass
class MovableClock:
    """The vault's clock: the world's time, and how far it is off."""

    time: TimeWorld
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return self.time.clock() + self.ahead


@dataclass
class WholeBody:
    """A deposit's body that is all there."""

    contents: tuple[bytes, ...]
    clock: MovableClock
    block: int = 1 << 16
    breaks: Exception | None = None  # raised after the first piece
    last_byte_at: datetime = field(init=False)

    def __iter__(self) -> Iterator[Piece]:
        for number, content in enumerate(self.contents):
            for offset in range(0, len(content), self.block):
                yield Piece(number, memoryview(content)[offset : offset + self.block])
                if self.breaks is not None:
                    raise self.breaks
        self.last_byte_at = self.clock.now()


@cache
def service_keys() -> ServiceKeys:
    """The vault's keys of all worlds: drawing them once saves time and proves nothing less."""
    return ServiceKeys(
        root=bytes(MasterKey.generate(Role.ROOT).root_key),
        statement=MasterKey.generate(Role.STATEMENT).signer(f"{ORIGIN}/statements"),
        journal=MasterKey.generate(Role.JOURNAL).signer(f"{ORIGIN}/journal"),
    )


class World:
    """One vault and its surroundings."""

    def __init__(self, addresses: Addresses) -> None:
        self.time = TimeWorld()
        self.clock = MovableClock(self.time)
        self.gate_clock = MovableClock(self.time)
        self.store = MemoryObjectStore(clock=self.clock.now)
        self.key_store = MemoryKeyStore()
        self.home = Path(mkdtemp(prefix="bidvault-world-"))
        self.engines = [connect(addresses.database_url, pool_size=4), connect(addresses.gate_database_url, pool_size=2)]
        self.works = self.start()
        self.custodians = [Custodian(name, self.time.clock) for name in ("alice", "bruno", "chloe", "david", "emma")]
        self.secrets: dict[UUID, bytes] = {}
        self.procedure = UUID(int=0)

    def start(self) -> Works:
        """A process of the vault on what is stored: after a crash, start again."""
        keys = service_keys()
        return Works(
            engine=self.engines[0],
            clock=self.clock,
            settings=_settings(self.home),
            store=self.store,
            key_store=self.key_store,
            keys=Keychain(keys.root, self.key_store),
            service_keys=keys,
            authorities=self.time.authorities,
            gate=Gate(
                engine=self.engines[1],
                clock=self.gate_clock,
                keys=GateKeys(bytes(range(32)), self.key_store),
                anchors=pki.time_anchors(),
            ),
        )

    def close(self) -> None:
        for engine in self.engines:
            engine.dispose()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.time.clock()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.box().policy

    @property
    def deadline(self) -> datetime:
        return self.box().box.deadline

    def box(self, number: int = 1) -> Addressed:
        with self.works.open() as work:
            return closing.addressed(work, self.box_id(number))

    def box_id(self, number: int = 1) -> int:
        with self.works.open() as work:
            one = select(BoxRow.id).where(BoxRow.procedure_id == self.procedure, BoxRow.number == number)
            box_id = work.session.exec(one).one()
        assert box_id is not None
        return box_id

    def box_state(self, number: int = 1) -> BoxState:
        with self.works.open() as work:
            return work.session.get_one(BoxRow, self.box_id(number)).state

    def draft(self, *, lots: tuple[LotDraft, ...] | None = None, k: int = 3, n: int = 5) -> ProcedureDraft:
        """A procedure of one lot with a technical and a financial part, due in a day."""
        cards = tuple(one.card_file for one in self.custodians[:n])
        deadline = self.now + timedelta(days=1)
        parts = tuple(PartDraft(part, deadline, cards, k) for part in (Part.TECHNICAL, Part.FINANCIAL))
        return ProcedureDraft(
            reference="2026-MP-017",
            title="Rénovation de la piscine",
            siret=SIRET,
            buyer="Ville de Rennes",
            lots=lots or (LotDraft("1", "Gros œuvre", parts),),
        )

    def publish(self, wanted: ProcedureDraft | None = None) -> UUID:
        """A procedure all the way: drafted, rehearsed and signed by everyone, published, confirmed."""
        self.procedure = procedures.draft(self.works, BUYER, wanted or self.draft())
        self.rehearse_all()
        policy = procedures.publish(self.works, BUYER, self.procedure)
        for one in self.named(policy):
            procedures.confirm(self.works, self.caller(one), self.procedure, printed=policy.hash)
        return self.procedure

    def rehearse_all(self) -> None:
        """Every custodian named opens their canaries and signs."""
        with self.works.open() as work:
            row = work.session.get_one(PolicyRow, (self.procedure, 0))
            found = select(Canary.file).where(Canary.policy_hash == row.policy_hash).order_by(col(Canary.number))
            canaries = list(work.session.exec(found))
        policy = Policy.decode(row.payload)
        for one in self.named(policy):
            for said in one.rehearse(policy, canaries):
                procedures.rehearse(self.works, self.caller(one), self.procedure, epoch=0, note=said.note)
            signed = one.sign(Statement(Kind.POLICY, row.payload))
            procedures.sign(self.works, self.caller(one), self.procedure, epoch=0, note=signed.note)

    def named(self, policy: Policy) -> list[Custodian]:
        """The custodians that a policy names."""
        return [one for one in self.custodians if policy.card_of(one.master.kid) is not None]

    def caller(self, custodian: Custodian) -> Caller:
        return Caller(custodian.subject, PLATFORM, person=custodian.person)

    def offer(self, *boxes: int, left_out: tuple[UUID, ...] = (), admitted: tuple[UUID, ...] = ()) -> bytes:
        """Offer an opening over closed boxes; gives its id."""
        request = offer.Request(boxes, admitted=admitted, left_out=left_out)
        return offer.offer(self.works, PLATFORM, self.procedure, request).id

    def bundle(self, opening_id: bytes) -> bytes:
        return b"".join(due.bundle(self.works, opening_id))

    def contribute(self, opening_id: bytes, custodian: Custodian) -> contributing.Contributed:
        """One custodian's tool checks the bundle and contributes."""
        return self.hand_in(opening_id, custodian, custodian.contribute(self.bundle(opening_id)).note)

    def hand_in(self, opening_id: bytes, custodian: Custodian, note: bytes) -> contributing.Contributed:
        """Send what a custodian's tool has made."""
        return contributing.contribute(self.works, PLATFORM, opening_id, note=note, person=custodian.person)

    def advance(self, opening_id: bytes) -> bool:
        """What the worker does with an opening; true once it is minuted."""
        offer.sign(self.works, opening_id)
        if not keying.key(self.works, opening_id):
            return False
        reading.read_all(self.works, opening_id)
        return True

    def open_boxes(self, *boxes: int, by: int = 3) -> bytes:
        """Offer, contribute by so many custodians, key, read."""
        opening_id = self.offer(*boxes)
        for one in self.custodians[:by]:
            self.contribute(opening_id, one)
        assert self.advance(opening_id)
        return opening_id

    def opened(self) -> dict[UUID, dict[str, bytes]]:
        """The bytes of every opened document, by envelope and path."""
        found = {}
        for one in documents.list_envelopes(self.works, PLATFORM, self.procedure):
            read = {}
            for number, facts in enumerate(one.documents):
                document = documents.find_document(
                    self.works, PLATFORM, self.procedure, envelope_id=one.id, number=number, reader="buyer"
                )
                read[facts.path] = b"".join(document.read(self.works))
            if read:
                found[one.id] = read
        return found

    def close_box(self, number: int = 1) -> Statement:
        return closing.close(self.works, self.box_id(number))

    def listed(self, number: int = 1) -> list[UUID]:
        """The envelopes that the box's main closing lists."""
        with self.works.open() as work:
            main = select(ClosingRow).where(
                ClosingRow.box_id == self.box_id(number), col(ClosingRow.decision_id).is_(None)
            )
            row = work.session.exec(main).one()
            return [UUID(bytes=entry.envelope_id) for entry in EnvelopeList.decode(row.list).entries]

    def after_settle(self, number: int = 1) -> None:
        """Move time past the box's deadline, settle and not_before."""
        box = self.box(number).box
        self.time.clock.now = max(box.not_before, self.now) + timedelta(seconds=5)

    def deposit(  # noqa: PLR0913 each may be given, none must
        self,
        bidder: str = ACME,
        documents: Mapping[str, bytes] | None = None,
        *,
        at: datetime | None = None,
        envelope_id: UUID | None = None,
        part: Part = Part.TECHNICAL,
        lot: str = "1",
        secret: bytes | None = None,
    ) -> "Deposited":
        """Deposit one envelope, moving time to `at` first."""
        if at is not None:
            self.time.clock.now = at
        envelope_id = envelope_id or uuid4()
        secret = secret or self.secrets.setdefault(envelope_id, os.urandom(32))
        documents = documents or {"mémoire.pdf": b"%PDF " + bidder.encode() * 40, "prix.txt": b"42\n"}
        request = DepositRequest(
            platform=PLATFORM,
            procedure=self.procedure,
            lot=lot,
            part=part,
            envelope_id=envelope_id,
            bidder=bidder,
            secret=secret,
            documents=tuple(AnnouncedDocument(path, len(content)) for path, content in documents.items()),
        )
        body = WholeBody(tuple(documents.values()), self.clock)
        return Deposited(envelope_id, deposit(self.works, request, body))

    def withdraw(self, envelope_id: UUID, bidder: str = ACME, *, lot: str = "1") -> Acknowledgement:
        return withdrawal.withdraw(
            self.works, Depositor(PLATFORM, bidder), envelope_id, procedure=self.procedure, lot=lot
        )


@dataclass(frozen=True)
class Deposited:
    """A deposit and what its depositor got."""

    id: UUID
    acknowledgement: Acknowledgement


def _settings(home: Path) -> Settings:
    nowhere = "nothing listens here"
    return Settings(
        database_url=nowhere,
        gate_database_url=nowhere,
        s3_endpoint="http://127.0.0.1:9",
        objects=BucketAccess(bucket="objects", access_key="a", secret_key="s"),
        key_store=BucketAccess(bucket="keys", access_key="k", secret_key="s"),
        authorities=tuple(Authority(name=one, url=f"{pki.HOST}/{one}", anchor=home) for one in ("a", "b")),
        keys=home,
        passphrase_file=home / "passphrase",
        origin=ORIGIN,
    )
