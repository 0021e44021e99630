# SPDX-License-Identifier: EUPL-1.2
"""RFC 3161: build a request, judge an answer into a `VerifiedTimestamp`, prove that a moment has passed.

Rules
  1. A `VerifiedTimestamp` exists only if every check passed; there is no other way to make one.
  2. Checks, in this order: strict DER without trailing bytes; status granted; nonce; imprint algorithm and
     value; policy; signature, time-stamping usage, chain and revocation as of genTime, from evidence alone.
  3. Missing or unusable revocation data refuses the token: an answer is demanded, not assumed.
  4. Our clock refuses no token (protocol 2.7); the distance is measured where the token is asked for.
  5. Judged at genTime with the evidence kept beside it, a token verifies the same in thirty years.

Left to others: signature, chain and revocation (token_trust), asking, fail-over, keeping evidence
(vault.authorities), the verdict (vault.lifecycle).
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar

import rfc3161ng
from asn1crypto import cms, core, tsp, x509

from crypto.certificates import Anchor, RevocationEvidence, certificate_name, load_certificate
from crypto.der import require_der
from crypto.encoding import sha256
from crypto.errors import CryptoError, FormatError, TimeProofError, TimestampError
from crypto.token_trust import require_trusted

DEFAULT_ACCURACY = timedelta(seconds=1)  # protocol 2.7: an absent accuracy counts as one second
MAX_TOKEN = 64 * 1024  # protocol 3.6: tokens travel in a receipt of at most 64 KiB
SHA256_SIZE = 32
_GRANTED = ("granted", "granted_with_mods")  # RFC 3161 §2.4.2: status 0 and 1
_CHECKED = object()  # held by this module alone: who has it has made the checks


@dataclass(frozen=True)
class TimeRequest:
    """One RFC 3161 request as it is sent: its DER, what it asks a token for, its nonce and policy."""

    der: bytes
    imprint: bytes
    nonce: int
    policy: str | None = None


@dataclass(frozen=True)
class VerifiedTimestamp:
    """A token that passed every check.

    Attributes:
        at: genTime, UTC.
        accuracy: as the token says, or one second.
        token: the token's DER (a CMS ContentInfo).
        anchor_hash: H(SPKI) of the anchor its chain ends in.
        tsa_key_hash: H(SPKI) of the authority's own key.
        imprint: the 32 bytes it is a token over.
        policy: the authority's policy, as a dotted identifier.
        authority: the authority's name, from its certificate.
    """

    at: datetime
    accuracy: timedelta
    token: bytes = field(repr=False)
    anchor_hash: bytes
    tsa_key_hash: bytes
    imprint: bytes
    policy: str
    authority: str
    checked: InitVar[object] = None

    def __post_init__(self, checked: object) -> None:
        """Refuse to exist without the checks."""
        if checked is not _CHECKED:
            raise TypeError("a verified timestamp comes from judge_token or judge_response only")

    @property
    def earliest(self) -> datetime:
        """`lo`: the token was made at this moment or later."""
        return self.at - self.accuracy

    @property
    def latest(self) -> datetime:
        """`hi`: the token was made at this moment or before."""
        return self.at + self.accuracy


@dataclass(frozen=True)
class TimeProof:
    """Enough independent authorities prove that `moment` had passed when they stamped `over`.

    Attributes:
        moment: what has passed, UTC.
        over: the imprint all tokens are over.
        tokens: of pairwise different anchors and authority keys.
    """

    moment: datetime
    over: bytes
    tokens: tuple[VerifiedTimestamp, ...]
    checked: InitVar[object] = None

    def __post_init__(self, checked: object) -> None:
        """Refuse to exist without the checks."""
        if checked is not _CHECKED:
            raise TypeError("a time proof comes from prove_passed only")


class _Answer(core.Sequence):  # type: ignore[misc]  # asn1crypto is untyped
    """TimeStampResp; asn1crypto's own demands a token, which a rejection has not."""

    _fields: ClassVar[Sequence[tuple[object, ...]]] = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def build_request(imprint: bytes, *, policy: str | None = None) -> TimeRequest:
    """A request for a token over a SHA-256 digest: 64-bit random nonce, certificates asked for."""
    if len(imprint) != SHA256_SIZE:
        raise TimestampError(f"a request is made over {SHA256_SIZE} bytes, not {len(imprint)}")
    nonce = secrets.randbits(63) | 1 << 63  # 64 bits, the first one set: DER then has one length
    query = rfc3161ng.make_timestamp_request(
        digest=imprint, hashname="sha256", include_tsa_certificate=True, nonce=nonce, tsa_policy_id=policy
    )
    return TimeRequest(der=rfc3161ng.encode_timestamp_request(query), imprint=imprint, nonce=nonce, policy=policy)


