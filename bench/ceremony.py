# SPDX-License-Identifier: EUPL-1.2
"""The cryptography of an opening alone: two hundred envelopes, seven custodians, nothing but computing.

What is counted: each custodian opens its slots and seals the shares to the opening key; the vault opens these, compares
commitments, recovers each file key with its dealer check, and reads each envelope whole. Passphrases are not: opening a
key file takes a second by design, wherever it is done.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from bench.measures import Measure, alone, less_is_better
from bench.sealing import BIDDER
from crypto.algorithms import SHARE_SIZE
from crypto.header import Core, EnvelopeKind, SealedHead, Secrets, build_header
from crypto.hpke import KemKey, seal
from crypto.policy_parts import Card, Group, Role
from crypto.sealing import BodySealer, EnvelopeReader, bytes_reader, seal_whole
from crypto.slots import check_share, file_key, open_slot, recover_file_key
from crypto.stream import HEAD_SIZE

ENVELOPES, CUSTODIANS, NEEDED = 200, 7, 4
SIZE = 10 * 1000
LIMIT = 10.0  # seconds
INFO = b"bench"


def measure() -> list[Measure]:
    """Seconds of cryptography, and of each side."""
    keys = [KemKey(os.urandom(32)) for _ in range(CUSTODIANS + 1)]
    groups = (
        Group(Role.CUSTODIAN, NEEDED, tuple(_card(Role.CUSTODIAN, key) for key in keys[:-1])),
        Group(Role.GATE, 1, (_card(Role.GATE, keys[-1]),)),
    )
    sealed = [_sealed(groups) for _ in range(ENVELOPES)]
    kids = [card.kid for group in groups for card in group.cards]
    opening = KemKey(os.urandom(32))
    began = time.perf_counter()
    given = {kid: _contribute(sealed, kid, key, opening=opening) for kid, key in zip(kids, keys, strict=True)}
    contributed = time.perf_counter()
    _open_all(sealed, given, opening=opening)
    ended = time.perf_counter()
    words = f"{ENVELOPES} envelopes of 10 KB opened with {CUSTODIANS} custodians"
    limit = ("set limit", LIMIT)
    return [
        less_is_better(f"{words}: seconds of cryptography", ended - began, "s", peer=limit, goal=1.0),
        alone(f"{words}: one custodian's part of it", (contributed - began) / (CUSTODIANS + 1), "s"),
        alone(f"{words}: the vault's part of it", ended - contributed, "s"),
    ]


def _card(role: Role, key: KemKey) -> Card:
    now = datetime.now(UTC)
    person = os.urandom(16)
    return Card(role, key.public, os.urandom(32), "Bench", "Bench", person, now, now + timedelta(days=1))


def _sealed(groups: tuple[Group, ...]) -> tuple[SealedHead, bytes]:
    secrets = Secrets(bytearray(os.urandom(32)), bytearray(os.urandom(32)))
    header = build_header(Core(os.urandom(32), 1, os.urandom(16), EnvelopeKind.BID), groups, secrets)
    sealer = BodySealer(header, file_key(secrets), bidder=BIDDER, envelope_tag_key=os.urandom(32))
    whole = seal_whole(sealer, [("prix.txt", os.urandom(SIZE))])
    body = len(header.framed)
    return SealedHead(header, whole[body : body + HEAD_SIZE]), whole


def _contribute(sealed: list[tuple[SealedHead, bytes]], kid: bytes, key: KemKey, *, opening: KemKey) -> bytes:
    shares = [bytes(open_slot(head.header, kid, key, kind=EnvelopeKind.BID)) for head, _ in sealed]
    return seal(opening.public, INFO + kid, b"".join(shares))


def _open_all(sealed: list[tuple[SealedHead, bytes]], given: dict[bytes, bytes], *, opening: KemKey) -> None:
    opened = {kid: bytes(opening.open(INFO + kid, one)) for kid, one in given.items()}
    for place, (head, whole) in enumerate(sealed):
        shares = {kid: one[place * SHARE_SIZE : (place + 1) * SHARE_SIZE] for kid, one in opened.items()}
        for kid, share in shares.items():
            check_share(head.header, kid, share)
        key = recover_file_key(head, shares)
        EnvelopeReader(bytes_reader(whole), len(whole), key).check(BIDDER)
