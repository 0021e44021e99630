# SPDX-License-Identifier: EUPL-1.2
"""Holders with their private keys, and a policy that names them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crypto.header import EnvelopeKind, SealedHead
from crypto.keys.file import MasterKey
from crypto.policy import Box, Card, Group, Limits, Part, Policy, Role, TimeQuorum
from crypto.sealing import EnvelopeSealer, bytes_reader, open_slot, read_head, seal_whole
from crypto.statement import Verifier

DEADLINE = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
BIDDER = "siret:21350238800019"
DOCUMENTS = (("offre/prix.csv", b"lot;prix\n1;42\n"), ("offre/vide.txt", b""), ("plan.bin", bytes(range(256)) * 200))

_WITH_TRUSTEES = 3  # groups


@dataclass(frozen=True)
class Holders:
    """A policy with two boxes of the same holders, and all private keys by kid."""

    policy: Policy
    custodians: tuple[MasterKey, ...]
    gates: tuple[MasterKey, ...]
    trustees: tuple[MasterKey, ...]

    def seal(
        self,
        documents: Iterable[tuple[str, bytes]] = DOCUMENTS,
        *,
        box: int = 1,
        envelope_id: bytes = bytes(range(16)),
        kind: EnvelopeKind = EnvelopeKind.BID,
        bidder: str = BIDDER,
    ) -> bytes:
        """One sealed envelope."""
        sealer = EnvelopeSealer(self.policy, box, envelope_id, kind=kind, bidder=bidder, deposit_secret=os.urandom(32))
        return seal_whole(sealer, documents)

    def shares(self, head: SealedHead, keys: Iterable[MasterKey]) -> dict[bytes, bytearray]:
        """The shares that these holders take out of their slots."""
        return {key.kid: open_slot(head.header, key.kid, key.kem, kind=head.header.kind) for key in keys}


def head_of(sealed: bytes) -> SealedHead:
    """Header and commitment of a sealed envelope in memory."""
    return read_head(bytes_reader(sealed))


def make_holders(
    k: int = 2, n: int = 3, *, gates: tuple[int, int] = (1, 1), trustees: tuple[int, int] | None = None
) -> Holders:
    """Fresh holders: k of n custodians, and gates and trustees given the same way."""
    custodian_keys = _keys(Role.CUSTODIAN, n)
    gate_keys = _keys(Role.GATE, gates[1])
    trustee_keys = _keys(Role.TRUSTEE, trustees[1]) if trustees else ()
    groups = [_group(Role.CUSTODIAN, k, custodian_keys), _group(Role.GATE, gates[0], gate_keys)]
    if trustees:
        groups.append(_group(Role.TRUSTEE, trustees[0], trustee_keys))
    return Holders(_policy(tuple(groups)), custodian_keys, gate_keys, trustee_keys)


def _keys(role: Role, count: int) -> tuple[MasterKey, ...]:
    return tuple(MasterKey.generate(role) for _ in range(count))


def _group(role: Role, k: int, keys: tuple[MasterKey, ...]) -> Group:
    return Group(role, k, tuple(_card(role, key) for key in keys))


def _card(role: Role, key: MasterKey) -> Card:
    return Card(
        role=role,
        kem=key.kem.public,
        sig=key.sig,
        name="A. Holder",
        organisation="Commune",
        person=os.urandom(16),
        valid_from=DEADLINE - timedelta(days=30),
        valid_to=DEADLINE + timedelta(days=300),
    )


def _policy(groups: tuple[Group, ...]) -> Policy:
    opens_at = DEADLINE + timedelta(hours=1)
    boxes = tuple(
        Box(
            number=number,
            lot="1",
            part=part,
            deadline=DEADLINE,
            not_before=opens_at,
            custodians=0,
            gates=1,
            trustees=2 if len(groups) == _WITH_TRUSTEES else None,
        )
        for number, part in ((1, Part.TECHNICAL), (2, Part.FINANCIAL))
    )
    return Policy(
        procedure=os.urandom(16),
        epoch=0,
        previous=None,
        reference="2026-001",
        title="Travaux",
        siret="21350238800019",
        buyer="Commune",
        zone="Europe/Paris",
        boxes=boxes,
        groups=groups,
        time=TimeQuorum(2, (bytes(32), bytes([1]) * 32)),
        journal_vkey=Verifier("vault.example/journal", bytes(32)).vkey,
        statement_vkey=Verifier("vault.example/statements", bytes(32)).vkey,
        limits=Limits(1 << 30, 1 << 31, 100, 10),
    )
