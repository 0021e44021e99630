# SPDX-License-Identifier: EUPL-1.2
"""The head of a sealed envelope, `.tvse`: prefix, header, slots and commits (protocol 3.4).

    magic 8 ‖ u16 version ‖ u16 suite ‖ u32 N ‖ header N ‖ body

Rules
  1. Holders, their order and k are exactly the policy's for the box; anything else is refused.
  2. The core hash covers policy, box, envelope, mode and kind; each commit and slot is bound to it,
     so that no slot can be moved to another envelope, box or kind.
  3. A length is looked at before bytes of that number are asked for.

Left to others: sealing and recovering the secrets (sealing), who the holders are (policy).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from crypto.algorithms import HASH_SIZE, ID_SIZE, SLOT_SIZE, SUITE, VERSION
from crypto.encoding import Cbor, Fields, encode, label, sha256, u16, u32
from crypto.errors import DealtError, FormatError, HoldersError, PolicyError
from crypto.hpke import seal
from crypto.policy import Policy
from crypto.policy_parts import MAX_BOXES, Group, Mode, Role
from crypto.shares import MAX_SHARES, all_shares, split, zero

MAGIC = b"\x89TVSE\r\n\x1a"
PREFIX_SIZE = 16
MAX_HEADER = 131_072  # protocol 3.4
MAX_GROUPS = 3  # custodians, gates, trustees
_FRAME = MAGIC + u16(VERSION) + u16(SUITE)


class EnvelopeKind(IntEnum):
    """A bid, or a canary made to be opened before publication."""

    BID = 1
    CANARY = 2


@dataclass(frozen=True)
class Slot:
    """One holder's share, sealed to it, and the commit that shows whether an opened share is the dealt one."""

    kid: bytes
    commit: bytes
    sealed: bytes


@dataclass(frozen=True)
class SlotGroup:
    """The slots of one group in the policy's order; a share's x is the place here, from 1."""

    role: Role
    k: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Core:
    """Keys 1 to 5 of the header: which envelope it is."""

    policy_hash: bytes
    box: int
    envelope_id: bytes
    kind: EnvelopeKind
    mode: Mode = Mode.SERVER

    @functools.cached_property
    def hash(self) -> bytes:
        """CH."""
        return sha256(encode(self.to_cbor()))

    def to_cbor(self) -> "dict[int, Cbor]":
        """Keys 1 to 5."""
        return {1: self.policy_hash, 2: self.box, 3: self.envelope_id, 4: int(self.mode), 5: int(self.kind)}


@dataclass(frozen=True)
class Header:
    """A header that has the right form; whether its holders are the policy's is `require_holders`."""

    core: Core
    groups: tuple[SlotGroup, ...]

    @functools.cached_property
    def framed(self) -> bytes:
        """Prefix and header, the first 16 + N bytes of the file."""
        rows: list[Cbor] = [
            (int(group.role), group.k, [(slot.kid, slot.commit, slot.sealed) for slot in group.slots])
            for group in self.groups
        ]
        data = encode({**self.core.to_cbor(), 6: rows})
        if len(data) > MAX_HEADER:
            raise FormatError(f"a header of {len(data)} bytes, at most {MAX_HEADER} allowed")
        return _FRAME + u32(len(data)) + data

    @functools.cached_property
    def hash(self) -> bytes:
        """HH = H(prefix and header): what records, lists and the body are bound to."""
        return sha256(self.framed)

    @property
    def policy_hash(self) -> bytes:
        """Under which policy it was sealed."""
        return self.core.policy_hash

    @property
    def box(self) -> int:
        """For which box."""
        return self.core.box

    @property
    def envelope_id(self) -> bytes:
        """Which envelope."""
        return self.core.envelope_id

    @property
    def kind(self) -> EnvelopeKind:
        """Bid or canary."""
        return self.core.kind

    @property
    def body_context(self) -> bytes:
        """What the body's stream is bound to."""
        return label("body") + self.hash

    def slot_of(self, kid: bytes) -> "tuple[SlotGroup, Slot]":
        """A holder's slot and its group; HoldersError when there is none."""
        for group in self.groups:
            for slot in group.slots:
                if slot.kid == kid:
                    return group, slot
        raise HoldersError("the envelope has no slot for this holder")


@dataclass(frozen=True)
class SealedHead:
    """The beginning of a sealed envelope: header, and the 56 bytes that commit its body to one key."""

    header: Header
    stream_head: bytes

    @property
    def body_offset(self) -> int:
        """Where the body begins."""
        return len(self.header.framed)


@dataclass(frozen=True)
class Secrets:
    """S_O for custodians (and, afresh, trustees), S_G for gates. Zeroed by who made them."""

    custodians: bytearray
    gates: bytearray

    def __repr__(self) -> str:
        return "Secrets()"

    def of(self, role: Role) -> bytearray:
        """The secret that a group of this role shares."""
        return self.gates if role is Role.GATE else self.custodians

    def close(self) -> None:
        """Forget both."""
        zero(self.custodians)
        zero(self.gates)


