# SPDX-License-Identifier: EUPL-1.2
"""Canaries: envelopes made to be opened before publication, one for each set of groups (protocol 4.1).

Rules
  1. A canary holds one document of 32 random bytes; its shares are worth nothing.
  2. It is opened from every holder's share: k of each group recover the key, all commits are computed again.

Left to others: who rehearsed (vault.procedures.rehearsal); bids are opened elsewhere (vault.opening).
"""

import os
from collections.abc import Iterable, Mapping
from uuid import uuid4

from crypto.ceremony import Rehearsal
from crypto.errors import KindError, PolicyError
from crypto.header import EnvelopeKind, Header
from crypto.opening_rules import require_canary
from crypto.policy import Box, Card, Policy
from crypto.reader import EnvelopeReader, bytes_reader, read_head
from crypto.sealing import EnvelopeSealer, seal_whole
from crypto.slots import check_share, recover_file_key
from crypto.statement import Kind, Statement, parse_note, require_signers
from vault.models import HolderAct

BIDDER = "canary"
PATH = "canary"
SECRET_BYTES = 32


def canary_boxes(policy: Policy) -> tuple[Box, ...]:
    """The first box of each set of groups; canaries are numbered from 1 in this order."""
    first: dict[tuple[int, ...], Box] = {}
    for box in policy.boxes:
        first.setdefault(box.groups, box)
    return tuple(first.values())


def canaries_of(policy: Policy, card: Card) -> tuple[int, ...]:
    """Numbers of the canaries that this holder has a slot in."""
    return tuple(
        number
        for number, box in enumerate(canary_boxes(policy), start=1)
        if any(card in group.cards for group in policy.groups_of(box))
    )


def seal_canary(policy: Policy, box: Box) -> bytes:
    """A new canary for the groups of a box."""
    sealer = EnvelopeSealer(
        policy,
        box.number,
        uuid4().bytes,
        kind=EnvelopeKind.CANARY,
        bidder=BIDDER,
        deposit_secret=os.urandom(SECRET_BYTES),
    )
    return seal_whole(sealer, [(PATH, os.urandom(SECRET_BYTES))])


def header_of(file: bytes, policy: Policy) -> Header:
    """The checked header of a canary; KindError for a bid, PolicyError, HoldersError for another policy's."""
    return require_canary(read_head(bytes_reader(file)).header.framed, policy)


def require_rehearsal(statement: Statement, policy: Policy, files: Mapping[int, bytes]) -> tuple[Card, int]:
    """Check one holder's rehearsal; give the holder's card and the number of the canary.

    Raises:
        PolicyError: of another policy.
        SignatureError: not signed by the holder it names, or none of this policy.
        KindError: of none of this policy's canaries.
        ShareError: not the share that was dealt to this holder.
    """
    rehearsal = Rehearsal.of(statement)
    if rehearsal.policy_hash != policy.hash:
        raise PolicyError("a rehearsal of another policy")
    card = policy.card_of(rehearsal.kid)
    require_signers(statement, [] if card is None else [card.verifier], 1)
    for number, file in files.items():
        header = header_of(file, policy)
        if header.hash == rehearsal.canary_header_hash:
            check_share(header, rehearsal.kid, rehearsal.share)
            return _known(card), number
    raise KindError("not a canary of this policy")


def rehearsed(act: HolderAct, policy: Policy, files: Mapping[int, bytes]) -> frozenset[int]:
    """Numbers of the canaries that a custodian has opened."""
    numbers = {header_of(file, policy).hash: number for number, file in files.items()}
    said = [Rehearsal.of(parse_note(note, Kind.REHEARSAL)) for note in act.rehearsals]
    return frozenset(numbers[one.canary_header_hash] for one in said if one.canary_header_hash in numbers)


def open_canary(file: bytes, policy: Policy, rehearsals: Iterable[Statement]) -> None:
    """Open a canary from the rehearsals of all its holders.

    Raises:
        ShareError, QuorumError, DealtError, CommitmentError, ManifestError: it does not open; nobody publishes.
    """
    header = header_of(file, policy)
    said = [Rehearsal.of(statement) for statement in rehearsals]
    shares = {one.kid: one.share for one in said if one.canary_header_hash == header.hash}
    key = recover_file_key(read_head(bytes_reader(file)), shares)
    EnvelopeReader(bytes_reader(file), len(file), key).check(BIDDER)


def _known(card: Card | None) -> Card:
    if card is None:
        raise PolicyError("not a holder of this policy")
    return card
