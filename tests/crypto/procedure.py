# SPDX-License-Identifier: EUPL-1.2
"""A procedure told in values: signed policies, sealed envelopes, closings with real tokens, openings.

Everything is signed by the one who should; a test changes one thing and sees it refused.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from crypto.bundle import BundledClosing, BundledToken, BundleHead
from crypto.ceremony import Closing, Decision, EnvelopeList, ListEntry, Minutes, Opening
from crypto.closing_rules import ClosedBox, Memory
from crypto.contribution import Holder
from crypto.encoding import sha256
from crypto.header import EnvelopeKind
from crypto.hpke import KemKey
from crypto.keys.file import MasterKey
from crypto.opening_rules import Dossier, DueOpening, EarlierBox, require_due
from crypto.policy import Opener, Policy, TimeQuorum
from crypto.statement import Signer, Statement
from crypto.timestamp import VerifiedTimestamp
from tests.crypto.holders import DEADLINE, Holders, head_of, make_holders
from tests.world import pki
from tests.world.authority import SimulatedAuthority

VAULT = Signer.from_seed("vault.example/statements", bytes(range(16, 48)))
JOURNAL = Signer.from_seed("vault.example/journal", bytes(range(17, 49)))
NOT_BEFORE = DEADLINE + timedelta(hours=1)
DUE = NOT_BEFORE + timedelta(minutes=5)


@cache
def holders(k: int = 2, n: int = 3, *, gates: tuple[int, int] = (1, 1)) -> Holders:
    """Holders of a kind, made once: their policy names the vault's keys and both time authorities."""
    made = make_holders(k, n, gates=gates)
    policy = replace(
        made.policy,
        journal_vkey=JOURNAL.verifier.vkey,
        statement_vkey=VAULT.verifier.vkey,
        time=TimeQuorum(2, tuple(anchor.hash for anchor in pki.time_anchors())),
    )
    return replace(made, policy=policy)


@dataclass(frozen=True)
class Sealed:
    """One envelope: what the list says of it, and its head."""

    entry: ListEntry
    framed: bytes = field(repr=False)
    whole: bytes = field(repr=False)