def share_commit(core_hash: bytes, role: Role, share: bytes | bytearray) -> bytes:
    """What shows that a share is the one dealt to this envelope and role."""
    return sha256(label("share"), core_hash, bytes((role,)), share)


def slot_info(core_hash: bytes, role: Role, kid: bytes, commit: bytes) -> bytes:
    """HPKE info of a slot."""
    return label("slot") + core_hash + bytes((role,)) + kid + commit


def build_header(core: Core, groups: Sequence[Group], secrets: Secrets) -> Header:
    """Split both secrets and seal each share to its holder.

    Args:
        core: which envelope.
        groups: the policy's groups for the box, in the header's order.
        secrets: S_O and S_G; the caller zeroes them once the file key is made.
    """
    return Header(core, tuple(_seal_group(core.hash, group, secrets.of(group.role)) for group in groups))


def require_recombining(shares: Sequence[bytearray], k: int) -> None:
    """Check what was just dealt from both ends, since a wrong deal could never be undone (protocol 4.2); DealtError."""
    n = len(shares)
    if all_shares(shares[:k], n) != shares or all_shares(shares[-k:], n) != shares:
        raise DealtError("the shares just dealt do not recombine")


def _seal_group(core_hash: bytes, group: Group, secret: bytearray) -> SlotGroup:
    shares = split(secret, group.k, len(group.cards))
    require_recombining(shares, group.k)
    slots = []
    for card, share in zip(group.cards, shares, strict=True):
        commit = share_commit(core_hash, group.role, share)
        slots.append(Slot(card.kid, commit, seal(card.kem, slot_info(core_hash, group.role, card.kid, commit), share)))
        zero(share)
    return SlotGroup(group.role, group.k, tuple(slots))


def parse_prefix(prefix: bytes) -> int:
    """How many bytes the header has, from the first 16 bytes of a file.

    Raises:
        FormatError: another magic, version or suite, or a header longer than any may be.
    """
    if len(prefix) != PREFIX_SIZE or prefix[:8] != MAGIC:
        raise FormatError("not a sealed envelope")
    if prefix[:12] != _FRAME:
        raise FormatError("a version or suite that is not known here")
    size = int.from_bytes(prefix[12:], "big")
    if size > MAX_HEADER:
        raise FormatError(f"a header of {size} bytes, at most {MAX_HEADER} allowed")
    return size


def decode_header(framed: bytes) -> Header:
    """Read prefix and header, exactly 16 + N bytes; FormatError."""
    if len(framed) != PREFIX_SIZE + parse_prefix(framed[:PREFIX_SIZE]):
        raise FormatError("the header ends early or something stands behind it")
    fields = Fields.decode(framed[PREFIX_SIZE:], limit=MAX_HEADER, mandatory=range(1, 7))
    core = Core(
        policy_hash=fields.bstr(1, size=HASH_SIZE),
        box=fields.uint(2, least=1, most=MAX_BOXES),
        envelope_id=fields.bstr(3, size=ID_SIZE),
        mode=Mode(fields.uint(4, least=min(Mode), most=max(Mode))),
        kind=EnvelopeKind(fields.uint(5, least=min(EnvelopeKind), most=max(EnvelopeKind))),
    )
    groups = fields.array(6, least=2, most=MAX_GROUPS)
    return Header(core, tuple(_read_group(group) for group in groups))


def _read_group(value: Cbor) -> SlotGroup:
    row = Fields.row(value, size=3)
    slots = tuple(_read_slot(slot) for slot in row.array(2, least=1, most=MAX_SHARES))
    role = Role(row.uint(0, least=Role.CUSTODIAN, most=Role.TRUSTEE))
    return SlotGroup(role, row.uint(1, least=1, most=len(slots)), slots)


def _read_slot(value: Cbor) -> Slot:
    row = Fields.row(value, size=3)
    return Slot(row.bstr(0, size=ID_SIZE), row.bstr(1, size=HASH_SIZE), row.bstr(2, size=SLOT_SIZE))


def require_holders(header: Header, policy: Policy) -> None:
    """Check that roles, k and holders are exactly, and in order, the policy's for this box.

    Raises:
        PolicyError: sealed under another policy, or for a box that it does not have.
        HoldersError: other holders.
    """
    if header.policy_hash != policy.hash:
        raise PolicyError("the envelope was sealed under another policy")
    demanded = [
        (group.role, group.k, [card.kid for card in group.cards]) for group in policy.groups_of(policy.box(header.box))
    ]
    found = [(group.role, group.k, [slot.kid for slot in group.slots]) for group in header.groups]
    if found != demanded:
        raise HoldersError("the envelope's holders are not the policy's for its box")
