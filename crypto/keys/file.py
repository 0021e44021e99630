# SPDX-License-Identifier: EUPL-1.2
"""Key files: one master secret under a passphrase, all keys of a holder made from it (protocol 3.2).

Rules
  1. A file opens only with its passphrase; what it asks of memory and time is bounded before any is used.
  2. Public keys stand in clear, are covered by the seal, and are computed again after opening.
  3. Master, seeds and root key live in bytearrays and are zeroed on `close`.

Left to others: where files and passphrases lie (vault.settings), who holds which role (crypto.policy).
"""

import os
import unicodedata
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.algorithms import (
    GCM_NONCE_SIZE,
    GCM_TAG_SIZE,
    KEM_PUBLIC_SIZE,
    KEY_SIZE,
    SIGNATURE_PUBLIC_SIZE,
)
from crypto.encoding import Fields, encode, label
from crypto.errors import FormatError, KeyFileError, KindError, PassphraseError
from crypto.hpke import KemKey
from crypto.policy_parts import Role, key_id
from crypto.shares import zero
from crypto.statement import MAX_KEY_FILE, Kind, Signer, Statement, parse_text

SALT_SIZE = 16  # protocol 3.2
MAX_MEMORY_KIB = 1_048_576  # protocol 3.2: a file may ask for 1 GiB, no more
MAX_PASSES = 10
MAX_LANES = 8
_SEALED_SIZE = KEY_SIZE + GCM_TAG_SIZE


@dataclass(frozen=True)
class Strength:
    """What Argon2id is asked for: memory in KiB, passes over it, lanes."""

    memory_kib: int
    passes: int
    lanes: int


STRONG = Strength(262_144, 3, 4)  # protocol 3.2: what is written


class MasterKey:
    """An opened key file: the holder's keys.

    Attributes:
        role: what the keys are for.
        kem: opens what was sealed to the holder.
        sig: the public signing key.
    """

    def __init__(self, role: Role, master: bytes | bytearray) -> None:
        if len(master) != KEY_SIZE:
            raise ValueError(f"a master has {KEY_SIZE} bytes")
        self.role = role
        self._master = bytearray(master)
        self._closed = False
        seed = self._derive("key/xwing")
        self.kem = KemKey(seed)
        zero(seed)
        self.sig = self.signer("public").verifier.public

    @classmethod
    def generate(cls, role: Role) -> "MasterKey":
        """New keys."""
        return cls(role, os.urandom(KEY_SIZE))

    def __repr__(self) -> str:
        return f"MasterKey({self.role.name}, kid={self.kid.hex()})"

    @property
    def kid(self) -> bytes:
        """The holder's key id."""
        return key_id(self.kem.public, self.sig)

    @property
    def root_key(self) -> bytearray:
        """32 bytes that wrap procedure keys (root) or gate seeds (gate); zero them after use."""
        return self._derive("key/root")

    def signer(self, name: str) -> Signer:
        """Signs statements under a name."""
        seed = self._derive("key/ed25519")
        signer = Signer.from_seed(name, bytes(seed))
        zero(seed)
        return signer

    def close(self) -> None:
        """Forget the master; no further key can be derived."""
        zero(self._master)
        self._closed = True

    def seal_into_file(self, passphrase: str, *, strength: Strength = STRONG) -> bytes:
        """The key file that opens to these keys with this passphrase."""
        if not passphrase:
            raise PassphraseError("a key file needs a passphrase")
        salt, nonce = os.urandom(SALT_SIZE), os.urandom(GCM_NONCE_SIZE)
        public: dict[int, int | bytes | tuple[int, int, int]] = {
            1: int(self.role),
            2: self.kem.public,
            3: self.sig,
            4: salt,
            5: (strength.memory_kib, strength.passes, strength.lanes),
        }
        key = _stretch(passphrase, salt, strength)
        sealed = AESGCM(key).encrypt(nonce, self._master, label("key-file") + encode(public))
        zero(key)
        return Statement(Kind.KEY, encode({**public, 6: nonce, 7: sealed})).note

    def _derive(self, purpose: str) -> bytearray:
        if self._closed:
            raise ValueError("the key is closed")
        derived = bytearray(KEY_SIZE)
        HKDFExpand(SHA512(), KEY_SIZE, label(purpose)).derive_into(self._master, derived)
        return derived


