# SPDX-License-Identifier: EUPL-1.2
"""The signed rules of a procedure's boxes, and what an amendment may change (protocol 3.3).

Rules
  1. A policy is in force with the signatures of the vault, every gate, and at epoch 0 every card holder,
     later at least max(k, n-k+1) of each custodian group, so that every quorum holds a signer.
  2. An amendment only raises deadlines, not_before, settle and limits; all else stays byte for byte, and a box
     that is closing or past its deadline is not touched.
  3. No key stands twice in a policy; no box opens before its deadline has settled.

Left to others: the parts (crypto.policy_parts), who pins what (crypto.opening_rules, the custodian's tool),
storing epochs (vault.gate).
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crypto.algorithms import HASH_SIZE, ID_SIZE, untrusted_at
from crypto.encoding import MAX_ITEMS, MAX_TLOG_TEXT, Cbor, Fields, encode, label, require_uint, sha256, to_millis, u64
from crypto.errors import FormatError, KindError, PolicyError
from crypto.policy_parts import (
    LOCAL_ISSUER,
    MAX_BOXES,
    MAX_CARDS,
    Box,
    Card,
    Group,
    Limits,
    Mode,
    Opener,
    Part,
    Role,
    TimeQuorum,
    holder_name,
    key_id,
    person_id,
    read_card_file,
    require_distinct,
    require_rising,
    write_card_file,
)
from crypto.statement import MAX_POLICY, Kind, Statement, Verifier, require_signers

__all__ = [
    "LOCAL_ISSUER",
    "Box",
    "Card",
    "Group",
    "Limits",
    "Mode",
    "Opener",
    "Part",
    "Policy",
    "Role",
    "TimeQuorum",
    "holder_name",
    "key_id",
    "person_id",
    "read_card_file",
    "require_amendment",
    "require_confirmed",
    "require_in_force",
    "require_lasting",
    "require_rehearsed",
    "write_card_file",
]

VERSION = 1
SETTLE_SECONDS = (45, 3600)  # protocol 3.3
_MANDATORY = (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)


@dataclass(frozen=True)
class Policy:
    """The rules of one procedure at one epoch."""

    procedure: bytes
    epoch: int
    previous: bytes | None
    reference: str
    title: str
    siret: str
    buyer: str
    zone: str
    boxes: tuple[Box, ...]
    groups: tuple[Group, ...]
    time: TimeQuorum
    journal_vkey: str
    statement_vkey: str
    limits: Limits
    settle: timedelta = timedelta(seconds=60)
    modes: tuple[Mode, ...] = (Mode.SERVER,)
    opener: Opener = Opener.VAULT
    tlog_policy: str = ""

    @functools.cached_property
    def payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return encode(_policy_map(self))

    def encode(self) -> bytes:
        """The canonical bytes that are signed."""
        return self.payload

    @functools.cached_property
    def hash(self) -> bytes:
        """policy_hash = H(payload)."""
        return sha256(self.payload)

    @classmethod
    def decode(cls, data: bytes) -> "Policy":
        """Read a payload strictly.

        Raises:
            FormatError: not canonical, out of bounds, or its parts contradict each other.
        """
        items = MAX_ITEMS + len(data) * 2 // 3  # boxes to open first take a byte or three each, their box 27 besides
        fields = Fields.decode(data, limit=MAX_POLICY, mandatory=_MANDATORY, optional=(4,), items=items)
        policy = _read_policy(fields)
        _require_sound(policy)
        return policy

    @classmethod
    def of(cls, statement: Statement) -> "Policy":
        """The policy a statement carries; its signatures are checked by `require_in_force`."""
        if statement.kind is not Kind.POLICY:
            raise KindError("not a policy")
        return cls.decode(statement.payload)

    @property
    def statement(self) -> Statement:
        """The statement to be signed."""
        return Statement(Kind.POLICY, self.payload)

    @property
    def vault_verifier(self) -> Verifier:
        """The vault's statement key."""
        return Verifier.parse(self.statement_vkey)

    @property
    def journal_verifier(self) -> Verifier:
        """The vault's journal key."""
        return Verifier.parse(self.journal_vkey)

    def box(self, number: int) -> Box:
        """The box of that number; PolicyError when there is none."""
        for box in self.boxes:
            if box.number == number:
                return box
        raise PolicyError(f"the policy has no box {number}")

    def box_of(self, lot: str, part: Part) -> Box | None:
        """The box of one lot's part."""
        return next((box for box in self.boxes if (box.lot, box.part) == (lot, part)), None)

    def groups_of(self, box: Box) -> tuple[Group, ...]:
        """A box's groups in the order of the header."""
        return tuple(self.groups[index] for index in box.groups)

    def cards(self, *roles: Role) -> tuple[Card, ...]:
        """All cards of these roles (of all roles when none is named)."""
        return tuple(card for group in self.groups for card in group.cards if not roles or card.role in roles)

    def card_of(self, kid: bytes) -> Card | None:
        """The card of one holder."""
        return next((card for card in self.cards() if card.kid == kid), None)

    def close_request(self, box: Box) -> bytes:
        """What time authorities stamp so that the box may close (step C1)."""
        return sha256(label("close"), self.hash, u64(to_millis(box.deadline)))


