# SPDX-License-Identifier: EUPL-1.2
"""One holder's part in an opening: each slot opened, each share sealed again to the opening key (protocol 3.8).

Rules
  1. Nothing is opened without a `DueOpening`: every check of 4.6 lies before.
  2. A share leaves only sealed to the opening key, bound to opening, kind and holder.
  3. A slot that gives no share is zeros and listed with its reason; the others go on.
  4. Headers are taken one at a time, in list order, so that any number fits in memory.

Left to others: recombining shares, the dealer check (crypto.slots), showing failures to the person (the tool).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from crypto.algorithms import SHARE_SIZE
from crypto.ceremony import Contribution, SlotCode, SlotFailure, share_info
from crypto.errors import CryptoError, ListError, ShareError, SignatureError, UnopenedError
from crypto.header import EnvelopeKind, Header
from crypto.hpke import KemKey, seal
from crypto.opening_rules import CheckedContribution, DueEntry, DueOpening, require_header
from crypto.policy import Card, Role
from crypto.shares import zero
from crypto.slots import open_slot
from crypto.statement import Kind, Signer, Statement

_KINDS = {Role.CUSTODIAN: Kind.CONTRIBUTION, Role.GATE: Kind.RELEASE}


@dataclass(frozen=True)
class Holder:
    """A holder's card with both its private keys."""

    card: Card
    kem: KemKey = field(repr=False)
    signer: Signer = field(repr=False)


@dataclass(frozen=True)
class NamedFailure:
    """An envelope that gave no share, for the person: its place, its id, the refusal word."""

    failure: SlotFailure
    envelope_id: bytes
    reason: str


@dataclass(frozen=True)
class MadeContribution:
    """A signed contribution or release, and the envelopes without share, left-out ones aside."""

    statement: Statement
    failures: tuple[NamedFailure, ...]


def contribute(due: DueOpening, headers: Iterable[bytes], *, holder: Holder) -> MadeContribution:
    """Make a custodian's contribution, or a gate's release, from the headers in list order.

    Args:
        due: the opening, checked.
        headers: prefix and header of every listed envelope, left-out ones too; empty where there is none.
        holder: a custodian or gate of this opening.

    Raises:
        SignatureError: the holder is none of this opening.
        ListError: not as many headers as listed envelopes.
    """
    kind = _KINDS.get(holder.card.role)
    if kind is None or holder.card.kid not in _kids(due):
        raise SignatureError("not a holder of this opening")
    shares = bytearray()
    failures: list[NamedFailure] = []
    try:
        for due_entry, framed in _paired(due.entries, headers):
            share = _share(due, due_entry, framed, holder=holder)
            if isinstance(share, NamedFailure):
                failures.append(share)
                shares += bytes(SHARE_SIZE)
            else:
                shares += share
                zero(share)
        sealed = seal(due.opening.opening_key, share_info(kind, due.id, holder.card.kid), shares)
    finally:
        zero(shares)
    made = Contribution(due.id, holder.card.kid, sealed, tuple(one.failure for one in failures))
    named = tuple(one for one in failures if one.failure.code is not SlotCode.LEFT_OUT)
    return MadeContribution(made.statement(kind).signed_by(holder.signer), named)


def open_contribution(checked: CheckedContribution, key: KemKey) -> tuple[bytearray | None, ...]:
    """The shares of a contribution or release, by index; None where the holder listed a failure.

    They are not compared with their commits here (crypto.slots.check_share).

    Args:
        checked: what passed `require_contribution` or `require_release`.
        key: the opening key.

    Raises:
        ShareError: it is not sealed to this key for this opening and holder; `kid` names the holder.
    """
    contribution = checked.contribution
    kind = _KINDS[checked.card.role]
    try:
        shares = key.open(share_info(kind, contribution.opening_id, contribution.kid), contribution.sealed)
    except UnopenedError as error:
        raise ShareError("the shares do not open with the opening key", kid=contribution.kid) from error
    failed = {failure.index for failure in contribution.failures}
    opened = tuple(
        None if index in failed else shares[index * SHARE_SIZE : (index + 1) * SHARE_SIZE]
        for index in range(contribution.count)
    )
    zero(shares)
    return opened


def _kids(due: DueOpening) -> frozenset[bytes]:
    return frozenset(card.kid for group in (due.custodians, due.gates) for card in group.cards)


def _paired(entries: Iterable[DueEntry], headers: Iterable[bytes]) -> Iterator[tuple[DueEntry, bytes]]:
    """Entries with their headers; ListError when there are more or fewer headers."""
    iterator = iter(headers)
    for due_entry in entries:
        framed = next(iterator, None)
        if framed is None:
            raise ListError("fewer headers than listed envelopes")
        yield due_entry, framed
    if next(iterator, None) is not None:
        raise ListError("more headers than listed envelopes")


def _share(due: DueOpening, due_entry: DueEntry, framed: bytes, *, holder: Holder) -> bytearray | NamedFailure:
    """One envelope's share, or why there is none."""
    if due_entry.is_left_out:
        return _failure(due_entry, SlotCode.LEFT_OUT, "left-out")
    try:
        header = require_header(due, due_entry, framed)
    except CryptoError as error:
        return _failure(due_entry, SlotCode.HEADER, error.code)
    return _opened(header, due_entry, holder)


def _opened(header: Header, due_entry: DueEntry, holder: Holder) -> bytearray | NamedFailure:
    try:
        return open_slot(header, holder.card.kid, holder.kem, kind=EnvelopeKind.BID)
    except UnopenedError as error:
        return _failure(due_entry, SlotCode.HPKE, error.code)
    except ShareError as error:
        return _failure(due_entry, SlotCode.COMMIT, error.code)


def _failure(due_entry: DueEntry, code: SlotCode, reason: str) -> NamedFailure:
    return NamedFailure(SlotFailure(due_entry.index, code), due_entry.entry.envelope_id, reason)