def token_of(response: bytes, request: TimeRequest) -> bytes:
    """The token inside an authority's response, after the checks that need the request but no certificate.

    Raises:
        TimestampError: not strict DER, refused by the authority, or nonce, imprint or policy differ.
    """
    with _translated():
        _require_der(response)
        answer = _Answer.load(response, strict=True)
        status = answer["status"]["status"].native
        if status not in _GRANTED:
            raise TimestampError(f"the authority answered: {status}")
        token: bytes = answer["time_stamp_token"].dump()
        content = _content(_signed_data(token))
        nonce = content["nonce"].native
        if nonce != request.nonce:
            raise TimestampError("the nonce is not the one that was sent")
        _require_asked(content, request.imprint, () if request.policy is None else (request.policy,))
        return token


def token_certificates(token: bytes) -> tuple[bytes, ...]:
    """The certificates a token carries, the authority's own first; nothing about them is checked.

    Raises:
        TimestampError: not a token, or the authority's certificate is not in it.
    """
    with _translated():
        _require_der(token)
        signed = _signed_data(token)
        carried = [one.chosen.dump() for one in list(signed["certificates"])]
        own = _authority(signed).dump()
        return (own, *(der for der in carried if der != own))


def judge_response(
    response: bytes,
    request: TimeRequest,
    *,
    anchors: Sequence[Anchor],
    evidence: RevocationEvidence,
    policies: Sequence[str] = (),
) -> VerifiedTimestamp:
    """Judge an authority's response to our request.

    Args:
        response: the TimeStampResp as received.
        request: what was asked.
        anchors: the self-signed certificates trusted for time.
        evidence: revocation data and further certificates, as received.
        policies: the allowed TSA policies; empty allows any.

    Raises:
        TimestampError: one of the checks fails; the text says which.
    """
    token = token_of(response, request)
    return judge_token(token, request.imprint, anchors=anchors, evidence=evidence, policies=policies)


def judge_token(
    token: bytes,
    imprint: bytes,
    *,
    anchors: Sequence[Anchor],
    evidence: RevocationEvidence,
    policies: Sequence[str] = (),
) -> VerifiedTimestamp:
    """Judge a token as of its own genTime: today, or from a package in thirty years.

    Raises:
        TimestampError: one of the checks fails; the text says which.
    """
    with _translated():
        # 1. One encoding, nothing behind it.
        _require_der(token)
        signed = _signed_data(token)
        content = _content(signed)
        # 2. What was asked for: imprint algorithm and value, policy.
        _require_asked(content, imprint, policies)
        # 3. The authority's right to give time, before pyHanko looks at the rest.
        at = _moment(content)
        authority = _authority(signed)
        _require_time_stamping(authority)
        # 4. Signature, certificate identifier, chain and revocation, all as of genTime.
        anchor = require_trusted(signed, imprint, authority=authority, at=at, anchors=anchors, evidence=evidence)
        return VerifiedTimestamp(
            at=at,
            accuracy=_accuracy(content),
            token=token,
            anchor_hash=anchor,
            tsa_key_hash=sha256(authority.public_key.dump()),
            imprint=imprint,
            policy=content["policy"].native,
            authority=certificate_name(authority),
            checked=_CHECKED,
        )


def prove_passed(moment: datetime, tokens: Sequence[VerifiedTimestamp], *, over: bytes, quorum: int) -> TimeProof:
    """Prove that `moment` has passed (protocol 2.7: a time proof for t over s).

    Raises:
        TimeProofError: fewer than `quorum` tokens over `over` with `earliest` ≥ moment, from different
            anchors and different authority keys.
    """
    if quorum < 1:
        raise TimeProofError("a quorum of none proves nothing")
    fitting = [token for token in tokens if token.imprint == over and token.earliest >= moment]
    chosen = _independent(fitting)
    if len(chosen) < quorum:
        raise TimeProofError(f"{len(chosen)} independent tokens prove the moment, {quorum} needed")
    return TimeProof(moment=moment, over=over, tokens=chosen, checked=_CHECKED)


def _independent(tokens: Sequence[VerifiedTimestamp]) -> tuple[VerifiedTimestamp, ...]:
    """As many tokens as possible of pairwise different anchors and keys: a matching of anchors and keys."""
    by_key: dict[bytes, VerifiedTimestamp] = {}

    def place(token: VerifiedTimestamp, tried: set[bytes]) -> bool:
        for other in tokens:
            if other.anchor_hash != token.anchor_hash or other.tsa_key_hash in tried:
                continue
            tried.add(other.tsa_key_hash)
            holder = by_key.get(other.tsa_key_hash)
            if holder is None or place(holder, tried):
                by_key[other.tsa_key_hash] = other
                return True
        return False

    for first in {token.anchor_hash: token for token in reversed(tokens)}.values():
        place(first, set())
    return tuple(by_key.values())


