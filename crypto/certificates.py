# SPDX-License-Identifier: EUPL-1.2
"""Trust anchors, and the certificates and revocation data that lead to them, as of a time.

Rules
  1. An anchor is one self-signed certificate that we were given; it is known by H(SPKI).
  2. No anchor is certified by another one: two anchors are two owners' roots.
  3. Evidence is kept as received; it is judged each time anew, and never from the network.
  4. Revocation data made after the moment judged counts: a certificate revoked later was good then.

Left to others: fetching revocation data (vault.authorities), what a token or a PDF needs (timestamp, pades).
"""

import logging
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TypeVar

from asn1crypto import crl, ocsp, pem, x509
from cryptography import x509 as pyca
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as pyca_ocsp
from pyhanko.sign.ades.report import AdESIndeterminate
from pyhanko.sign.validation.policy_decl import (
    CertificateFetchingRule,
    LocalKnowledge,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

from crypto.der import require_der
from crypto.encoding import Fields, encode, require_bstr, sha256
from crypto.errors import CryptoError, FormatError, SignatureError

_Result = TypeVar("_Result")
# pyHanko logs each refusal with its traceback; a refusal is raised here, so without a handler nothing is printed.
for _library in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_library).addHandler(logging.NullHandler())

MAX_CERTIFICATE = 64 * 1024  # the largest seen in trust lists is 4 KB
MAX_REVOCATION = 16 * 1024 * 1024  # the largest public CRLs in use are about 10 MB
MAX_EVIDENCE = 32 * 1024 * 1024
MAX_CHAIN = 8
# pyHanko's words for "more data would be needed", as against "this is wrong"
MISSING = (
    AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND,
    AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE,
    AdESIndeterminate.TRY_LATER,
)
CLOCK_SPREAD = timedelta(seconds=60)  # signatures.md §1.3, 17: between authority, responder and host
_PIECES = 64  # certificates, OCSP responses or CRLs in one evidence


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
        return encode({1: self.certificates, 2: self.ocsps, 3: self.crls})

    @classmethod
    def decode(cls, data: bytes) -> "RevocationEvidence":
        """The evidence from its canonical CBOR.

        Raises:
            FormatError: not the one encoding of such a value.
        """
        fields = Fields.decode(data, limit=MAX_EVIDENCE, mandatory=(1, 2, 3))

        def pieces(key: int, most: int) -> tuple[bytes, ...]:
            return tuple(require_bstr(piece, most=most) for piece in fields.array(key, most=_PIECES))

        return cls(pieces(1, MAX_CERTIFICATE), pieces(2, MAX_REVOCATION), pieces(3, MAX_REVOCATION))

    def joined(self, *others: "RevocationEvidence") -> "RevocationEvidence":
        """This and other evidence as one, each piece once."""
        every = (self, *others)
        return RevocationEvidence(
            certificates=tuple(dict.fromkeys(piece for one in every for piece in one.certificates)),
            ocsps=tuple(dict.fromkeys(piece for one in every for piece in one.ocsps)),
            crls=tuple(dict.fromkeys(piece for one in every for piece in one.crls)),
        )


NO_EVIDENCE = RevocationEvidence()


@dataclass(frozen=True)
class RevocationSource:
    """Where a certificate says its state is told: `ask` posted to an OCSP address, or a CRL address."""

    ask: bytes
    ocsp: tuple[str, ...]
    crl: tuple[str, ...]


def anchor_hash(certificate: bytes) -> bytes:
    """H(SPKI) of a certificate."""
    return sha256(load_certificate(certificate).public_key.dump())


def load_certificate(der: bytes) -> x509.Certificate:
    """A certificate from its DER, read to the last field.

    Raises:
        FormatError: not exactly one DER certificate.
    """
    _require_readable(der)
    return x509.Certificate.load(der, strict=True)


@lru_cache(maxsize=256)
def _require_readable(der: bytes) -> None:
    """Refuse what is not one certificate. The same few stand behind every token: what was read once is not read again.

    Only the fact is kept: asn1crypto's values read themselves lazily and are not for several threads.
    """
    require_der(der, limit=MAX_CERTIFICATE)
    with _reading("a certificate"):  # by both libraries, to the last field: what is broken shows here, not later
        _ = x509.Certificate.load(der, strict=True).native
        _ = pyca.load_der_x509_certificate(der).public_key()


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Whatever asn1crypto and cryptography trip over (they read lazily, and raise many kinds) means: cannot be read."""
    try:
        yield
    except CryptoError:
        raise
    except Exception as error:
        raise FormatError(f"{what} cannot be read") from error


def certificate_name(certificate: x509.Certificate) -> str:
    """The subject for people: common name and organisation, on one line."""
    known = certificate.subject.native
    parts = [known.get("common_name"), known.get("organization_name")]
    words = [part if isinstance(part, str) else ", ".join(part) for part in parts if part]
    return " · ".join(words) or certificate.subject.human_friendly


def read_certificates(pem_file: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM file, in order.

    Raises:
        FormatError: none in it, or something that is not a certificate.
    """
    try:
        blocks = [(kind, der) for kind, _headers, der in pem.unarmor(pem_file, multiple=True)]
    except ValueError as error:
        raise FormatError("not a PEM file") from error
    if any(kind != "CERTIFICATE" for kind, _der in blocks):
        raise FormatError("a PEM file of certificates holds something else")
    for _kind, der in blocks:
        load_certificate(der)
    return tuple(der for _kind, der in blocks)


