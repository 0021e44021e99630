# SPDX-License-Identifier: EUPL-1.2
"""An opening from closing to documents, told in values: what comes out of each listed envelope, or which word refuses.

It does what the vault does (4.6 to 4.8), with real keys and tokens and no vault around it, so that a test can list what
a hostile sealer made.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

from crypto.closings import ListEntry
from crypto.contribution import contribute, open_contribution
from crypto.encoding import sha256
from crypto.errors import CryptoError
from crypto.header import Core, EnvelopeKind, Header, Secrets, Slot, build_header, share_commit, slot_info
from crypto.hpke import seal
from crypto.opening_rules import DueEntry, DueOpening, require_contribution, require_header, require_release
from crypto.reader import EnvelopeReader, bytes_reader
from crypto.sealing import BodySealer, seal_whole
from crypto.slots import file_key, recover_file_key
from tests.crypto.holders import BIDDER, head_of
from tests.crypto.procedure import Sealed, Told

PRICE = b"PLANTED 41 998.00 EUR"
DOCUMENTS = (("prix.txt", PRICE),)


def outcomes(told: Told, listed: Sequence[Sealed]) -> list[str]:
    """For each listed envelope `opened`, or the word that refuses it; no document leaves a refused one."""
    due = told.due(told.closed(listed))
    given = _shares(told, due, listed)
    return [_outcome(due, entry, one, given[entry.index]) for entry, one in zip(due.entries, listed, strict=True)]


def _shares(told: Told, due: DueOpening, listed: Sequence[Sealed]) -> list[dict[bytes, bytearray]]:
    """What k custodians and the gate contribute, by envelope and holder."""
    found: list[dict[bytes, bytearray]] = [{} for _ in listed]
    framed = [one.framed for one in listed]
    for key in (*told.holders.custodians[:2], *told.holders.gates):
        said = contribute(due, framed, holder=told.holder(key)).statement
        check = require_release if key in told.holders.gates else require_contribution
        for index, share in enumerate(open_contribution(check(said, due), told.opening_key)):
            if share is not None:
                found[index][key.kid] = share
    return found


def _outcome(due: DueOpening, entry: DueEntry, one: Sealed, shares: dict[bytes, bytearray]) -> str:
    refusal: CryptoError | None = None
    try:
        require_header(due, entry, one.framed)
        key = recover_file_key(head_of(one.whole), shares)
        EnvelopeReader(bytes_reader(one.whole), len(one.whole), key).check(BIDDER)
    except CryptoError as error:
        refusal = error
    if refusal is None:
        return "opened"
    assert "PLANTED" not in f"{refusal!r} {refusal.__cause__!r} {refusal.__context__!r}"
    return refusal.code


def listed_as(whole: bytes) -> Sealed:
    """A sealed envelope as the vault lists it: by its bytes, whoever sealed them."""
    header = head_of(whole).header
    return Sealed(ListEntry(header.envelope_id, header.hash, sha256(whole), len(whole)), header.framed, whole)


def core_of(told: Told, *, box: int = 1) -> Core:
    """The core of a new bid."""
    return Core(told.policy.hash, box, os.urandom(16), EnvelopeKind.BID)


def honest_header(told: Told, core: Core, secrets: Secrets) -> Header:
    """The header that an honest sealer makes."""
    return build_header(core, told.policy.groups_of(told.policy.box(1)), secrets)


def drawn() -> Secrets:
    """Fresh secrets."""
    return Secrets(bytearray(os.urandom(32)), bytearray(os.urandom(32)))


def dealt(told: Told, shares: Sequence[bytes | bytearray], core: Core, secrets: Secrets) -> Header:
    """A header whose sealer dealt these shares to the custodians, under right commits."""
    honest = honest_header(told, core, secrets)
    slots = []
    for card, share in zip(told.policy.groups[0].cards, shares, strict=True):
        commit = share_commit(core.hash, card.role, share)
        slots.append(Slot(card.kid, commit, seal(card.kem, slot_info(core.hash, card.role, card.kid, commit), share)))
    return replace(honest, groups=(replace(honest.groups[0], slots=tuple(slots)), *honest.groups[1:]))


def body_under(header: Header, key: bytes | bytearray, *, bidder: str = BIDDER) -> bytes:
    """A whole envelope behind any header, sealed with any key."""
    sealer = BodySealer(header, key, bidder=bidder, envelope_tag_key=bytes(32))
    return seal_whole(sealer, DOCUMENTS)


def hostile(header: Header, secrets: Secrets, *, bidder: str = BIDDER) -> Sealed:
    """An envelope behind that header under the key of these secrets."""
    return listed_as(body_under(header, file_key(secrets), bidder=bidder))