def require_in_force(statement: Statement) -> Policy:
    """Check that everyone who must has signed a policy (rule 1).

    A policy names its own keys: whether it is the right one is answered by a pinned hash or by the chain to it.

    Raises:
        SignatureError: a signer is missing, or a signature is wrong.
    """
    policy = Policy.of(statement)
    require_signers(statement, [policy.vault_verifier], 1)
    _require_group_signers(statement, policy.cards(Role.GATE), needed=None)
    for group in policy.groups:
        if policy.epoch == 0:
            _require_group_signers(statement, group.cards, needed=None)
        elif group.role is Role.CUSTODIAN:
            _require_group_signers(statement, group.cards, needed=group.signers_needed)
    return policy


def require_rehearsed(statement: Statement, rehearsed: Collection[bytes]) -> None:
    """Before publication every holder has opened the canary; PolicyError names how many have not."""
    missing = [card for card in Policy.of(statement).cards() if card.kid not in rehearsed]
    if missing:
        raise PolicyError(f"{len(missing)} holders have not rehearsed")


def require_amendment(
    previous: Policy, following: Policy, *, now: datetime | None = None, closing: Collection[int] = ()
) -> None:
    """Check that one policy may follow another (rule 2).

    Args:
        previous: the policy in force.
        following: the one that would replace it.
        now: the signer's clock, where it is about to sign; without it only the contents are compared.
        closing: boxes whose closing has begun.

    Raises:
        PolicyError: it does not follow, changes something else, lowers something, or touches a box too late.
    """
    if following.epoch != previous.epoch + 1 or following.previous != previous.hash:
        raise PolicyError("the amendment does not follow this policy")
    same = replace(
        following,
        epoch=previous.epoch,
        previous=previous.previous,
        boxes=_with_times_of(following.boxes, previous.boxes),
        settle=previous.settle,
        limits=previous.limits,
    )
    if same.encode() != previous.encode():
        raise PolicyError("an amendment changes only deadlines, settle and limits")
    if following.settle < previous.settle or not following.limits.covers(previous.limits):
        raise PolicyError("an amendment lowers nothing")
    frozen = _frozen(previous, now, closing)
    if frozen and following.settle != previous.settle:
        raise PolicyError("settle stays once a box is closing or past its deadline")
    for before, after in zip(previous.boxes, following.boxes, strict=True):
        _require_later(before, after, is_frozen=before.number in frozen)


def require_lasting(policy: Policy) -> None:
    """Check that every algorithm is trusted until the last box may open: what is sealed now must stay shut till then.

    Asked before a policy is rehearsed, signed or accepted, never of one in force: old envelopes open for ever.

    Raises:
        PolicyError: a box stays shut longer than an algorithm is trusted.
    """
    last = max(box.not_before for box in policy.boxes)
    for trust in untrusted_at(last):
        raise PolicyError(f"a box stays shut beyond {trust.until:%Y-%m-%d}, the end of {trust.name} ({trust.source})")


def require_confirmed(pinned: bytes, printed: bytes) -> None:
    """Compare what a custodian pinned with the hash printed in the notice (protocol 4.1).

    Raises:
        PolicyError: another policy was published than the one rehearsed: fraud.
    """
    if pinned != printed:
        raise PolicyError("the notice names another policy than the one you rehearsed: fraud")


def _require_group_signers(statement: Statement, cards: Sequence[Card], needed: int | None) -> None:
    require_signers(statement, [card.verifier for card in cards], len(cards) if needed is None else needed)


def _with_times_of(boxes: Sequence[Box], others: Sequence[Box]) -> tuple[Box, ...]:
    """These boxes with the others' times, so that everything else can be compared byte for byte."""
    if len(boxes) != len(others):
        raise PolicyError("an amendment adds and removes no box")
    return tuple(
        replace(box, deadline=other.deadline, not_before=other.not_before)
        for box, other in zip(boxes, others, strict=True)
    )


