# SPDX-License-Identifier: EUPL-1.2
"""One vault served by several processes: the same database, the same directory of stores, the same keys.

Each process has a world of its own with clocks of its own, as replicas on different machines have. Authorities are
simulated in each: their keys are those of the test PKI, so that a token of one is judged by all.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from crypto.keys.file import MasterKey
from crypto.policy import Role
from deploy.embedded import Addresses
from tests.races.stores import FileKeyStore, FileObjectStore
from tests.world.world import ORIGIN, World
from vault.gate.keys import GateKeys
from vault.keys import Keychain, ServiceKeys
from vault.work import Works


@dataclass(frozen=True)
class Shared:
    """What every process of the vault is given.

    Attributes:
        addresses: the database.
        directory: where the stores lie.
        masters: 32 bytes each, of the root, statement and journal key.
    """

    addresses: Addresses
    directory: Path
    masters: tuple[bytes, bytes, bytes] = field(repr=False)

    @property
    def service_keys(self) -> ServiceKeys:
        """The vault's keys, alike in all processes."""
        root, statement, journal = self.masters
        return ServiceKeys(
            root=bytes(MasterKey(Role.ROOT, root).root_key),
            statement=MasterKey(Role.STATEMENT, statement).signer(f"{ORIGIN}/statements"),
            journal=MasterKey(Role.JOURNAL, journal).signer(f"{ORIGIN}/journal"),
        )


class SharedWorld(World):
    """A world whose vault is one of several processes."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        super().__init__(shared.addresses)

    def start(self) -> Works:
        """A process of the vault on the stores that all share."""
        alone = super().start()
        keys, key_store = self.shared.service_keys, FileKeyStore(self.shared.directory)
        return replace(
            alone,
            store=FileObjectStore(self.shared.directory, clock=self.clock.now),
            key_store=key_store,
            keys=Keychain(keys.root, key_store),
            service_keys=keys,
            gate=replace(alone.gate, keys=GateKeys(bytes(range(32)), key_store)),
        )

    def at(self, now: datetime, procedure: UUID) -> "SharedWorld":
        """The same process at a time, acting on a procedure."""
        self.time.clock.now, self.procedure = now, procedure
        return self