@contextmanager
def _translated() -> Iterator[None]:
    """What asn1crypto and pyHanko trip over (they read lazily, and raise many kinds) means: not a good token."""
    try:
        yield
    except FormatError as error:  # of a certificate inside, or of the evidence
        raise TimestampError(f"a part of token or evidence cannot be read: {error}") from error
    except CryptoError:
        raise
    except Exception as error:
        raise TimestampError("not an RFC 3161 token that can be read") from error


@lru_cache(maxsize=32)
def _require_der(data: bytes) -> None:
    """Refuse what is not one strict value; a token that is looked at thrice on its way is walked once."""
    try:
        require_der(data, limit=MAX_TOKEN)
    except FormatError as error:
        raise TimestampError(f"not strict DER: {error}") from error


def _signed_data(token: bytes) -> cms.SignedData:
    envelope = cms.ContentInfo.load(token, strict=True)
    if envelope["content_type"].native != "signed_data":
        raise TimestampError("a token is signed data, this is something else")
    signed = envelope["content"]
    if len(signed["signer_infos"]) != 1:
        raise TimestampError("a token has one signer")
    _require_form(signed)
    return signed


def _require_form(signed: cms.SignedData) -> None:
    """What no signature covers says all the same what RFC 5652 §5.1, §5.3 demand."""
    signer = signed["signer_infos"][0]
    listed = {one["algorithm"].native for one in signed["digest_algorithms"]}
    versions = (signed["version"].native, signer["version"].native)
    demanded = ("v3", "v1" if signer["sid"].name == "issuer_and_serial_number" else "v3")
    if versions != demanded or listed != {signer["digest_algorithm"]["algorithm"].native}:
        raise TimestampError("the versions or the digest algorithm of a token are not those of its signature")


def _authority(signed: cms.SignedData) -> x509.Certificate:
    """The one certificate among those carried that the signer's identifier names."""
    certificates = [one.chosen for one in list(signed["certificates"]) if one.name == "certificate"]
    named = signed["signer_infos"][0]["sid"]
    for one in certificates:
        load_certificate(one.dump())
        if _names(named, one):
            return one
    raise TimestampError("the token does not carry its authority's certificate")


def _names(identifier: cms.SignerIdentifier, certificate: x509.Certificate) -> bool:
    if identifier.name == "issuer_and_serial_number":
        named = identifier.chosen
        if named["serial_number"].native != certificate.serial_number:
            return False
        issuer, own = named["issuer"], certificate.issuer
        return bool(issuer.dump() == own.dump() or issuer == own)  # comparing names as names prepares every string
    return bool(identifier.chosen.native == certificate.key_identifier)


def _content(signed: cms.SignedData) -> tsp.TSTInfo:
    inner = signed["encap_content_info"]
    if inner["content_type"].native != "tst_info":
        raise TimestampError("the signed content is not a time stamp")
    _require_der(bytes(inner["content"]))
    content = inner["content"].parsed
    _ = content.native  # read to the last field: what is broken shows here, not later
    return content


def _require_asked(content: tsp.TSTInfo, imprint: bytes, policies: Sequence[str]) -> None:
    """Imprint algorithm and value, and one of the policies if any are given."""
    stamped = content["message_imprint"]
    if stamped["hash_algorithm"]["algorithm"].native != "sha256":
        raise TimestampError("the imprint is not made with SHA-256")
    if stamped["hashed_message"].native != imprint:
        raise TimestampError("the token is over something else")
    if policies and content["policy"].native not in policies:
        raise TimestampError(f"the authority's policy {content['policy'].native} is not allowed")


def _require_time_stamping(authority: x509.Certificate) -> None:
    """RFC 3161 §2.3: the usage is time stamping, that alone, and critical."""
    usage = authority.extended_key_usage_value
    if usage is None or usage.native != ["time_stamping"] or "extended_key_usage" not in authority.critical_extensions:
        raise TimestampError("the certificate is not for time stamping alone")


def _moment(content: tsp.TSTInfo) -> datetime:
    moment: datetime | None = content["gen_time"].native
    if moment is None or not content["gen_time"].contents.endswith(b"Z"):
        raise TimestampError("the time of the token is not in UTC")
    return moment.astimezone(UTC)


def _accuracy(content: tsp.TSTInfo) -> timedelta:
    stated = content["accuracy"].native
    if stated is None:
        return DEFAULT_ACCURACY
    return timedelta(
        seconds=stated["seconds"] or 0, milliseconds=stated["millis"] or 0, microseconds=stated["micros"] or 0
    )
