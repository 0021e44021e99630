# SPDX-License-Identifier: EUPL-1.2
"""The test PKI of deploy/pki.yml inside this process: certificates, keys, revocation answers at any time.

Left to others: time tokens and how they go wrong (tests.world.authority).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import urlsplit

from asn1crypto import ocsp
from certomancer.registry import CertLabel, PKIArchitecture, ServiceLabel
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from crypto.certificates import Anchor, RevocationEvidence, make_anchor, revocation_source
from deploy.authorities import HERE, issue

HOST = "http://authorities.test"  # no such host: whoever asks the network fails
ROOTS = {"a": "time-root-a", "b": "time-root-b", "seal": "seal-root", "foreign": "foreign-root"}


@cache
def _architecture() -> PKIArchitecture:
    return issue(HOST)


@cache
def certificate(label: str) -> bytes:
    """A certificate of deploy/pki.yml by its label, DER."""
    der: bytes = _architecture().get_cert(CertLabel(label)).dump()
    return der


@cache
def key(label: str) -> EllipticCurvePrivateKey:
    """The EC key of a leaf certificate by its label."""
    loaded = load_pem_private_key((HERE / "pki" / f"{label}.key.pem").read_bytes(), password=None)
    assert isinstance(loaded, EllipticCurvePrivateKey)
    return loaded


@cache
def anchor(which: str) -> Anchor:
    """The root "a", "b", "seal" or "foreign" as an anchor."""
    return make_anchor(certificate(ROOTS[which]))


def time_anchors() -> tuple[Anchor, ...]:
    """The anchors of both time authorities."""
    return anchor("a"), anchor("b")


def anchors_pem(*which: str) -> bytes:
    """Roots as one PEM file."""
    return b"".join(load_der_x509_certificate(anchor(one).der).public_bytes(Encoding.PEM) for one in which)


def ocsp_answer(which: str, query: bytes, *, at: datetime) -> bytes:
    """What the OCSP responder of a root answers at a time."""
    responder = _architecture().service_registry.summon_responder(ServiceLabel(which), at.astimezone(UTC))
    answer: bytes = responder.build_ocsp_response(ocsp.OCSPRequest.load(query)).dump()
    return answer


def revocation_list(which: str, *, at: datetime) -> bytes:
    """The revocation list of a root in force at a time."""
    der: bytes = _architecture().service_registry.get_crl(ServiceLabel(which), at.astimezone(UTC)).dump()
    return der


def evidence(label: str, which: str, *, at: datetime) -> RevocationEvidence:
    """OCSP evidence for a leaf certificate under a root, made at a time."""
    query = revocation_source(certificate(label), certificate(ROOTS[which])).ask
    return RevocationEvidence(certificates=(certificate(label),), ocsps=(ocsp_answer(which, query, at=at),))


def answer_address(address: str, body: bytes | None, *, at: datetime) -> bytes:
    """What lies at an OCSP or CRL address of the test PKI at a time."""
    _arch, service, which = urlsplit(address).path.strip("/").split("/")[:3]
    if service == "ocsp" and body is not None:
        return ocsp_answer(which, body, at=at)
    return revocation_list(which, at=at)


@dataclass
class Clock:
    """A clock that stands where a test puts it."""

    now: datetime = field(default_factory=lambda: datetime(2026, 12, 1, 16, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Move it on."""
        self.now += by
