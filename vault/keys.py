# SPDX-License-Identifier: EUPL-1.2
"""Keys of the vault: from the root to procedures, objects, facts and weeks (protocol 2.6, 3.10, 4.12).

Rules
  1. Every key but the root is random, wrapped by its parent, and lies in the key store, never in the database.
  2. An object's key is wrapped before the first byte of the object is sent (D1).
  3. Destroying one wrap destroys what it opens, in every copy; only retention and the sweep destroy.
  4. The week bucket and the ledger's id are keyed digests: without the root they group and tell nothing.

Left to others: key files and their passphrases (crypto.keys.file), the gate's keys (vault.gate).
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.encoding import label, u16
from crypto.keys.file import STRONG, Strength, create_key_file, open_key_file
from crypto.policy import Role
from crypto.statement import Signer
from crypto.wraps import WrapKind, unwrap, wrap
from vault.errors import CannotStart, ObjectMissing, StoreConflict
from vault.store import KeyStore
from vault.store.names import key_name

KEY_BYTES = 32
EVERYBODY = "default"  # the platform under whose index key lies what belongs to none
SERVICE_ROLES = {"root": Role.ROOT, "gate": Role.GATE, "statement": Role.STATEMENT, "journal": Role.JOURNAL}


@dataclass(frozen=True)
class ServiceKeys:
    """The vault's own keys, unlocked: root, and the signers of statements and of the journal."""

    root: bytes = field(repr=False)
    statement: Signer
    journal: Signer


def create_service_keys(folder: Path, passphrase: str, *, strength: Strength = STRONG) -> None:
    """Make the vault's key files where they are missing; each has its own secret."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, role in SERVICE_ROLES.items():
        path = folder / f"{name}.key"
        if not path.exists():
            partial = path.with_suffix(".partial")
            partial.touch(mode=0o600)
            partial.write_bytes(create_key_file(role, passphrase, strength=strength))
            partial.rename(path)


def load_service_keys(folder: Path, passphrase: str, *, origin: str) -> ServiceKeys:
    """Unlock the vault's keys.

    Raises:
        CannotStart: a key file is missing.
        crypto.errors.PassphraseError, KeyFileError: it does not open.
    """
    return ServiceKeys(
        root=bytes(open_key_file(read_key(folder, "root"), passphrase).root_key),
        statement=open_key_file(read_key(folder, "statement"), passphrase).signer(f"{origin}/statements"),
        journal=open_key_file(read_key(folder, "journal"), passphrase).signer(f"{origin}/journal"),
    )


def read_key(folder: Path, name: str) -> bytes:
    """The bytes of one key file."""
    try:
        return (folder / f"{name}.key").read_bytes()
    except FileNotFoundError as error:
        raise CannotStart(f"the key file {name}.key is missing in {folder}; restore it from its backup") from error


def expand(key: bytes, purpose: str) -> bytes:
    """HKDF-Expand-SHA512 of a key to another use."""
    return HKDFExpand(algorithm=SHA512(), length=KEY_BYTES, info=label(purpose)).derive(key)


@dataclass
class Keychain:
    """Gives and makes keys; procedure and index keys are kept in memory once read."""

    root: bytes = field(repr=False)
    store: KeyStore
    _known: dict[str, bytes] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def create(self, kind: WrapKind, subject: UUID, *, parent: bytes) -> bytes:
        """Draw a key, wrap it, and store the wrap; an existing one is kept and given."""
        return self.keep(kind, subject, os.urandom(KEY_BYTES), parent=parent)

    def keep(self, kind: WrapKind, subject: UUID, key: bytes, *, parent: bytes) -> bytes:
        """Store the wrap of a given key; an existing wrap stands, and its key is given."""
        try:
            self.store.put_if_absent(key_name(kind, subject.bytes), wrap(parent, key, kind=kind, id16=subject.bytes))
        except StoreConflict:
            return self.get(kind, subject, parent=parent)
        return key

    def get(self, kind: WrapKind, subject: UUID, *, parent: bytes) -> bytes:
        """Unwrap a stored key.

        Raises:
            ObjectMissing: there is none: never made, or destroyed.
            crypto.errors.WrapError: it is another's wrap, or changed.
        """
        return bytes(unwrap(parent, self.store.get(key_name(kind, subject.bytes)), kind=kind, id16=subject.bytes))

    def create_procedure(self, procedure: UUID) -> bytes:
        """The procedure's key, made where it is missing."""
        return self.create(WrapKind.PROCEDURE, procedure, parent=self.root)

    def procedure(self, procedure: UUID) -> bytes:
        """The procedure's key (kind 1)."""
        return self._remember(f"p{procedure.hex}", lambda: self.get(WrapKind.PROCEDURE, procedure, parent=self.root))

    def create_object(self, procedure: UUID, object_id: UUID) -> bytes:
        """A new object's key (kind 2), its wrap stored: step D1."""
        return self.create(WrapKind.OBJECT, object_id, parent=self.procedure(procedure))

    def object(self, procedure: UUID, object_id: UUID) -> bytes:
        """An object's key."""
        return self.get(WrapKind.OBJECT, object_id, parent=self.procedure(procedure))

    def facts(self, procedure: UUID) -> bytes:
        """The key of the procedure's hidden rows."""
        return self._remember(f"f{procedure.hex}", lambda: expand(self.procedure(procedure), "facts"))

    def platform_facts(self, platform: str) -> bytes:
        """The key of hidden rows that belong to no procedure (a refused access, a token issued)."""
        return expand(self.index(platform), "facts")

    def mirror(self) -> bytes:
        """The key of the copies of rows (vault.mirror), of no procedure and no platform's rows."""
        return expand(self.index(EVERYBODY), "mirror")

    def index(self, platform: str) -> bytes:
        """The platform's index key (kind 6), made at first use."""
        subject = UUID(bytes=sha256(label("platform") + platform.encode()).digest()[:16])

        def read() -> bytes:
            try:
                return self.get(WrapKind.INDEX, subject, parent=self.root)
            except ObjectMissing:
                return self.create(WrapKind.INDEX, subject, parent=self.root)

        return self._remember(f"i{platform}", read)

    def bucket(self, platform: str, deadline: datetime) -> bytes:
        """The week of a deadline, as 8 keyed bytes."""
        year, week, _ = deadline.isocalendar()
        return hmac.digest(self.index(platform), f"{year}-W{week:02}".encode(), "sha256")[:8]

    def ledger_id(self, procedure: UUID, box: int, bidder: str) -> UUID:
        """The id of a bidder's ledger in a box: the same again for the same, nothing to anyone else."""
        digest = hmac.digest(self.facts(procedure), label("ledger") + u16(box) + bidder.encode(), "sha256")
        return UUID(bytes=digest[:16])

    def _remember(self, name: str, read: Callable[[], bytes]) -> bytes:
        with self._lock:
            known = self._known.get(name)
        if known is None:
            known = read()
            with self._lock:
                self._known[name] = known
        return known
