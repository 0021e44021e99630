# SPDX-License-Identifier: EUPL-1.2
"""Settings in, tools out: the one place where a process of the vault is put together.

Rules
  1. Nothing else makes a tool; a test puts its own together from simulators.
  2. What cannot keep its promise does not start (style: refuse to start); the sentence says what to do.
  3. Stand-ins for development warn with `DevelopmentOnly`.

Left to others: starting the outside parts (deploy), serving (api.server), running jobs (api.worker).
"""

import warnings
from pathlib import Path

from api.auth import open_verifier
from api.deposit.upload import Uploads
from api.probes import probes
from api.refused import Edge
from api.services import PublishedLimits, Services
from crypto.certificates import Anchor, read_anchors
from crypto.keys.file import open_key_file
from crypto.seal import load_seal
from vault import recovery
from vault.authorities import Authority, HttpLine, TimeAuthorities
from vault.errors import CannotStart, DevelopmentOnly
from vault.gate.keys import GateKeys
from vault.gate.service import Gate
from vault.keys import Keychain, load_service_keys, read_key
from vault.prints.seal import PrintSeal
from vault.settings import BucketAccess, Settings
from vault.store import KeyStore
from vault.store.barrier import DiskBarrier, OutsidePromise
from vault.store.compaction import SupervisorCompaction, cannot_compact
from vault.store.s3 import S3Access
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore
from vault.work import Clock, SystemClock, Works, connect


def compose(settings: Settings, *, clock: Clock | None = None) -> Works:
    """Put a vault's tools together, and check that it may run on what it finds.

    Raises:
        CannotStart: a key file or a trust anchor is missing.
        StoreRefused: the bucket of objects has no lock.
        RolledBack: the store or the gate is ahead of the database.
        crypto.errors.PassphraseError: the passphrase file is not that of the key files.
    """
    works = assemble(settings, clock=clock)
    works.store.require_lock()
    recovery.require_nothing_lost(works)
    return works


def assemble(settings: Settings, *, clock: Clock | None = None) -> Works:
    """Put a vault's tools together, whatever state it is in: for a recovery, which makes the checks at its end.

    Raises:
        CannotStart, crypto.errors.PassphraseError: as `compose`.
    """
    if settings.is_development:
        warnings.warn(
            "keys, authorities or clock are for development: nothing is promised", DevelopmentOnly, stacklevel=2
        )
    elif clock is not None and not isinstance(clock, SystemClock):
        raise CannotStart("a clock that can be shifted is for development: set BIDVAULT_IS_DEVELOPMENT=true")
    clock = clock or SystemClock()
    passphrase = read_passphrase(settings.passphrase_file)
    service_keys = load_service_keys(settings.keys, passphrase, origin=settings.origin)
    ours = settings.embedded_store
    barrier = DiskBarrier(ours, quota=settings.store_quota) if ours else OutsidePromise()
    store = S3ObjectStore(objects_of(settings), clock=clock.now, barrier=barrier, horizon=settings.lock_horizon)
    compaction = SupervisorCompaction(ours.parent) if ours else cannot_compact
    key_store = S3KeyStore(keys_of(settings), barrier=barrier, compaction=compaction)
    anchors = _anchors(settings)
    return Works(
        engine=connect(settings.database_url.get_secret_value()),
        clock=clock,
        settings=settings,
        store=store,
        key_store=key_store,
        keys=Keychain(service_keys.root, key_store),
        service_keys=service_keys,
        authorities=TimeAuthorities(
            [Authority(one.name, one.url) for one in settings.authorities],
            line=HttpLine(),
            anchors=anchors,
            clock=clock.now,
        ),
        gate=_gate(settings, passphrase, clock=clock, key_store=key_store, anchors=anchors),
    )


def _gate(
    settings: Settings, passphrase: str, *, clock: Clock, key_store: KeyStore, anchors: tuple[Anchor, ...]
) -> Gate:
    """The built-in gate: its own root, its own database role."""
    root = bytes(open_key_file(read_key(settings.keys, "gate"), passphrase).root_key)
    engine = connect(settings.gate_database_url.get_secret_value(), pool_size=2)
    return Gate(engine=engine, clock=clock, keys=GateKeys(root, key_store), anchors=anchors)


def services(works: Works) -> Services:
    """What the API is given."""
    settings = works.settings
    return Services(
        works=works,
        tokens=open_verifier(settings.keys, works.clock),
        uploads=Uploads(works.clock),
        limits=PublishedLimits(
            max_document=settings.max_document,
            max_envelope=settings.max_envelope,
            max_documents=settings.max_documents,
            max_deposits=settings.max_deposits,
        ),
        seal=print_seal(works),
        edge=Edge(works),
        probes=probes(works),
    )


def print_seal(works: Works) -> PrintSeal:
    """The vault's seal of prints.

    Raises:
        CannotStart: its key or its chain is missing.
        crypto.errors.PassphraseError: the passphrase file is not that of the seal.
    """
    keys = works.settings.keys
    try:
        pkcs8, chain = (keys / "seal.p8").read_bytes(), (keys / "seal.pem").read_bytes()
    except FileNotFoundError as error:
        raise CannotStart(f"the seal of prints is missing: put seal.p8 and its chain seal.pem into {keys}") from error
    passphrase = read_passphrase(works.settings.passphrase_file)
    return PrintSeal(load_seal(pkcs8, passphrase.encode(), chain), works.authorities)


def read_passphrase(path: Path) -> str:
    """The passphrase of the vault's key files."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError as error:
        raise CannotStart(
            f"the passphrase file {path} is missing; it is made with the keys and must be kept"
        ) from error


def objects_of(settings: Settings) -> S3Access:
    """The bucket of objects, as the vault enters it."""
    return _access(settings, settings.objects)


def keys_of(settings: Settings) -> S3Access:
    """The key store, as the vault enters it."""
    return _access(settings, settings.key_store)


def _access(settings: Settings, bucket: BucketAccess) -> S3Access:
    return S3Access(
        endpoint=settings.s3_endpoint,
        bucket=bucket.bucket,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key.get_secret_value(),
        region=settings.s3_region,
        checksum=settings.store_checksum,
    )


def _anchors(settings: Settings) -> tuple[Anchor, ...]:
    found: dict[bytes, Anchor] = {}
    for authority in settings.authorities:
        try:
            for anchor in read_anchors(authority.anchor.read_bytes()):
                found[anchor.hash] = anchor
        except FileNotFoundError as error:
            raise CannotStart(
                f"the root of {authority.name} is missing: put its PEM file at {authority.anchor}"
            ) from error
    if len(found) < settings.quorum:
        raise CannotStart(
            f"{settings.quorum} time authorities under different roots are needed, {len(found)} roots given"
        )
    return tuple(found.values())
