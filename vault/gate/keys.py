# SPDX-License-Identifier: EUPL-1.2
"""The gate's keys: one random seed for each procedure, wrapped by the gate's own root (protocol 2.6, kind 3).

Rules
  1. A procedure's seed is drawn once and kept in the key store before anyone sees its card.
  2. Both keys of a card come from the seed as a custodian's come from its master (protocol 3.2).
  3. The root is the gate's alone; without it every unopened bid is lost, so it is backed up apart.

Left to others: the file that keeps the root (crypto.keys.file), destroying a seed (retention).
"""

import os
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.encoding import label
from crypto.hpke import KemKey
from crypto.policy import Role, holder_name, key_id
from crypto.statement import Signer
from crypto.wraps import WrapKind, unwrap, wrap
from vault.errors import StoreConflict
from vault.store import KeyStore
from vault.store.names import key_name

SEED_BYTES = 32


@dataclass(frozen=True)
class GateHolder:
    """The gate's two keys for one procedure."""

    kem: KemKey = field(repr=False)
    signer: Signer = field(repr=False)
    kid: bytes

    @classmethod
    def of_seed(cls, seed: bytes) -> "GateHolder":
        """The keys that follow from a seed."""
        kem = KemKey(_expand(seed, "key/xwing"))
        unnamed = Signer.from_seed("gate", _expand(seed, "key/ed25519"))
        kid = key_id(kem.public, unnamed.verifier.public)
        return cls(kem, Signer(holder_name(Role.GATE, kid), unnamed.private), kid)


@dataclass(frozen=True)
class GateKeys:
    """Makes and finds the seeds."""

    root: bytes = field(repr=False)
    store: KeyStore

    def create(self, procedure: UUID) -> GateHolder:
        """The procedure's keys; the seed is drawn where there is none, and durable before it is used."""
        seed = os.urandom(SEED_BYTES)
        wrapped = wrap(self.root, seed, kind=WrapKind.GATE_SEED, id16=procedure.bytes)
        try:
            self.store.put_if_absent(key_name(WrapKind.GATE_SEED, procedure.bytes), wrapped)
        except StoreConflict:
            return self.get(procedure)
        self.store.durable()
        return GateHolder.of_seed(seed)

    def get(self, procedure: UUID) -> GateHolder:
        """The procedure's keys.

        Raises:
            ObjectMissing: the gate has none for it: never made, or destroyed.
            crypto.errors.WrapError: it is another procedure's, or changed.
        """
        wrapped = self.store.get(key_name(WrapKind.GATE_SEED, procedure.bytes))
        return GateHolder.of_seed(bytes(unwrap(self.root, wrapped, kind=WrapKind.GATE_SEED, id16=procedure.bytes)))


def _expand(seed: bytes, purpose: str) -> bytes:
    return HKDFExpand(algorithm=SHA512(), length=SEED_BYTES, info=label(purpose)).derive(seed)
