# SPDX-License-Identifier: EUPL-1.2
"""Start and stop the embedded parts in order, and say where they are."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from deploy.embedded.directory import DataDirectory
from deploy.embedded.postgres import DatabaseUrls, EmbeddedPostgres
from deploy.embedded.weed import PORTS, EmbeddedStore
from deploy.embedded.weed_files import BucketPair, access_key
from deploy.errors import PartFailed
from deploy.provision import StoreAdmin, provision
from vault.errors import StoreUnavailable
from vault.store.barrier import OutsidePromise
from vault.store.s3 import S3Access
from vault.store.s3_keys import S3KeyStore

Part = TypeVar("Part")

DEFAULT_PAIR = BucketPair(objects="vault", keys="keys")
TRIES = 3  # a port may be taken between drawing and starting
CANARY_PATIENCE = 30.0
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """One identity of the store."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """A store, a pair of its buckets, and its identities by name (`IDENTITIES`)."""

    endpoint: str
    pair: BucketPair
    identities: Mapping[str, S3Credentials]
    directory: Path  # what the barrier flushes
    room: int  # bytes that may lie there


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the started parts are, and what opens them."""

    database_url: str = field(repr=False)  # role of API and worker
    owner_database_url: str = field(repr=False)  # role of the migrations: owns every table
    gate_database_url: str = field(repr=False)  # role of the gate: its own schema, nothing else
    s3_endpoint: str
    s3_region: str
    object_bucket: str
    key_bucket: str
    vault: S3Credentials  # objects: read, write, list, lock
    keys: S3Credentials  # key store: read, write, list
    reader: S3Credentials  # objects: read, list
    provision: S3Credentials  # everything; for provisioning alone
    store_directory: Path  # what the barrier flushes


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts are ours, the others are outside; and how many bytes our store may take."""

    database: bool = True
    store: bool = True
    store_quota: int | None = None


class EmbeddedStack:
    """PostgreSQL and weed on one data directory.

    Start it from a thread that lives as long as the program: the children end with that thread.
    """

    def __init__(
        self, data_directory: Path, *, pairs: Sequence[BucketPair] = (DEFAULT_PAIR,), parts: Parts | None = None
    ) -> None:
        """Name the directory and, for tests, more bucket pairs; nothing is touched before `start`."""
        self.directory = DataDirectory(data_directory)
        self._pairs = tuple(pairs)
        self._parts = parts or Parts()
        self._postgres: EmbeddedPostgres | None = None
        self._store: EmbeddedStore | None = None

    def start(self) -> Addresses:
        """Start everything, or stop what was started and raise a DeployError.

        Raises:
            AlreadyRunning: another bidvault runs on this directory.
            PartFailed: a part did not start; the end of its log is in the message.
        """
        self.start_parts()
        try:
            return self.addresses(database=self.create_database(), pair=self.create_buckets(self._pairs[0]))
        except BaseException:
            self.stop()
            raise

    def start_parts(self) -> None:
        """Take the directory and start the parts that are ours; errors as `start`."""
        self.directory.acquire()
        try:
            for tries_left in reversed(range(TRIES)):
                try:
                    return self._start_parts()
                except PartFailed as failure:
                    self._stop_parts()
                    if not tries_left or "address already in use" not in str(failure).lower():
                        raise
                    self.directory.forget_ports("database")
                    self.directory.forget_ports("store")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the store, then the database, then let go of the directory; safe to call twice."""
        self._stop_parts()
        self.directory.release()

    def require_running(self) -> None:
        """Raise PartFailed when a part has ended: to be asked now and then."""
        for part in (self._postgres, self._store):
            if part is not None:
                part.require_running()

    def create_database(self, name: str = "bidvault", *, template: str = "template0") -> DatabaseUrls:
        """One database with the rights of the three roles, unless it is there."""
        return _running(self._postgres).create_database(name, template=template)

    def drop_database(self, name: str) -> None:
        """Throw a database away: for tests."""
        _running(self._postgres).drop_database(name)

    def create_buckets(self, pair: BucketPair) -> BucketPair:
        """The two buckets of a vault, unless they are there; both are checked."""
        store = _running(self._store)
        admin = StoreAdmin(store.endpoint, access_key("provision"), store.secrets["provision"])
        provision(admin, objects=pair.objects, keys=pair.keys)
        _require_canary(S3Access(store.endpoint, pair.keys, access_key("keys"), store.secrets["keys"]))
        return pair

    def compact_keys(self, pair: BucketPair = DEFAULT_PAIR) -> None:
        """Take deleted keys out of the store's files.

        Raises:
            PartFailed: it could not be done.
        """
        _running(self._store).compact(pair.keys)

    def addresses(self, *, database: DatabaseUrls, pair: BucketPair) -> Addresses:
        """Everything a vault on this database and these buckets must know."""
        store = self.store_access(pair)
        return Addresses(
            database_url=database.api,
            owner_database_url=database.owner,
            gate_database_url=database.gate,
            s3_endpoint=store.endpoint,
            s3_region=REGION,
            object_bucket=pair.objects,
            key_bucket=pair.keys,
            vault=store.identities["vault"],
            keys=store.identities["keys"],
            reader=store.identities["reader"],
            provision=store.identities["provision"],
            store_directory=store.directory,
        )

    def store_access(self, pair: BucketPair = DEFAULT_PAIR) -> StoreAccess:
        """Where the store is and who may do what."""
        store = _running(self._store)
        identities = {name: S3Credentials(access_key(name), secret) for name, secret in store.secrets.items()}
        return StoreAccess(store.endpoint, pair, identities, self.directory.store, store.room)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        """Stop it."""
        self.stop()

    def _start_parts(self) -> None:
        if self._parts.database:
            port = self.directory.ports("database", ["postgres"])["postgres"]
            self._postgres = EmbeddedPostgres(self.directory, port)
            self._postgres.start()
        if self._parts.store:
            ports = self.directory.ports("store", PORTS)
            self._store = EmbeddedStore(self.directory, ports, pairs=self._pairs, quota=self._parts.store_quota)
            self._store.start()

    def _stop_parts(self) -> None:
        for part in (self._store, self._postgres):
            if part is not None:
                part.stop()
        self._store = self._postgres = None


def _running(part: Part | None) -> Part:
    if part is None:
        raise PartFailed("the embedded stack is not running")
    return part


def _require_canary(access: S3Access) -> None:
    """One small thing in and out again: listings answer before there is a volume to write to."""
    store = S3KeyStore(access, barrier=OutsidePromise())
    name, token = f"canary/{secrets.token_hex(16)}", secrets.token_bytes(16)
    give_up = time.monotonic() + CANARY_PATIENCE
    while True:
        try:
            store.put_if_absent(name, token)
            found = store.get(name)
            store.delete(name)
        except StoreUnavailable as error:
            if time.monotonic() > give_up:
                raise PartFailed(f"the object store takes nothing: {error}") from error
            time.sleep(0.2)
            continue
        if found != token:
            raise PartFailed("the object store gives back other bytes than it was given")
        return