def read_anchors(pem_file: bytes) -> tuple[Anchor, ...]:
    """The anchors of a PEM file.

    Raises:
        FormatError: none in it, or one is not a self-signed certificate, or one twice.
    """
    anchors = tuple(make_anchor(der) for der in read_certificates(pem_file))
    if len({anchor.hash for anchor in anchors}) != len(anchors):
        raise FormatError("an anchor appears twice")
    return anchors


def make_anchor(der: bytes) -> Anchor:
    """An anchor from one certificate.

    Raises:
        FormatError: not a certificate, or not self-signed.
    """
    certificate = load_certificate(der)
    if not _issued(pyca.load_der_x509_certificate(der), by=pyca.load_der_x509_certificate(der)):
        raise FormatError(f"{certificate_name(certificate)} is not self-signed, so it cannot be an anchor")
    return Anchor(der=der, hash=sha256(certificate.public_key.dump()), name=certificate_name(certificate))


def choose_anchors(anchors: Iterable[Anchor], hashes_: Sequence[bytes]) -> tuple[Anchor, ...]:
    """Those anchors that a policy names, in its order; unknown ones are left out."""
    known = {anchor.hash: anchor for anchor in anchors}
    return tuple(known[one] for one in dict.fromkeys(hashes_) if one in known)


def chain_to_anchor(certificates: Sequence[bytes], *, anchors: Sequence[Anchor]) -> tuple[bytes, ...]:
    """The chain from the first certificate up to an anchor, by names and signatures alone.

    Raises:
        SignatureError: no chain leads to an anchor.
        FormatError: one of the certificates cannot be read.
    """
    if not certificates:
        raise SignatureError("no certificate to begin a chain with")
    trusted = {anchor.der for anchor in anchors}
    pool = _load_all((*certificates, *trusted))
    chain = [certificates[0]]
    while chain[-1] not in trusted and len(chain) < MAX_CHAIN:
        issuer = next(
            (der for der, one in pool.items() if _may_issue(pool[chain[-1]], one, trusted=der in trusted)), None
        )
        if issuer is None or issuer in chain:
            break
        chain.append(issuer)
    if chain[-1] not in trusted:
        raise SignatureError("no chain leads from the certificate to a trust anchor")
    return tuple(chain)


def revocation_source(certificate: bytes, issuer: bytes) -> RevocationSource:
    """Where to ask for the state of a certificate, and the OCSP request to send there."""
    leaf, _ = load_certificate(certificate), load_certificate(issuer)
    with _reading("where a certificate's state is told"):
        query = pyca_ocsp.OCSPRequestBuilder().add_certificate(
            pyca.load_der_x509_certificate(certificate),
            pyca.load_der_x509_certificate(issuer),
            hashes.SHA1(),  # noqa: S303
        )  # SHA-1 names the issuer here and protects nothing; RFC 5019 demands it of every responder
        points = leaf.crl_distribution_points
        return RevocationSource(
            ask=query.build().public_bytes(Encoding.DER),
            ocsp=tuple(dict.fromkeys(leaf.ocsp_urls)),
            crl=tuple(dict.fromkeys(point.url for point in points if point.url is not None)),
        )


def spec_for(
    anchors: Sequence[Anchor], evidence: RevocationEvidence, usage: KeyUsageConstraints
) -> SignatureValidationSpec:
    """What pyHanko needs to judge from given anchors and evidence alone: hard fail, no network."""
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[load_certificate(anchor.der) for anchor in anchors]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True),
        time_tolerance=CLOCK_SPREAD,
    )
    return SignatureValidationSpec(
        cert_validation_policy=policy,
        revinfo_gathering_policy=RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
            certificate_fetching_rule=CertificateFetchingRule.NEVER_FETCH,
        ),
        local_knowledge=_knowledge(evidence),
        key_usage_settings=usage,
    )


def run_offline(judging: Coroutine[object, None, _Result]) -> _Result:
    """Run a pyHanko coroutine that has nothing to wait for, also inside a running event loop.

    Raises:
        CryptoError: it wanted to wait, which only the network could be the reason for.
    """
    try:
        judging.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    judging.close()
    raise CryptoError("verification wanted to wait for something outside")


def _knowledge(evidence: RevocationEvidence) -> LocalKnowledge:
    with _reading("revocation data"):
        answers = [ocsp.OCSPResponse.load(der, strict=True) for der in evidence.ocsps]
        lists = [crl.CertificateList.load(der, strict=True) for der in evidence.crls]
        return LocalKnowledge(
            known_ocsps=[one for answer in answers for one in OCSPContainer.load_multi(answer)],
            known_crls=[CRLContainer(one) for one in lists],
            known_certs=[load_certificate(der) for der in evidence.certificates],
        )


def _load_all(certificates: Iterable[bytes]) -> dict[bytes, pyca.Certificate]:
    for der in certificates:
        load_certificate(der)
    return {der: pyca.load_der_x509_certificate(der) for der in certificates}


def _may_issue(leaf: pyca.Certificate, candidate: pyca.Certificate, *, trusted: bool) -> bool:
    if not _issued(leaf, by=candidate):
        return False
    if trusted:
        return True
    try:
        with _reading("a certificate's extensions"):
            return candidate.extensions.get_extension_for_class(pyca.BasicConstraints).value.ca
    except FormatError:
        return False


def _issued(leaf: pyca.Certificate, *, by: pyca.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
