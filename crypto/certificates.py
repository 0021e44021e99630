# SPDX-License-Identifier: EUPL-1.2
"""Trust anchors, and the certificates and revocation data that lead to them, as of a time.

Rules
  1. An anchor is one self-signed certificate that we were given; it is known by H(SPKI).
  2. No anchor is certified by another one: two anchors are two owners' roots.
  3. Evidence is kept as received; it is judged each time anew, and never from the network.

Left to others: fetching revocation data (vault.authorities), what a token or a PDF needs (timestamp, pades).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Anchor:
    """One trusted self-signed certificate.

    Attributes:
        der: the certificate.
        hash: H(SPKI), by which policies name it.
        name: its subject, for people.
    """

    der: bytes = field(repr=False)
    hash: bytes
    name: str


@dataclass(frozen=True)
class RevocationEvidence:
    """What was received beside a token or a signature and is kept with it.

    Attributes:
        certificates: intermediate certificates, DER.
        ocsps: OCSP responses, DER.
        crls: revocation lists, DER.
    """

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The evidence as canonical CBOR: {1 certificates, 2 OCSP responses, 3 CRLs}."""
        raise NotImplementedError

    @classmethod
    def decode(cls, data: bytes) -> "RevocationEvidence":
        """The evidence from its canonical CBOR.

        Raises:
            FormatError: not the one encoding of such a value.
        """
        raise NotImplementedError

    def joined(self, *others: "RevocationEvidence") -> "RevocationEvidence":
        """This and other evidence as one, each piece once."""
        raise NotImplementedError


@dataclass(frozen=True)
class RevocationSource:
    """Where a certificate says its state is told: `ask` posted to an OCSP address, or a CRL address."""

    ask: bytes
    ocsp: tuple[str, ...]
    crl: tuple[str, ...]


def anchor_hash(certificate: bytes) -> bytes:
    """H(SPKI) of a certificate."""
    raise NotImplementedError


def read_anchors(pem: bytes) -> tuple[Anchor, ...]:
    """The anchors of a PEM file.

    Raises:
        FormatError: none in it, or one is not a self-signed certificate, or one twice.
    """
    raise NotImplementedError


def choose_anchors(anchors: Iterable[Anchor], hashes: Sequence[bytes]) -> tuple[Anchor, ...]:
    """Those anchors that a policy names, in its order; unknown ones are left out."""
    raise NotImplementedError


def chain_to_anchor(certificates: Sequence[bytes], *, anchors: Sequence[Anchor]) -> tuple[bytes, ...]:
    """The chain from the first certificate up to an anchor, by names and signatures alone.

    Raises:
        SignatureError: no chain leads to an anchor.
    """
    raise NotImplementedError


def revocation_source(certificate: bytes, issuer: bytes) -> RevocationSource:
    """Where to ask for the state of a certificate, and the OCSP request to send there."""
    raise NotImplementedError