@dataclass
class Told:
    """A procedure up to an opening; `now` is what holders' clocks show."""

    holders: Holders = field(default_factory=holders)
    now: datetime = DUE
    opening_key: KemKey = field(default_factory=lambda: KemKey(os.urandom(32)))

    @property
    def policy(self) -> Policy:
        """The policy of epoch 0."""
        return self.holders.policy

    def signer(self, key: MasterKey) -> Signer:
        """A holder's signer under its proper name."""
        card = self.policy.card_of(key.kid)
        assert card is not None
        return key.signer(card.verifier.name)

    def holder(self, key: MasterKey) -> Holder:
        """A holder with both keys."""
        card = self.policy.card_of(key.kid)
        assert card is not None
        return Holder(card, key.kem, self.signer(key))

    @property
    def keys(self) -> tuple[MasterKey, ...]:
        """All holders' keys."""
        return self.holders.custodians + self.holders.gates + self.holders.trustees

    def signed(self, policy: Policy | None = None, keys: Sequence[MasterKey] | None = None) -> Statement:
        """A policy signed by the vault and these holders (all of them by default)."""
        statement = (policy or self.policy).statement.signed_by(VAULT)
        for key in self.keys if keys is None else keys:
            statement = statement.signed_by(self.signer(key))
        return statement

    def seal(self, *, box: int = 1, kind: EnvelopeKind = EnvelopeKind.BID) -> Sealed:
        """One envelope of one small document."""
        envelope_id = os.urandom(16)
        whole = self.holders.seal((("prix.txt", b"42\n"),), box=box, envelope_id=envelope_id, kind=kind)
        header = head_of(whole).header
        return Sealed(ListEntry(envelope_id, header.hash, sha256(whole), len(whole)), header.framed, whole)

    def closing(
        self, listed: Iterable[Sealed], *, box: int = 1, policy: Policy | None = None, decision: Statement | None = None
    ) -> Closing:
        """The closing of a box over these envelopes."""
        policy = policy or self.policy
        envelopes = self.envelopes(listed)
        return Closing(
            policy_hash=policy.hash,
            box=box,
            count=len(envelopes),
            root=envelopes.root,
            deadline=policy.box(box).deadline,
            at=policy.box(box).deadline + policy.settle,
            decision=decision.id if decision else None,
        )

    @staticmethod
    def envelopes(listed: Iterable[Sealed]) -> EnvelopeList:
        """The list of these envelopes."""
        return EnvelopeList(tuple(one.entry for one in listed))

    def closed(self, listed: Sequence[Sealed], *, closing: Closing | None = None) -> ClosedBox:
        """A signed closing with its list and tokens of both authorities."""
        statement = (closing or self.closing(listed)).statement.signed_by(VAULT)
        return ClosedBox(statement, self.envelopes(listed), self.tokens(statement.id))

    def supplementary(self, one: Sealed, *, keys: Sequence[MasterKey] | None = None) -> ClosedBox:
        """The closing of an admitted envelope, its decision signed by k custodians (or these)."""
        decision = self.decision(one.entry, keys=keys)
        closed = self.closed([one], closing=self.closing([one], decision=decision))
        return replace(closed, decision=decision)

    def decision(self, entry: ListEntry, *, box: int = 1, keys: Sequence[MasterKey] | None = None) -> Statement:
        """A decision signed by k custodians (or these)."""
        statement = Decision(self.policy.hash, box, entry, "token came late").statement
        for key in self.holders.custodians[: self.policy.groups[0].k] if keys is None else keys:
            statement = statement.signed_by(self.signer(key))
        return statement

    def authorities(self) -> tuple[SimulatedAuthority, ...]:
        """Both time authorities, now."""
        return tuple(SimulatedAuthority(which, lambda: self.now) for which in ("a", "b"))

    def tokens(self, over: bytes) -> tuple[VerifiedTimestamp, ...]:
        """Verified tokens of both authorities over a digest, now."""
        return tuple(authority.verified(over) for authority in self.authorities())

    def opening(self, *closed: ClosedBox, left_out: tuple[int, ...] = (), attempt: int = 1) -> Statement:
        """An opening of these closings, signed by vault and gates."""
        statement = Opening(
            policy_hash=self.policy.hash,
            closings=tuple(one.statement.id for one in closed),
            attempt=attempt,
            opening_key=self.opening_key.public,
            opener=Opener.VAULT,
            at=self.now,
            left_out=left_out,
        ).statement.signed_by(VAULT)
        for key in self.holders.gates:
            statement = statement.signed_by(self.signer(key))
        return statement

    def minuted(self, closed: ClosedBox) -> EarlierBox:
        """A box that was opened: its closing, an opening and its minutes."""
        opening = self.opening(closed)
        minutes = Minutes(opening.id, sha256(b"keyed"), self.now, self.now, (bytes(16),), ())
        return EarlierBox(closed.statement, opening, minutes.statement.signed_by(VAULT))

    def dossier(self, *closed: ClosedBox, opening: Statement | None = None) -> Dossier:
        """All that is shown for an opening."""
        return Dossier((self.signed(),), closed, opening or self.opening(*closed))

    @property
    def memory(self) -> Memory:
        """A holder that pinned epoch 0 and accepted nothing yet."""
        return Memory(self.policy.hash)

    def due(self, *closed: ClosedBox, left_out: tuple[int, ...] = (), memory: Memory | None = None) -> DueOpening:
        """An opening that passes every check."""
        opening = self.opening(*closed, left_out=left_out)
        return require_due(self.dossier(*closed, opening=opening), memory=memory or self.memory, now=self.now)

    def head(self, *closed: ClosedBox) -> BundleHead:
        """The same as it travels: tokens with their evidence, roots beside them."""
        return BundleHead(
            policies=(self.signed(),),
            closings=tuple(
                BundledClosing(one.statement, one.envelopes, self._bundled(one.statement.id), one.decision)
                for one in closed
            ),
            opening=self.opening(*closed),
            anchors=tuple(anchor.der for anchor in pki.time_anchors()),
        )

    def _bundled(self, over: bytes) -> tuple[BundledToken, ...]:
        return tuple(BundledToken(one.token(over), one.evidence()) for one in self.authorities())
