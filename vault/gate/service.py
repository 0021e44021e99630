# SPDX-License-Identifier: EUPL-1.2
"""The gate's acts: it makes cards, accepts policies and closings, signs openings, and releases its shares.

Rules
  1. It gets bytes and checks them from what it accepted before; nothing is taken from the vault's word.
  2. Epochs of a policy only rise; a box has one main closing, ever; a decision has one closing, ever.
  3. Its shares go out only for a signed opening, with k valid contributions of distinct persons, when its own
     clock and a quorum of time authorities say that `not_before` has passed.
  4. The same question again gets the same answer, byte for byte.
  5. A refusal is a `CryptoError`; nothing is written then, and the caller journals `gate.refused`.

Left to others: where tokens come from (vault.authorities), the order of acts (journeys), journaling (the caller).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event as Flag
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session

from crypto.bundle import BundleHead
from crypto.ceremony import Opening, Rehearsal
from crypto.certificates import Anchor
from crypto.closing_rules import PolicyChain
from crypto.closings import Closing
from crypto.contribution import Holder, contribute
from crypto.errors import PolicyError, StateError
from crypto.events import Event
from crypto.header import EnvelopeKind
from crypto.opening_rules import (
    DueEntry,
    DueOpening,
    require_canary,
    require_close_proof,
    require_contribution,
    require_due,
    require_quorum,
)
from crypto.policy import Card, Policy, Role, person_id
from crypto.reader import bytes_reader, read_head
from crypto.slots import open_slot
from crypto.statement import Kind, Statement, parse_note
from vault.errors import ObjectMissing, RolledBack
from vault.gate import checks, records
from vault.gate.keys import GateHolder, GateKeys
from vault.gate.memory import missing_act
from vault.gate.models import AcceptedClosing, AcceptedPolicy, Released, SignedOpening
from vault.gate.records import GateRecords, ShownClosing
from vault.rows import Stamp
from vault.work import Clock

HeaderReader = Callable[[DueEntry], bytes]
CARD_LIFETIME = timedelta(days=3 * 365)  # protocol 3.2


@dataclass(frozen=True)
class Gate:
    """The built-in gate of a deployment.

    Attributes:
        engine: the database under the gate's own role.
        clock: the gate's own.
        keys: its root and the wrapped seeds.
        anchors: the time authorities' roots as the gate was given them, not as a policy names them.
    """

    engine: Engine = field(repr=False)
    clock: Clock
    keys: GateKeys
    anchors: tuple[Anchor, ...]
    name: str = "gate"
    organisation: str = "bidvault"
    _refusing: Flag = field(default_factory=Flag, repr=False, compare=False)

    @property
    def records(self) -> GateRecords:
        """The gate's rows."""
        return GateRecords(self.engine)

    def make_card(self, procedure: UUID) -> Card:
        """Draw the procedure's seed (once) and give the card of its keys."""
        holder = self.keys.create(procedure)
        now = self.clock.now()
        return Card(
            role=Role.GATE,
            kem=holder.kem.public,
            sig=holder.signer.verifier.public,
            name=self.name,
            organisation=self.organisation,
            person=person_id("bidvault", f"gate:{self.name}"),
            valid_from=now,
            valid_to=now + CARD_LIFETIME,
        )

    def rehearse(self, policy: Policy, canary: bytes) -> Statement:
        """Open the gate's slot of a canary and sign what it held, as every holder does before publication.

        Raises:
            KindError: a bid presented as a canary; no slot of it is touched.
            PolicyError, HoldersError: of another policy than this one, or the gate's card is not in it.
        """
        holder = self._holder(UUID(bytes=policy.procedure))
        checks.require_own_policy(policy, kid=holder.kid, anchors=self.anchors)
        header = require_canary(read_head(bytes_reader(canary)).header.framed, policy)
        share = open_slot(header, holder.kid, holder.kem, kind=EnvelopeKind.CANARY)
        return Rehearsal(policy.hash, holder.kid, header.hash, bytes(share)).statement.signed_by(holder.signer)

    def accept_policy(self, note: bytes) -> Statement:
        """Store a policy that its holders have signed, and sign it; the same policy again gives the same signature.

        Raises:
            PolicyError: an older or equal epoch, a lowered value, a box already closing or past its deadline.
            SignatureError: too few holders have signed.
        """
        statement = parse_note(note, Kind.POLICY)
        policy = Policy.of(statement)
        procedure = UUID(bytes=policy.procedure)
        holder = self._holder(procedure)
        checks.require_own_policy(policy, kid=holder.kid, anchors=self.anchors)
        with self._open(procedure) as session:
            chain = records.policies(session, procedure)
            signed = statement.signed_by(holder.signer)
            if chain and chain[-1].hash == policy.hash:
                return signed
            closed = records.main_closings(session, procedure)
            now = self.clock.now()
            checks.require_next(chain[-1] if chain else None, policy, now=now, closed=closed.keys())
            checks.require_holders_signed(statement, policy)
            session.add(
                AcceptedPolicy(
                    procedure_id=procedure, epoch=policy.epoch, policy_hash=policy.hash, note=signed.note, at=now
                )
            )
        return signed

    def holds_policy(self, policy_hash: bytes) -> bool:
        """Whether the gate has stored this policy: an act that was broken off goes on."""
        with self.records.read() as session:
            return records.policy_row(session, policy_hash) is not None

    def accept_closing(
        self, note: bytes, entries: bytes, tokens: Sequence[Stamp], *, decision: bytes | None = None
    ) -> None:
        """Store a box's closing with its list (C4); the same closing again changes nothing.

        Args:
            note: the closing, signed by the vault.
            entries: the encoded list.
            tokens: those of C1, over the policy's closing request.
            decision: the custodians' note that a supplementary closing stands on.

        Raises:
            StateError: the box, or the decision, has another closing already.
            ListError: the list does not give the root, or the decision is another's.
            TimeProofError: deadline and settle are not proved to have passed.
            PolicyError, SignatureError: not the policy in force for this box; not the vault's.
        """
        shown = ShownClosing(note, entries, decision)
        closed = shown.parsed()
        procedure = self._procedure_of(Closing.of(closed.statement).policy_hash)
        with self._open(procedure) as session:
            if (known := session.get(AcceptedClosing, closed.statement.id)) is not None:
                checks.require_same_list(known.list, entries)
                return
            chain = PolicyChain(records.policies(session, procedure))
            checked = checks.require_accepted(chain, closed, memory=records.memory(session, procedure, chain))
            over = checked.policy.close_request(checked.box)
            proofs = checks.judge_tokens(tokens, over=over, policy=checked.policy, anchors=self.anchors)
            require_close_proof(checked.policy, checked.box, proofs)
            records.add_closing(session, checked, shown, procedure=procedure, at=self.clock.now())

    def sign_opening(self, head: BundleHead) -> Statement:
        """Sign an opening that passes every check of 4.6 (O2); the same opening again gives the same signature.

        Args:
            head: all of the opening's bundle but its headers, signed by the vault.

        Raises:
            StateError: a closing that the gate has not accepted, an attempt that is not a new one, other envelopes
                than a release of the same closings gave out, a box to be opened before.
            CryptoError: as `crypto.opening_rules.require_due`.
        """
        procedure = self._procedure_of(Opening.of(head.opening).policy_hash)
        holder = self._holder(procedure)
        with self._open(procedure) as session:
            if (known := session.get(SignedOpening, head.opening.id)) is not None:
                return parse_note(known.note, Kind.OPENING)
            due = self._require_due(session, procedure, head, is_signed_by_gates=False)
            earlier = records.openings_over(session, procedure, frozenset(due.opening.closings))
            checks.require_new_attempt(due.opening, earlier, released=records.released(session, earlier))
            signed = head.opening.signed_by(holder.signer)
            session.add(
                SignedOpening(
                    id=due.id,
                    procedure_id=procedure,
                    attempt=due.opening.attempt,
                    closings=list(due.opening.closings),
                    note=signed.note,
                    at=self.clock.now(),
                )
            )
        return signed

    def release(self, head: BundleHead, contributions: Iterable[bytes], header: HeaderReader) -> Statement:
        """Give the gate's shares for a signed opening (O4); the same again gives the same bytes.

        Args:
            head: all of the opening's bundle but its headers.
            contributions: the custodians' signed notes.
            header: prefix and header of a listed envelope; empty where the vault has none.

        Raises:
            StateError: an opening that the gate did not sign, or that a newer attempt replaced.
            QuorumError: fewer than k valid contributions of distinct persons.
            CryptoError: as `require_due` and `require_contribution`.
        """
        procedure = self._procedure_of(Opening.of(head.opening).policy_hash)
        holder = self._holder(procedure)
        with self._open(procedure) as session:
            if (known := session.get(Released, head.opening.id)) is not None:
                return parse_note(known.note, Kind.RELEASE)
            self._require_signed(session, procedure, head.opening.id)
            due = self._require_due(session, procedure, head, is_signed_by_gates=True)
        said = [require_contribution(parse_note(note, Kind.CONTRIBUTION), due) for note in contributions]
        require_quorum(said, due)
        # Slots are opened outside a transaction: an opening may list 262 144 of them.
        headers = (b"" if entry.is_left_out else header(entry) for entry in due.entries)
        card = checks.own_card(due.gates, holder.kid)
        made = contribute(due, headers, holder=Holder(card, holder.kem, holder.signer)).statement
        with self._open(procedure) as session:
            if (known := session.get(Released, due.id)) is not None:
                return parse_note(known.note, Kind.RELEASE)
            self._require_signed(session, procedure, due.id)
            session.add(Released(opening_id=due.id, id=made.id, note=made.note, at=self.clock.now()))
        return made

    def require_not_rolled_back(self, events: Iterable[Event]) -> None:
        """Compare the journal with what the gate remembers (T52).

        Args:
            events: the journal's events; those that tell of the gate's acts are looked up, all others passed over.

        Raises:
            RolledBack: the gate does not remember one of them; it refuses everything from now on.
        """
        with self.records.read() as session:
            missing = missing_act(session, events)
        if missing is not None:
            self._refusing.set()
            raise RolledBack(f"the gate does not remember what the journal tells: {missing.kind.value}")

    def _require_due(
        self, session: Session, procedure: UUID, head: BundleHead, *, is_signed_by_gates: bool
    ) -> DueOpening:
        chain = PolicyChain(records.policies(session, procedure))
        memory = records.memory(session, procedure, chain)
        checks.require_known_closings(Opening.of(head.opening), memory)
        policy = chain.latest
        anchors = [anchor for anchor in self.anchors if anchor.hash in policy.time.anchors]
        return require_due(
            head.judged(anchors), memory=memory, now=self.clock.now(), is_signed_by_gates=is_signed_by_gates
        )

    @staticmethod
    def _require_signed(session: Session, procedure: UUID, opening_id: bytes) -> None:
        row = session.get(SignedOpening, opening_id)
        if row is None:
            raise StateError("the gate has not signed this opening")
        if records.openings_over(session, procedure, frozenset(row.closings))[-1].id != opening_id:
            raise StateError("a newer attempt has replaced this opening")

    def _open(self, procedure: UUID) -> AbstractContextManager[Session]:
        self._require_memory()
        return self.records.open(procedure)

    def _require_memory(self) -> None:
        if self._refusing.is_set():
            raise StateError("the gate's memory is behind the journal: it refuses until it is recovered")

    def _holder(self, procedure: UUID) -> GateHolder:
        try:
            return self.keys.get(procedure)
        except ObjectMissing as error:
            raise PolicyError("the gate has no key for this procedure") from error

    def _procedure_of(self, policy_hash: bytes) -> UUID:
        with self.records.read() as session:
            row = records.policy_row(session, policy_hash)
        if row is None:
            raise PolicyError("the gate knows no such policy")
        return row.procedure_id