@dataclass(frozen=True)
class KeyFile:
    """A key file as read, still shut: whose it is can be told without the passphrase."""

    role: Role
    kem: bytes
    sig: bytes
    salt: bytes
    strength: Strength
    nonce: bytes
    sealed: bytes

    @property
    def kid(self) -> bytes:
        """The holder's key id."""
        return key_id(self.kem, self.sig)

    def open(self, passphrase: str) -> MasterKey:
        """Open with the passphrase.

        Raises:
            PassphraseError: the wrong one, or a changed file; the two cannot be told apart.
            KeyFileError: its public keys are not those of its master.
        """
        key = _stretch(passphrase, self.salt, self.strength)
        try:
            master = bytearray(AESGCM(key).decrypt(self.nonce, self.sealed, label("key-file") + self._public()))
        except InvalidTag as error:
            raise PassphraseError("the passphrase does not open this key file") from error
        finally:
            zero(key)
        opened = MasterKey(self.role, master)
        zero(master)
        if opened.kem.public != self.kem or opened.sig != self.sig:
            raise KeyFileError("the public keys do not belong to the secret")
        return opened

    def _public(self) -> bytes:
        strength = self.strength
        asked = (strength.memory_kib, strength.passes, strength.lanes)
        return encode({1: int(self.role), 2: self.kem, 3: self.sig, 4: self.salt, 5: asked})


def create_key_file(role: Role, passphrase: str, *, strength: Strength = STRONG) -> bytes:
    """Make new keys and give their file."""
    key = MasterKey.generate(role)
    try:
        return key.seal_into_file(passphrase, strength=strength)
    finally:
        key.close()


def read_key_file(data: bytes) -> KeyFile:
    """Read a key file strictly, without opening it.

    Raises:
        KeyFileError: malformed, or it asks for more memory or time than allowed.
    """
    try:
        fields = Fields.decode(parse_text(data, Kind.KEY).payload, limit=MAX_KEY_FILE, mandatory=range(1, 8))
        asked = fields.fixed(5, size=3)
        lanes = asked.uint(2, least=1, most=MAX_LANES)
        return KeyFile(
            role=Role(fields.uint(1, least=min(Role), most=max(Role))),
            kem=fields.bstr(2, size=KEM_PUBLIC_SIZE),
            sig=fields.bstr(3, size=SIGNATURE_PUBLIC_SIZE),
            salt=fields.bstr(4, size=SALT_SIZE),
            strength=Strength(
                memory_kib=asked.uint(0, least=8 * lanes, most=MAX_MEMORY_KIB),  # 8 per lane: RFC 9106, 3.1
                passes=asked.uint(1, least=1, most=MAX_PASSES),
                lanes=lanes,
            ),
            nonce=fields.bstr(6, size=GCM_NONCE_SIZE),
            sealed=fields.bstr(7, size=_SEALED_SIZE),
        )
    except (FormatError, KindError) as error:
        raise KeyFileError(f"not a key file: {error}") from error


def open_key_file(data: bytes, passphrase: str) -> MasterKey:
    """Read and open a key file; KeyFileError, PassphraseError."""
    return read_key_file(data).open(passphrase)


def _stretch(passphrase: str, salt: bytes, strength: Strength) -> bytearray:
    try:
        given = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError as error:  # a terminal's undecodable bytes become lone surrogates
        raise PassphraseError("the passphrase is not UTF-8") from error
    key = bytearray(KEY_SIZE)
    Argon2id(
        salt=salt,
        length=KEY_SIZE,
        iterations=strength.passes,
        lanes=strength.lanes,
        memory_cost=strength.memory_kib,
    ).derive_into(given, key)
    return key
