# SPDX-License-Identifier: EUPL-1.2
"""Signed notes, and the statements that the protocol says with them (protocol 2.3, C2SP signed-note 1.0.0).

Rules
  1. A statement is two lines, its kind and one payload; its id is the hash of the text, unmoved by signatures.
  2. A wrong signature of a known key refuses the note; unknown keys are ignored; then distinct known
     signers are counted.
  3. One byte form: base64 is padded and canonical, nothing stands behind the last line feed.

Left to others: who must sign what (crypto.policy, crypto.opening_rules), what a payload holds.
"""

import base64
import binascii
import functools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.encoding import sha256
from crypto.errors import FormatError, KindError, SignatureError

ED25519 = b"\x01"  # C2SP signed-note, signature types
KEY_ID_SIZE = 4
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64
MAX_SIGNATURES = 64  # protocol 2.3
MAX_NOTE = 1 << 20  # protocol 2.3: a note without a stated size
MAX_LARGE_NOTE = 16 << 20  # protocol 2.3, 3.8: contribution, release, keyed, minutes
MAX_POLICY = 512 << 10  # protocol 3.3
MAX_RECEIPT = 64 << 10  # protocol 3.6
MAX_KEY_FILE = 16 << 10  # protocol 3.2
_DASH = "\u2014 "


class Kind(StrEnum):
    """What a statement says; the word in its first line. A closed list."""

    POLICY = "policy"
    RECEIPT = "receipt"
    WITHDRAWAL = "withdrawal"
    REGISTRATION = "registration"
    CLOSING = "closing"
    OPENING = "opening"
    CONTRIBUTION = "contribution"
    RELEASE = "release"
    KEYED = "keyed"
    MINUTES = "minutes"
    REHEARSAL = "rehearsal"
    DECISION = "decision"
    KEY = "key"  # unsigned: a key file (protocol 3.2)
    CARD = "card"  # unsigned: a holder's public keys on their way to the vault

    @property
    def limit(self) -> int:
        """How many bytes a note of this kind may have."""
        return _LIMITS.get(self, MAX_NOTE)


_LIMITS = {
    Kind.POLICY: MAX_POLICY,
    Kind.RECEIPT: MAX_RECEIPT,
    Kind.WITHDRAWAL: MAX_RECEIPT,
    Kind.REGISTRATION: MAX_RECEIPT,
    Kind.CONTRIBUTION: MAX_LARGE_NOTE,
    Kind.RELEASE: MAX_LARGE_NOTE,
    Kind.KEYED: MAX_LARGE_NOTE,
    Kind.MINUTES: MAX_LARGE_NOTE,
    Kind.KEY: MAX_KEY_FILE,
    Kind.CARD: MAX_KEY_FILE,
}


@dataclass(frozen=True, slots=True)
class Verifier:
    """One known public key under one name."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if len(self.public) != PUBLIC_SIZE:
            raise FormatError(f"an Ed25519 key has {PUBLIC_SIZE} bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name this key beside its name."""
        return sha256(self.name.encode(), b"\n", ED25519, self.public)[:KEY_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The C2SP text form: name+id+key."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(ED25519 + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read the C2SP text form; FormatError when its parts do not fit each other."""
        name, _, rest = vkey.partition("+")
        key_id, _, key = rest.partition("+")
        raw = from_base64(key)
        if raw[:1] != ED25519:
            raise FormatError("not an Ed25519 verification key")
        verifier = cls(name, raw[1:])
        if verifier.vkey != vkey:
            raise FormatError(f"the id {key_id!r} is not that of the key")
        return verifier

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raise SignatureError unless this key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(f"the signature of {self.name} does not fit") from error


@dataclass(frozen=True, slots=True)
class Signer:
    """A private signing key under one name; never printed."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        _require_name(self.name)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "Signer":
        """The signer of a 32-byte Ed25519 seed."""
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def verifier(self) -> Verifier:
        """What others check this signer's notes with."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> "Signature":
        """Sign a note's text; the same text gives the same signature."""
        return Signature(self.name, self.verifier.key_id, self.private.sign(text))


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not yet checked."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its line feed."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.value)}\n"


class SignedText(Protocol):
    """What `require_signers` can check: a note or a statement."""

    @property
    def text(self) -> str: ...

    @property
    def signatures(self) -> tuple[Signature, ...]: ...


@dataclass(frozen=True)
class Note:
    """Any signed note: a text that ends in a line feed, and signature lines."""

    text: str
    signatures: tuple[Signature, ...] = ()

    @property
    def note(self) -> bytes:
        """The note's bytes; without signatures the text alone."""
        return _join(self.text, self.signatures)

    def signed_by(self, signer: Signer) -> "Note":
        """The same text with this signer's line added (once)."""
        return replace(self, signatures=_add(self.signatures, signer.sign(self.text.encode())))


