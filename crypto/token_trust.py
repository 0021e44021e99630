# SPDX-License-Identifier: EUPL-1.2
"""Whether a token's signature leads to an anchor as of its genTime; what was found for one second is not sought again.

Rules
  1. The signature itself, its signed attributes and the certificate they name are checked for each token.
  2. Remembered is what does not depend on the token: that this certificate, beside these others, with this evidence and
     these anchors, might give time in this second with these algorithms. The whole question is compared, no digest of
     it, and only a good answer is kept; whatever differs in a byte or in the second is judged by pyHanko anew.
  3. A second is remembered as its beginning or as what follows it: no certificate, OCSP response or list ends within
     one (RFC 5280 §4.1.2.5.2 and RFC 6960 §4.2.2.1 leave fractions out).

Left to others: what a token says (timestamp), where evidence comes from (vault.authorities).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from asn1crypto import cms, x509
from cryptography.hazmat.primitives import hashes
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation.ades import ades_timestamp_validation
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.util import get_pyca_cryptography_hash

from crypto.certificates import MISSING, Anchor, RevocationEvidence, run_offline, spec_for
from crypto.encoding import sha256
from crypto.errors import TimestampError, UnprovenTimestampError

REMEMBERED = 64  # questions: some seconds of each authority in use


@dataclass(frozen=True)
class _Question:
    """All that a judgement depends on beside the signature over this one token."""

    authority: bytes
    signer: bytes
    carried: tuple[bytes, ...]
    algorithms: tuple[bytes, bytes]
    evidence: RevocationEvidence
    anchors: tuple[bytes, ...]
    second: datetime
    is_within: bool


class _Answers:
    """The latest good answers: H(SPKI) of the anchor each led to. Used under `_TURN` alone."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[_Question, bytes] = OrderedDict()

    def get(self, question: _Question) -> bytes | None:
        return self._known.get(question)

    def keep(self, question: _Question, anchor: bytes) -> None:
        self._known[question] = anchor
        while len(self._known) > self._most:
            self._known.popitem(last=False)


_ANSWERS = _Answers()
_TURN = Lock()  # one judges a new second; who waits finds it judged


def require_trusted(
    signed: cms.SignedData,
    imprint: bytes,
    *,
    authority: x509.Certificate,
    at: datetime,
    anchors: Sequence[Anchor],
    evidence: RevocationEvidence,
) -> bytes:
    """Judge a token's signature as of genTime.

    Args:
        signed: the token's content, with one signer.
        imprint: what it is a token over.
        authority: the certificate that its signer's identifier names.
        at: its genTime, UTC.
        anchors: the self-signed certificates trusted for time.
        evidence: revocation data and further certificates, as received.

    Returns:
        H(SPKI) of the anchor that the chain ends in.

    Raises:
        UnprovenTimestampError: no anchor, or no revocation data, judges it.
        TimestampError: it is refused.
    """
    question = _question(signed, authority, at=at, anchors=anchors, evidence=evidence)
    with _TURN:
        if (known := _ANSWERS.get(question)) is None:
            anchor = _judge(signed, imprint, authority=authority, at=at, anchors=anchors, evidence=evidence)
            _ANSWERS.keep(question, anchor)
            return anchor
    _require_signature(signed, authority)
    return known


def _question(
    signed: cms.SignedData,
    authority: x509.Certificate,
    *,
    at: datetime,
    anchors: Sequence[Anchor],
    evidence: RevocationEvidence,
) -> _Question:
    signer = signed["signer_infos"][0]
    return _Question(
        authority=authority.dump(),
        signer=signer["sid"].dump(),
        carried=tuple(one.dump() for one in signed["certificates"]),
        algorithms=(signer["digest_algorithm"].dump(), signer["signature_algorithm"].dump()),
        evidence=evidence,
        anchors=tuple(anchor.der for anchor in anchors),
        second=at.replace(microsecond=0),
        is_within=at.microsecond > 0,
    )


def _require_signature(signed: cms.SignedData, authority: x509.Certificate) -> None:
    """What of pyHanko's judgement is about this token alone: digest, signed attributes, ESSCertID, signature."""
    signer = signed["signer_infos"][0]
    digest = hashes.Hash(get_pyca_cryptography_hash(signer["digest_algorithm"]["algorithm"].native))
    digest.update(bytes(signed["encap_content_info"]["content"]))
    if not all(validate_sig_integrity(signer, authority, "tst_info", digest.finalize())):
        raise TimestampError("the token is refused: its signature is not over what it says")


def _judge(
    signed: cms.SignedData,
    imprint: bytes,
    *,
    authority: x509.Certificate,
    at: datetime,
    anchors: Sequence[Anchor],
    evidence: RevocationEvidence,
) -> bytes:
    """What pyHanko says as of genTime.

    The two certificates that could be meant by one issuer and serial number are told apart here: pyHanko checks
    ESSCertID of the one it took, our caller looked at the usage of `authority`.
    """
    spec = spec_for(anchors, evidence, TimestampSignatureStatus.default_usage_constraints())
    as_of = ValidationTimingInfo(validation_time=at, best_signature_time=at, point_in_time_validation=True)
    result = run_offline(ades_timestamp_validation(signed, spec, lambda _algorithm: imprint, timing_info=as_of))
    if result.ades_subindic in MISSING:
        raise UnprovenTimestampError(f"no anchor or no revocation data judges the token: {result.ades_subindic}")
    if result.ades_subindic is not AdESPassed.OK or result.api_status is None:
        raise TimestampError(f"the token is refused: {result.ades_subindic}")
    path = result.api_status.validation_path
    if path is None or result.api_status.signing_cert.dump() != authority.dump():
        raise TimestampError("the token leads to no anchor")
    return sha256(path.first.public_key.dump())
