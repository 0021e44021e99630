# SPDX-License-Identifier: EUPL-1.2
"""A vault whose database and store lie on one disk that can lose its power.

The stack is the embedded one, as `bidvault up` runs it; time authorities are simulated, since they lie elsewhere.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psutil

from deploy.embedded import Addresses, EmbeddedStack, S3Credentials
from deploy.migrations import migrate
from tests.power.disk import CutDisk
from tests.world.world import World
from vault import envelopes, receiving, sequencer, shelf
from vault.errors import ObjectMissing, StoreUnavailable, VaultError
from vault.gate.keys import GateKeys
from vault.keys import Keychain
from vault.store import KeyStore
from vault.store.barrier import Barrier, DiskBarrier, OutsidePromise
from vault.store.s3 import S3Access
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore
from vault.work import Works, connect

RESERVE = 64 * 1024 * 1024
CLIENTS = 8
PATIENCE = 60.0  # seconds for one deposit on a busy machine


@dataclass(frozen=True)
class Acknowledged:
    """A deposit whose receipt its depositor holds."""

    id: UUID
    bidder: str
    note: bytes = field(repr=False)


class CutWorld(World):
    """A vault on a disk; after a cut `restart` finds what is left."""

    def __init__(self, disk: CutDisk) -> None:
        """Start it."""
        self.disk = disk
        self._is_flushing = True
        self._barrier: DiskBarrier | None = None
        self._stack, self._addresses = self._start_stack()
        super().__init__(self._addresses)
        self.time.clock.now = datetime.now(UTC).replace(microsecond=0)  # the store judges locks by the machine's clock

    def start(self) -> Works:
        """A process of the vault on what lies on the disk."""
        alone, addresses = super().start(), self._addresses
        barrier = self._make_barrier()
        store = S3ObjectStore(
            _access(addresses, addresses.object_bucket, addresses.vault), clock=_machine_clock, barrier=barrier
        )
        key_store = S3KeyStore(_access(addresses, addresses.key_bucket, addresses.keys), barrier=barrier)
        return self.on(replace(alone, store=store), key_store)

    @staticmethod
    def on(works: Works, key_store: KeyStore) -> Works:
        """The same vault on another key store."""
        gate = replace(works.gate, keys=GateKeys(bytes(range(32)), key_store))
        return replace(works, key_store=key_store, keys=Keychain(works.keys.root, key_store), gate=gate)

    def stop_flushing(self) -> None:
        """From now on the store's word is taken for its deed."""
        self._is_flushing = False
        self.works = self.start()

    def lose_power(self) -> None:
        """Cut the power; every process of the stack ends with it."""
        self.disk.cut()
        self._end_stack()

    def restart(self) -> None:
        """Power is back: the same vault on what the disk holds."""
        self.disk.plug_in()
        self._stack, self._addresses = self._start_stack()
        urls = (self._addresses.database_url, self._addresses.gate_database_url)
        self.engines = [connect(url, pool_size=CLIENTS) for url in urls]
        self.works = self.start()
        sequencer.require_not_rolled_back(self.works)

    def close(self) -> None:
        self._end_stack()
        super().close()

    def lost(self, acknowledged: Iterable[Acknowledged]) -> list[Acknowledged]:
        """Those whose row, object or key is gone, or other than what was acknowledged."""
        return [one for one in acknowledged if not self._has(one)]

    def _has(self, one: Acknowledged) -> bool:
        with self.works.open() as work:
            kept = envelopes.find(self.works, work, one.id, procedure=self.procedure)
        if kept is None or receiving.acknowledge(self.works, kept).note != one.note:
            return False
        try:
            self.works.keys.object(self.procedure, kept.facts.object_id)
            return shelf.is_intact(self.works, kept.facts)
        except (ObjectMissing, StoreUnavailable):
            return False

    def _start_stack(self) -> tuple[EmbeddedStack, Addresses]:
        stack = EmbeddedStack(self.disk.root / "data")
        addresses = stack.start()
        migrate(addresses.owner_database_url)
        return stack, addresses

    def _make_barrier(self) -> Barrier:
        if not self._is_flushing:
            return OutsidePromise()
        self._close_barrier()
        self._barrier = DiskBarrier(self._addresses.store_directory, reserve=RESERVE)
        return self._barrier

    def _end_stack(self) -> None:
        end_processes(self.disk)
        self._close_barrier()
        for engine in self.engines:
            engine.dispose()
        self._stack.stop()

    def _close_barrier(self) -> None:
        if self._barrier is not None:
            self._barrier.close()
            self._barrier = None


class Load:
    """Clients that deposit, one after the other each, until the vault answers no more."""

    def __init__(self, world: CutWorld, *, clients: int = CLIENTS) -> None:
        """Begin."""
        self._world = world
        self._over = threading.Event()
        self._news = threading.Semaphore(0)
        self.acknowledged: list[Acknowledged] = []
        works = [*[self._deposit] * clients, self._publish]
        self._threads = [threading.Thread(target=self._until_over, args=(one,)) for one in works]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until so many more deposits were acknowledged."""
        for _ in range(count):
            assert self._news.acquire(timeout=PATIENCE), "no deposit is acknowledged any more"

    def end(self) -> list[Acknowledged]:
        """Wait until every client has given up; all that they hold."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged

    def _until_over(self, act: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                act()
            except VaultError:
                continue  # a client tries again for as long as there is a vault

    def _deposit(self) -> None:
        bidder = f"other:{uuid4().hex}"
        made = self._world.deposit(bidder, {"bid.txt": bidder.encode() * 300})
        self.acknowledged.append(Acknowledged(made.id, bidder, made.acknowledgement.note))
        self._news.release()

    def _publish(self) -> None:
        sequencer.publish(self._world.works)
        self._over.wait(0.05)  # a tick of the worker


def _access(addresses: Addresses, bucket: str, who: S3Credentials) -> S3Access:
    return S3Access(addresses.s3_endpoint, bucket, who.access_key, who.secret_key, region=addresses.s3_region)


def _machine_clock() -> datetime:
    return datetime.now(UTC)


def end_processes(disk: CutDisk) -> None:
    """End all of ours that run on a disk as a machine does that loses its power: nobody is asked."""
    inside: list[psutil.Process] = []
    for main in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has felt the cut itself
            if str(disk.root) in " ".join(main.cmdline()):
                inside += [main, *main.children(recursive=True)]
    for process in inside:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(inside)