@dataclass(frozen=True)
class Statement:
    """One thing said: its kind, its payload, and who signed (unchecked until `require_signers`)."""

    kind: Kind
    payload: bytes = field(repr=False)
    signatures: tuple[Signature, ...] = ()

    @functools.cached_property
    def text(self) -> str:
        """The two lines that are signed, with the last line feed."""
        return f"bidvault/{self.kind}/v1\n{to_base64(self.payload)}\n"

    @functools.cached_property
    def id(self) -> bytes:
        """H(text): names the statement whoever signs it."""
        return sha256(self.text.encode())

    @property
    def note(self) -> bytes:
        """The statement's bytes; without signatures the two lines alone."""
        return _join(self.text, self.signatures)

    def signed_by(self, signer: Signer) -> "Statement":
        """The same statement with this signer's line added (once)."""
        return self.with_signatures([signer.sign(self.text.encode())])

    def with_signatures(self, others: Iterable[Signature]) -> "Statement":
        """The same statement with others' lines added behind, each once."""
        signatures = self.signatures
        for signature in others:
            signatures = _add(signatures, signature)
        return replace(self, signatures=signatures)


def parse_signed_note(data: bytes, *, limit: int = MAX_NOTE) -> Note:
    """Read any signed note.

    Raises:
        FormatError: too long, not UTF-8, control characters, no or too many or malformed signature lines.
    """
    whole = _require_lines(data, limit)
    text, separator, block = whole.rpartition("\n\n")
    if not separator or not block:
        raise FormatError("a note without signature lines")
    if block.count("\n") > MAX_SIGNATURES:  # counted before they are taken apart
        raise FormatError(f"more than {MAX_SIGNATURES} signature lines")
    return Note(text + "\n", tuple(_parse_line(line) for line in block[:-1].split("\n")))


def parse_note(data: bytes, kind: Kind, limit: int | None = None) -> Statement:
    """Read a signed statement of one kind; its signatures are not checked yet.

    Raises:
        FormatError: not a note, not two lines, base64 not canonical.
        KindError: a statement of another kind.
    """
    note = parse_signed_note(data, limit=kind.limit if limit is None else limit)
    return Statement(kind, _payload(note.text, kind), note.signatures)


def parse_text(data: bytes, kind: Kind) -> Statement:
    """Read an unsigned statement: the two lines alone (key files, card files, texts to be signed)."""
    return Statement(kind, _payload(_require_lines(data, kind.limit), kind))


def require_signers(signed: SignedText, verifiers: Iterable[Verifier], at_least: int) -> frozenset[str]:
    """Check every signature of a known key and count distinct signers.

    Args:
        signed: a note or statement.
        verifiers: the known keys.
        at_least: how many of them must have signed.

    Returns:
        The names of the known keys that signed.

    Raises:
        SignatureError: a known key's signature is wrong, or too few known keys signed.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    text = signed.text.encode()
    signers: set[str] = set()
    for signature in signed.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            verifier.verify(text, signature.value)
            signers.add(verifier.name)
    if len(signers) < at_least:
        raise SignatureError(f"{len(signers)} known signers where {at_least} are needed")
    return frozenset(signers)


def _payload(text: str, kind: Kind) -> bytes:
    first, _, second = text.removesuffix("\n").partition("\n")
    if not second or "\n" in second:
        raise FormatError("a statement has exactly two lines")
    if first != f"bidvault/{kind}/v1":
        raise KindError(f"not a statement of kind {kind}")
    return from_base64(second)


def _require_lines(data: bytes, limit: int) -> str:
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes, at most {limit} allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("a note that is not UTF-8") from error
    if not text.endswith("\n"):
        raise FormatError("a note ends in a line feed")
    if any(unicodedata.category(character) == "Cc" for character in set(text) - {"\n"}):
        raise FormatError("a note holds a control character")
    return text


def _parse_line(line: str) -> Signature:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator:
        raise FormatError("a malformed signature line")
    _require_name(name)
    raw = from_base64(encoded)
    if len(raw) <= KEY_ID_SIZE:
        raise FormatError("a signature line without a signature")
    return Signature(name, raw[:KEY_ID_SIZE], raw[KEY_ID_SIZE:])


def _require_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise FormatError("a key's name is empty or holds a space or a plus")


def _add(signatures: tuple[Signature, ...], signature: Signature) -> tuple[Signature, ...]:
    return signatures if signature in signatures else (*signatures, signature)


def _join(text: str, signatures: tuple[Signature, ...]) -> bytes:
    if not signatures:
        return text.encode()
    return (text + "\n" + "".join(signature.line for signature in signatures)).encode()


def to_base64(raw: bytes) -> str:
    """Padded base64 (RFC 4648 section 4)."""
    return base64.b64encode(raw).decode("ascii")


def from_base64(encoded: str) -> bytes:
    """Padded canonical base64 (RFC 4648 section 4), or FormatError."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("not base64") from error
    if to_base64(raw) != encoded:
        raise FormatError("not canonical base64")
    return raw
