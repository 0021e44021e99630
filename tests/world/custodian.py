# SPDX-License-Identifier: EUPL-1.2
"""A custodian in a test: keys in memory, a clock of their own, and what the tool would remember."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO

from crypto.bundle import BundleReader
from crypto.ceremony import Rehearsal
from crypto.closing_rules import Memory
from crypto.contribution import Holder, contribute
from crypto.header import EnvelopeKind
from crypto.keys.file import MasterKey
from crypto.opening_rules import require_canary, require_due
from crypto.policy import LOCAL_ISSUER, Card, Policy, Role, holder_name, person_id, write_card_file
from crypto.sealing import bytes_reader, open_slot, read_head
from crypto.statement import Kind, Statement, parse_note

FROM = datetime(2026, 1, 1, tzinfo=UTC)
TO = datetime(2028, 12, 1, tzinfo=UTC)


@dataclass
class Custodian:
    """One person with one key.

    Attributes:
        subject: their login.
        clock: their own clock.
        memory: what their tool pinned and accepted.
    """

    subject: str
    clock: Callable[[], datetime]
    memory: Memory | None = None
    master: MasterKey = field(default_factory=lambda: MasterKey.generate(Role.CUSTODIAN))

    @property
    def person(self) -> bytes:
        return person_id(LOCAL_ISSUER, self.subject)

    @property
    def card(self) -> Card:
        return Card(
            role=Role.CUSTODIAN,
            kem=self.master.kem.public,
            sig=self.master.sig,
            name=self.subject,
            organisation="Ville de Rennes",
            person=self.person,
            valid_from=FROM,
            valid_to=TO,
        )

    @property
    def card_file(self) -> bytes:
        return write_card_file(self.card)

    @property
    def holder(self) -> Holder:
        name = holder_name(Role.CUSTODIAN, self.master.kid)
        return Holder(self.card, self.master.kem, self.master.signer(name))

    def rehearse(self, policy: Policy, canaries: list[bytes]) -> Iterator[Statement]:
        """Open each canary of one's own and sign what it held; then pin the policy."""
        for canary in canaries:
            head = read_head(bytes_reader(canary))
            header = require_canary(head.header.framed, policy)
            if self.master.kid not in {slot.kid for group in header.groups for slot in group.slots}:
                continue
            share = open_slot(header, self.master.kid, self.master.kem, kind=EnvelopeKind.CANARY)
            said = Rehearsal(policy.hash, self.master.kid, header.hash, bytes(share))
            yield said.statement.signed_by(self.holder.signer)
        self.memory = Memory(pinned=policy.hash)

    def sign(self, statement: Statement) -> Statement:
        """Sign a policy, an amendment or a decision."""
        return statement.signed_by(self.holder.signer)

    def contribute(self, bundle: bytes) -> Statement:
        """Make every check of the tool over a bundle, then one's contribution."""
        assert self.memory is not None
        reader = BundleReader(BytesIO(bundle))
        policy = Policy.of(reader.head.policies[-1])
        dossier = reader.head.judged(reader.head.anchors_named_by(policy))
        due = require_due(dossier, memory=self.memory, now=self.clock())
        self.memory = due.memory
        return contribute(due, reader.headers(), holder=self.holder).statement

    def amend(self, note: bytes) -> Statement:
        """Sign an amendment and pin it."""
        statement = self.sign(parse_note(note, Kind.POLICY))
        self.memory = Memory(pinned=Policy.of(statement).hash)
        return statement
