# SPDX-License-Identifier: EUPL-1.2
"""What a policy is made of: cards, groups, boxes, limits (protocol 3.1, 3.3).

Rules
  1. A key id covers both keys of a card and nothing else; the person in a card file is a claim.
  2. A group's cards are of its role, and no person stands twice in it.
  3. A box waits only for boxes with lower numbers.

Left to others: how the parts fit each other, and signatures (crypto.policy).
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from crypto.algorithms import HASH_SIZE, ID_SIZE, KEM_PUBLIC_SIZE, SIGNATURE_PUBLIC_SIZE
from crypto.encoding import Cbor, Fields, decode, encode, label, require_bstr, require_uint, sha256, to_millis
from crypto.errors import FormatError
from crypto.statement import Kind, Statement, Verifier, parse_text

MAX_BOXES = 4096  # protocol 3.3
MAX_CARDS = 60  # protocol 2.3
MAX_GROUP = 32  # protocol 2.5
MAX_ANCHORS = 32
MIN_GROUPS = 2  # custodians and gates; trustees may follow
MIN_QUORUM = 2  # protocol 2.7: q >= 2 always
MAX_SEALED = 1 << 40  # protocol 3.4: sealed length at most 1 TiB
MAX_DOCUMENTS = 65535  # protocol 3.4
LOCAL_ISSUER = "bidvault:local"  # whose logins a deployment without an identity provider knows


class Role(IntEnum):
    """What a key is for. 1 to 3 hold shares and have cards; the others have key files only (protocol 3.1, 3.2)."""

    CUSTODIAN = 1
    GATE = 2
    TRUSTEE = 3
    OPENER = 4
    ROOT = 5
    STATEMENT = 6
    JOURNAL = 7


class Part(IntEnum):
    """Which part of a bid a box holds."""

    APPLICATION = 1
    TECHNICAL = 2
    FINANCIAL = 3
    IDENTITY = 4


class Mode(IntEnum):
    """Who seals: the vault while receiving, or the bidder."""

    SERVER = 1
    CLIENT = 2


class Opener(IntEnum):
    """Who makes the opening key."""

    VAULT = 1


_HOLDERS = frozenset((Role.CUSTODIAN, Role.GATE, Role.TRUSTEE))


def key_id(kem: bytes, sig: bytes) -> bytes:
    """kid: names a holder by both public keys."""
    return sha256(label("kid"), kem, sig)[:ID_SIZE]


def person_id(issuer: str, subject: str) -> bytes:
    """The person behind a login, the same in every policy of one identity provider."""
    return sha256(label("person"), issuer.encode(), b"\x00", subject.encode())[:ID_SIZE]


def holder_name(role: Role, kid: bytes) -> str:
    """The name under which a holder signs."""
    return f"bidvault/{role.name.lower()}/{kid.hex()}"


@dataclass(frozen=True)
class Card:
    """One holder's public keys and who it is."""

    role: Role
    kem: bytes
    sig: bytes
    name: str
    organisation: str
    person: bytes
    valid_from: datetime
    valid_to: datetime

    @functools.cached_property
    def kid(self) -> bytes:
        """The holder's key id."""
        return key_id(self.kem, self.sig)

    @property
    def verifier(self) -> Verifier:
        """What this holder's signatures are checked with."""
        return Verifier(holder_name(self.role, self.kid), self.sig)

    def to_cbor(self) -> Cbor:
        """The map of protocol 3.1."""
        return {
            1: int(self.role),
            2: self.kem,
            3: self.sig,
            4: self.name,
            5: self.organisation,
            6: self.person,
            7: to_millis(self.valid_from),
            8: to_millis(self.valid_to),
        }

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Card":
        """Read the map of protocol 3.1; FormatError."""
        fields = Fields(value, mandatory=range(1, 9))
        card = cls(
            role=_role(fields.uint(1)),
            kem=fields.bstr(2, size=KEM_PUBLIC_SIZE),
            sig=fields.bstr(3, size=SIGNATURE_PUBLIC_SIZE),
            name=fields.text(4),
            organisation=fields.text(5),
            person=fields.bstr(6, size=ID_SIZE),
            valid_from=fields.moment(7),
            valid_to=fields.moment(8),
        )
        if card.valid_to <= card.valid_from:
            raise FormatError("a card ends before it begins")
        return card


def write_card_file(card: Card) -> bytes:
    """A card on its way to the vault: two unsigned lines (kind `card`).

    The person in it is a claim: the vault takes no act of this card but from a login that gives the same person.
    """
    return Statement(Kind.CARD, encode(card.to_cbor())).note


def read_card_file(data: bytes) -> Card:
    """Read a card file; FormatError or KindError."""
    payload = parse_text(data, Kind.CARD).payload
    return Card.from_cbor(decode(payload, limit=len(payload)))


