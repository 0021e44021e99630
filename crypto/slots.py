# SPDX-License-Identifier: EUPL-1.2
"""From shares to an envelope's file key (protocol 3.4, 4.7).

Rules
  1. A slot is opened only in an envelope of the kind that the act may open.
  2. A file key comes only from k shares of each side that match their commits, after all n commits were
     computed again from them: a wrong dealer gets the same verdict whichever quorum opens.
  3. A wrong share is refused alone, and its holder named.

Left to others: who contributes when, and the two phases (vault.opening); the body (reader).
"""

from collections.abc import Mapping

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.algorithms import KEY_SIZE, SHARE_SIZE
from crypto.encoding import label
from crypto.errors import DealtError, HoldersError, KindError, QuorumError, ShareError, UnopenedError
from crypto.header import EnvelopeKind, Header, SealedHead, Secrets, SlotGroup, share_commit, slot_info
from crypto.hpke import KemKey
from crypto.policy_parts import Role
from crypto.shares import all_shares, combine, position, zero
from crypto.stream import BytesLike, require_commitment


def file_key(secrets: Secrets) -> bytearray:
    """FK from both secrets."""
    both = secrets.custodians + secrets.gates
    key = bytearray(KEY_SIZE)
    HKDF(SHA512(), KEY_SIZE, None, label("file-key")).derive_into(both, key)
    zero(both)
    return key


def open_slot(header: Header, kid: bytes, key: KemKey, *, kind: EnvelopeKind) -> bytearray:
    """A holder's share.

    Args:
        header: whose holders were checked before.
        kid: the holder.
        key: the holder's private key.
        kind: the only kind that this act may open: bids in openings, canaries in rehearsals.

    Raises:
        KindError: an envelope of the other kind.
        HoldersError: no slot for this holder.
        UnopenedError: the slot does not open (code 1 of protocol 3.8).
        ShareError: it opens to another share than committed (code 2).
    """
    if header.kind is not kind:
        raise KindError(f"the envelope is no {kind.name.lower()}")
    group, slot = header.slot_of(kid)
    try:
        share = key.open(slot_info(header.core.hash, group.role, kid, slot.commit), slot.sealed)
    except UnopenedError as error:
        raise UnopenedError("the slot does not open with this holder's key", kid=kid) from error
    check_share(header, kid, share)
    return share


def check_share(header: Header, kid: bytes, share: bytes | bytearray) -> None:
    """Check one holder's share against its commit.

    Raises:
        HoldersError: no slot for this holder.
        ShareError: not the share that was dealt; `kid` names the holder.
    """
    group, slot = header.slot_of(kid)
    if len(share) != SHARE_SIZE or share_commit(header.core.hash, group.role, share) != slot.commit:
        raise ShareError("a share does not match its commit", kid=kid)


def recover_file_key(head: SealedHead, shares: Mapping[bytes, bytes | bytearray]) -> bytearray:
    """The file key from holders' shares (protocol 4.7).

    Args:
        head: header and the body's commitment.
        shares: share33 by kid, of custodians (or trustees) and gates.

    Raises:
        ShareError: a share does not match its commit; `kid` names the holder. Leave it out and ask again.
        QuorumError: fewer than k on one side.
        DealtError: the sealer dealt wrongly; every quorum gets this.
        CommitmentError: the body was sealed with another key.
    """
    header = head.header
    for kid, share in shares.items():
        check_share(header, kid, share)
    secrets = Secrets(
        custodians=_recover_secret(header, shares, (Role.CUSTODIAN, Role.TRUSTEE)),
        gates=_recover_secret(header, shares, (Role.GATE,)),
    )
    key = file_key(secrets)
    secrets.close()
    require_commitment(key, header.body_context, head.stream_head)
    return key


def _recover_secret(header: Header, shares: Mapping[bytes, BytesLike], roles: tuple[Role, ...]) -> bytearray:
    """The secret of the first group of these roles, in this order, that has k shares."""
    short: QuorumError | None = None
    groups = sorted((group for group in header.groups if group.role in roles), key=lambda group: group.role)
    for group in groups:
        given = [bytearray(shares[slot.kid]) for slot in group.slots if slot.kid in shares]
        if len(given) >= group.k:
            return _combine_checked(header.core.hash, group, given[: group.k])
        short = short or QuorumError(len(given), group.k)
    raise short or HoldersError("the envelope names no holders of one side")


def _combine_checked(core_hash: bytes, group: SlotGroup, given: list[bytearray]) -> bytearray:
    n = len(group.slots)
    if len({position(share) for share in given}) != group.k:
        raise DealtError("two holders were dealt the same place")
    for slot, share in zip(group.slots, all_shares(given, n), strict=True):
        if share_commit(core_hash, group.role, share) != slot.commit:
            raise DealtError("the shares do not lie on one polynomial")
    secret = combine(given)
    for share in given:
        zero(share)
    return secret