def _frozen(policy: Policy, now: datetime | None, closing: Collection[int]) -> frozenset[int]:
    past = {box.number for box in policy.boxes if now is not None and now > box.deadline}
    return frozenset(past.union(closing))


def _require_later(before: Box, after: Box, *, is_frozen: bool) -> None:
    if after.deadline < before.deadline or after.not_before < before.not_before:
        raise PolicyError(f"the deadline of box {before.number} may only move later")
    if is_frozen and after != before:
        raise PolicyError(f"box {before.number} is closing or past its deadline")


def _policy_map(policy: Policy) -> Cbor:
    entries: dict[int, Cbor] = {
        1: VERSION,
        2: policy.procedure,
        3: policy.epoch,
        5: policy.reference,
        6: policy.title,
        7: [policy.siret, policy.buyer],
        8: policy.zone,
        9: [box.to_cbor() for box in policy.boxes],
        10: [group.to_cbor() for group in policy.groups],
        11: policy.time.to_cbor(),
        12: [policy.journal_vkey, policy.statement_vkey],
        13: policy.tlog_policy,
        14: policy.limits.to_cbor(),
        15: policy.settle // timedelta(seconds=1),
        16: [int(mode) for mode in policy.modes],
        17: int(policy.opener),
    }
    if policy.previous is not None:
        entries[4] = policy.previous
    return entries


def _read_policy(fields: Fields) -> Policy:
    fields.uint(1, least=VERSION, most=VERSION)
    buyer = fields.fixed(7, size=2)
    vkeys = fields.fixed(12, size=2)
    modes = tuple(require_uint(mode, least=1, most=len(Mode)) for mode in fields.array(16, least=1, most=len(Mode)))
    require_rising(modes, "modes")
    return Policy(
        procedure=fields.bstr(2, size=ID_SIZE),
        epoch=fields.uint(3),
        previous=fields.bstr(4, size=HASH_SIZE) if fields.has(4) else None,
        reference=fields.text(5),
        title=fields.text(6),
        siret=buyer.text(0),
        buyer=buyer.text(1),
        zone=fields.text(8),
        boxes=tuple(Box.from_cbor(box) for box in fields.array(9, least=1, most=MAX_BOXES)),
        groups=tuple(Group.from_cbor(group) for group in fields.array(10, least=2, most=MAX_CARDS)),
        time=TimeQuorum.from_cbor(fields.raw(11)),
        journal_vkey=vkeys.text(0),
        statement_vkey=vkeys.text(1),
        tlog_policy=fields.text(13, most=MAX_TLOG_TEXT, lines=True),
        limits=Limits.from_cbor(fields.raw(14)),
        settle=timedelta(seconds=fields.uint(15, least=SETTLE_SECONDS[0], most=SETTLE_SECONDS[1])),
        modes=tuple(Mode(mode) for mode in modes),
        opener=Opener(fields.uint(17, least=1, most=len(Opener))),
    )


def _require_sound(policy: Policy) -> None:
    """What no single field shows: the parts of a policy fit each other."""
    if (policy.epoch == 0) != (policy.previous is None):
        raise FormatError("exactly the first epoch has no previous policy")
    cards = policy.cards()
    if len(cards) > MAX_CARDS:
        raise FormatError(f"more than {MAX_CARDS} cards")
    keys = [key for card in cards for key in (card.kem, card.sig)]
    keys += [policy.vault_verifier.public, policy.journal_verifier.public]
    require_distinct(keys, "a key stands twice in the policy")
    require_rising([box.number for box in policy.boxes], "box numbers")
    require_distinct([(box.lot, box.part) for box in policy.boxes], "a lot's part has two boxes")
    numbers = frozenset(box.number for box in policy.boxes)
    for box in policy.boxes:
        _require_box_fits(policy, box, numbers)


def _require_box_fits(policy: Policy, box: Box, numbers: frozenset[int]) -> None:
    if box.not_before < box.deadline + policy.settle:
        raise FormatError(f"box {box.number} could open before it has settled")
    if not numbers.issuperset(box.after):
        raise FormatError(f"box {box.number} waits for a box that does not exist")
    roles = (Role.CUSTODIAN, Role.GATE, Role.TRUSTEE)
    for index, role in zip(box.groups, roles, strict=False):
        if index >= len(policy.groups) or policy.groups[index].role is not role:
            raise FormatError(f"box {box.number} has no {role.name.lower()} group")