@dataclass(frozen=True)
class Group:
    """Holders of one role of whom k are needed; x of a share is the place in `cards`, from 1."""

    role: Role
    k: int
    cards: tuple[Card, ...]

    @property
    def signers_needed(self) -> int:
        """How many must sign an amendment, so that every quorum holds one of them."""
        return max(self.k, len(self.cards) - self.k + 1)

    def card_of(self, kid: bytes) -> Card | None:
        """The member's card."""
        return next((card for card in self.cards if card.kid == kid), None)

    def to_cbor(self) -> Cbor:
        """`[role, k, [card...]]`."""
        return [int(self.role), self.k, [card.to_cbor() for card in self.cards]]

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Group":
        """Read `[role, k, [card...]]`; FormatError."""
        fields = Fields.row(value, size=3)
        cards = tuple(Card.from_cbor(card) for card in fields.array(2, least=1, most=MAX_GROUP))
        group = cls(_role(fields.uint(0)), fields.uint(1, least=1, most=len(cards)), cards)
        if any(card.role is not group.role for card in cards):
            raise FormatError("a card's role is not its group's")
        require_distinct([card.person for card in cards], "a person stands twice in a group")
        return group


@dataclass(frozen=True)
class Box:
    """What is opened together: one lot's part, its times, its holders by group index, and what opens first."""

    number: int
    lot: str
    part: Part
    deadline: datetime
    not_before: datetime
    custodians: int
    gates: int
    trustees: int | None = None
    after: tuple[int, ...] = ()

    @property
    def groups(self) -> tuple[int, ...]:
        """Indexes of its groups in the order of the header: custodians, gates, trustees."""
        return (self.custodians, self.gates) if self.trustees is None else (self.custodians, self.gates, self.trustees)

    def to_cbor(self) -> Cbor:
        """The array of protocol 3.3."""
        return [
            self.number,
            self.lot,
            int(self.part),
            to_millis(self.deadline),
            to_millis(self.not_before),
            list(self.groups),
            list(self.after),
        ]

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Box":
        """Read the array of protocol 3.3; FormatError."""
        fields = Fields.row(value, size=7)
        number = fields.uint(0, least=1, most=MAX_BOXES)
        groups = [
            require_uint(index, most=MAX_CARDS) for index in fields.array(5, least=MIN_GROUPS, most=MIN_GROUPS + 1)
        ]
        after = tuple(require_uint(other, least=1, most=number - 1) for other in fields.array(6, most=MAX_BOXES))
        require_rising(after, "boxes to open first")
        return cls(
            number=number,
            lot=fields.text(1),
            part=Part(fields.uint(2, least=1, most=len(Part))),
            deadline=fields.moment(3),
            not_before=fields.moment(4),
            custodians=groups[0],
            gates=groups[1],
            trustees=groups[2] if len(groups) > MIN_GROUPS else None,
            after=after,
        )


@dataclass(frozen=True)
class TimeQuorum:
    """How many time authorities must prove a moment, and under which roots (hashes of their public keys)."""

    q: int
    anchors: tuple[bytes, ...]

    def to_cbor(self) -> Cbor:
        """`[q, [anchor...]]`."""
        return [self.q, list(self.anchors)]

    @classmethod
    def from_cbor(cls, value: Cbor) -> "TimeQuorum":
        """Read `[q, [anchor...]]`; FormatError."""
        fields = Fields.row(value, size=2)
        anchors = tuple(require_bstr(anchor, size=HASH_SIZE) for anchor in fields.array(1, most=MAX_ANCHORS))
        require_distinct(anchors, "an anchor stands twice")
        return cls(fields.uint(0, least=MIN_QUORUM, most=len(anchors)), anchors)


@dataclass(frozen=True)
class Limits:
    """What a deposit may be: bytes of a document, bytes of an envelope, documents, deposits per bidder and box."""

    document: int
    envelope: int
    documents: int
    deposits: int

    def covers(self, other: "Limits") -> bool:
        """Whether nothing that `other` allows is refused."""
        return (
            self.document >= other.document
            and self.envelope >= other.envelope
            and self.documents >= other.documents
            and self.deposits >= other.deposits
        )

    def to_cbor(self) -> Cbor:
        """The four numbers in that order."""
        return [self.document, self.envelope, self.documents, self.deposits]

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Limits":
        """Read the four numbers; FormatError."""
        fields = Fields.row(value, size=4)
        return cls(
            document=fields.uint(0, least=1, most=MAX_SEALED),
            envelope=fields.uint(1, least=1, most=MAX_SEALED),
            documents=fields.uint(2, least=1, most=MAX_DOCUMENTS),
            deposits=fields.uint(3, least=1),
        )


def _role(number: int) -> Role:
    if number not in _HOLDERS:
        raise FormatError("not the role of a share holder")
    return Role(number)


def require_distinct(values: Sequence[object], reason: str) -> None:
    """FormatError when a value stands twice."""
    if len(set(values)) != len(values):
        raise FormatError(reason)


def require_rising(values: Sequence[int], what: str) -> None:
    """FormatError unless the numbers rise strictly: one order, no repetition."""
    if any(second <= first for first, second in itertools.pairwise(values)):
        raise FormatError(f"{what} do not rise")
