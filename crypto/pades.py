# SPDX-License-Identifier: EUPL-1.2
"""PAdES: sign a PDF with the vault's seal and a time token, verify one offline, take attachments out.

Rules
  1. A signature is at least B-T: without a token that verifies there is no signed PDF; with revocation
     data of the seal it is B-LT.
  2. Verification trusts only the anchors it is given, reads no network, and judges at the token's genTime.
  3. The signature covers the entire file; one byte behind it refuses the file.
  4. A `VerifiedPdf` exists only if every check passed.

Left to others: the page itself (vault.prints), asking for the token (vault.authorities).
"""

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime

from crypto.certificates import Anchor, RevocationEvidence
from crypto.timestamp import VerifiedTimestamp

_CHECKED = object()


@dataclass(frozen=True)
class SealKey:
    """The vault's PDF seal: the loaded EC P-256 key and its chain, the seal's certificate first."""

    chain: tuple[bytes, ...]


@dataclass(frozen=True)
class SealTime:
    """A time token over a digest with what verifies it: what `stamp` of `sign_pdf` returns."""

    token: bytes = field(repr=False)
    evidence: RevocationEvidence


@dataclass(frozen=True)
class VerifiedPdf:
    """A PDF whose seal passed every check.

    Attributes:
        signer: the seal's subject, for people.
        seal_hash: H(SPKI) of the seal's key.
        anchor_hash: H(SPKI) of the anchor of the seal.
        signed_at: the time of its verified token.
        level: "B-T" or "B-LT".
        attachments: the embedded files by name.
    """

    signer: str
    seal_hash: bytes
    anchor_hash: bytes
    signed_at: VerifiedTimestamp
    level: str
    attachments: dict[str, bytes] = field(repr=False)
    checked: InitVar[object] = None

    def __post_init__(self, checked: object) -> None:
        """Refuse to exist without the checks."""
        if checked is not _CHECKED:
            raise TypeError("a verified PDF comes from verify_pdf only")


def load_seal(pkcs8: bytes, passphrase: bytes, chain_pem: bytes) -> SealKey:
    """The seal from its encrypted PKCS#8 file and its PEM chain.

    Raises:
        PassphraseError: the passphrase does not open it.
        KeyFileError: not an EC P-256 key, or the chain's first certificate is not for it.
    """
    raise NotImplementedError


def sign_pdf(
    pdf: bytes,
    seal: SealKey,
    *,
    stamp: Callable[[bytes], SealTime],
    at: datetime,
    reason: str,
    evidence: RevocationEvidence = RevocationEvidence(),
) -> bytes:
    """Sign a PDF invisibly, PAdES B-T, or B-LT when `evidence` tells the state of the seal.

    Args:
        pdf: the unsigned file.
        seal: the vault's seal.
        stamp: gives a time token over a SHA-256 digest; called once.
        at: the signing time claimed in the signature.
        reason: shown by PDF readers.
        evidence: revocation data of the seal's chain.
    """
    raise NotImplementedError


def verify_pdf(
    pdf: bytes,
    *,
    seal_anchors: Sequence[Anchor],
    time_anchors: Sequence[Anchor],
    evidence: RevocationEvidence = RevocationEvidence(),
) -> VerifiedPdf:
    """Verify the seal of a PDF with given anchors, offline.

    Raises:
        FormatError: not a PDF that can be read, or none of ours (no signature, several, no token).
        SignatureError: altered, appended to, or the seal leads to no anchor or was revoked.
        TimestampError: its token fails a check.
    """
    raise NotImplementedError


def read_attachments(pdf: bytes) -> dict[str, bytes]:
    """The files embedded in a PDF by name; nothing about its seal is checked.

    Raises:
        FormatError: not a PDF that can be read, or embedded files beyond the limits.
    """
    raise NotImplementedError
