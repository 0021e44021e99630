# SPDX-License-Identifier: EUPL-1.2
"""Time authorities inside this process: real RFC 3161 signers whose time, answers and certificates a test moves.

Rules
  1. Tokens are real: signed with the keys of deploy/pki, and they verify by the same code as any other.
  2. Time passes only where a test says so; a slow authority lets no real time pass.

Left to others: certificates and revocation answers (tests.world.pki).
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asn1crypto import algos, cms, core, tsp, x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from crypto.certificates import RevocationEvidence
from crypto.timestamp import VerifiedTimestamp, judge_token
from tests.world import pki
from tests.world.store import Watch
from vault.authorities import Authority, TimeAuthorities
from vault.errors import AuthorityUnavailable

_REJECTION = b"\x30\x05\x30\x03\x02\x01\x02"  # TimeStampResp: status 2, no token
POLICY = "1.3.6.1.4.1.4146.2.3"  # the one certomancer states


@dataclass
class SimulatedAuthority:
    """One time authority. A test sets its fields to make it lie, refuse, fall silent or answer wrongly.

    Attributes:
        which: its root, "a", "b" or "foreign".
        clock: the true time.
        ahead: how far its time is off.
        accuracy: what it states, None for nothing.
        silent: it gives no answer at all.
        refuses: it answers with a rejection.
        slow_by: how long it takes; beyond the asker's patience there is no answer.
        revocation_silent: its OCSP responder and CRL give no answer.
        label: which certificate and key it signs with.
        carried: labels of further certificates that its tokens carry.
        wrong_nonce, wrong_imprint, trailing: what it answers wrongly.
        asked: the queries it got.
    """

    which: str
    clock: Callable[[], datetime]
    ahead: timedelta = timedelta(0)
    accuracy: timedelta | None = None
    silent: bool = False
    refuses: bool = False
    slow_by: timedelta = timedelta(0)
    revocation_silent: bool = False
    label: str = ""
    carried: tuple[str, ...] = ()
    policy: str = POLICY
    wrong_nonce: bool = False
    wrong_imprint: bool = False
    imprint_algorithm: str = "sha256"
    trailing: bytes = b""
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Sign with the authority's ordinary certificate unless told otherwise."""
        self.label = self.label or f"tsa-{self.which}"

    @property
    def address(self) -> str:
        """Where it is asked."""
        return f"{pki.HOST}/bidvault/tsa/{self.which}"

    @property
    def now(self) -> datetime:
        """The time it believes in."""
        return (self.clock() + self.ahead).astimezone(UTC)

    def answer(self, query: bytes) -> bytes:
        """Its response to an RFC 3161 query."""
        self.asked.append(query)
        request = tsp.TimeStampReq.load(query, strict=True)
        if self.refuses:
            return _REJECTION
        imprint = request["message_imprint"]["hashed_message"].native
        nonce = request["nonce"].native
        token = self.token(
            hashlib.sha256(b"something else").digest() if self.wrong_imprint else imprint,
            nonce=nonce + 1 if self.wrong_nonce else nonce,
        )
        response = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)})
        return bytes(response.dump()) + self.trailing

    def token(self, imprint: bytes, *, nonce: int | None = None) -> bytes:
        """A token over a digest, DER."""
        content = self._content(imprint, nonce)
        return _signed(content, label=self.label, carried=self.carried, at=self.now)

    def evidence(self, *, at: datetime | None = None) -> RevocationEvidence:
        """Revocation data for its certificate, made now or at another time."""
        return pki.evidence(self.label, self.which, at=at or self.now)

    def verified(self, imprint: bytes) -> VerifiedTimestamp:
        """A token over a digest, judged."""
        return judge_token(self.token(imprint), imprint, anchors=(pki.anchor(self.which),), evidence=self.evidence())

    def _content(self, imprint: bytes, nonce: int | None) -> bytes:
        fields: dict[str, object] = {
            "version": "v1",
            "policy": self.policy,
            "message_imprint": {
                "hash_algorithm": {"algorithm": self.imprint_algorithm},
                "hashed_message": imprint,
            },
            "serial_number": secrets.randbits(63) | 1 << 63,
            "gen_time": self.now,
        }
        if self.accuracy is not None:
            fields["accuracy"] = _accuracy(self.accuracy)
        if nonce is not None:
            fields["nonce"] = nonce
        return bytes(tsp.TSTInfo(fields).dump())


@dataclass
class SimulatedLine:
    """A line (vault.authorities.Line) that leads to simulated authorities and the test PKI's revocation data."""

    authorities: tuple[SimulatedAuthority, ...]
    is_cut: bool = False
    watch: Watch | None = (
        None  # told of every token before it is asked for and when it is there; what it raises, goes on
    )

    def exchange(self, address: str, body: bytes | None, *, media_type: str, patience: timedelta) -> bytes:
        """See vault.authorities.Line."""
        assert media_type
        if self.is_cut:
            raise AuthorityUnavailable((f"{address}: the line is cut",))
        which = address.removeprefix(f"{pki.HOST}/bidvault/").split("/")[1]
        authority = next((one for one in self.authorities if one.which == which), None)
        if authority is not None and "/tsa/" in address and body is not None:
            if authority.silent or authority.slow_by > patience:
                raise AuthorityUnavailable((f"{address}: no answer in time",))
            return self._answer(authority, body)
        if authority is not None and authority.revocation_silent:
            raise AuthorityUnavailable((f"{address}: no answer in time",))
        return pki.answer_address(address, body, at=authority.now if authority else self.authorities[0].clock())

    def _answer(self, authority: SimulatedAuthority, body: bytes) -> bytes:
        if self.watch is None:
            return authority.answer(body)
        self.watch(f"token {authority.which}", is_done=False)
        answer = authority.answer(body)
        self.watch(f"token {authority.which}", is_done=True)
        return answer


@dataclass
class TimeWorld:
    """Two authorities under two roots on one clock, and the vault's way to ask them."""

    clock: pki.Clock = field(default_factory=pki.Clock)

    def __post_init__(self) -> None:
        """Build what hangs on the clock."""
        self.a = SimulatedAuthority("a", self.clock)
        self.b = SimulatedAuthority("b", self.clock)
        self.line = SimulatedLine((self.a, self.b))
        self.authorities = self.asking((self.a, self.b))

    def asking(self, which: Iterable[SimulatedAuthority], *, policies: tuple[str, ...] = ()) -> TimeAuthorities:
        """The vault's tool asking these authorities in this order."""
        return TimeAuthorities(
            [Authority(f"Authority {one.which.upper()}", one.address) for one in which],
            line=self.line,
            anchors=pki.time_anchors(),
            clock=self.clock,
            policies=policies,
            timer=lambda: self.clock().timestamp(),  # no real time passes in a world
        )


def _accuracy(stated: timedelta) -> dict[str, int]:
    """Seconds, milliseconds, microseconds, those that are not zero."""
    seconds, rest = divmod(stated, timedelta(seconds=1))
    millis, micros = divmod(rest, timedelta(milliseconds=1))
    parts = {"seconds": seconds, "millis": millis, "micros": micros.microseconds}
    return {name: number for name, number in parts.items() if number}


def _signed(content: bytes, *, label: str, carried: tuple[str, ...], at: datetime) -> bytes:
    """TSTInfo signed as CMS with ESSCertIDv2, the authority's certificate inside (RFC 3161, RFC 5816)."""
    certificate = x509.Certificate.load(pki.certificate(label))
    identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(certificate.dump()).digest()})
    attributes = cms.CMSAttributes(
        [
            _attribute("content_type", "tst_info"),
            _attribute("signing_time", cms.Time({"utc_time": core.UTCTime(at)})),
            _attribute("signing_certificate_v2", tsp.SigningCertificateV2({"certs": [identifier]})),
            _attribute("message_digest", hashlib.sha256(content).digest()),
        ]
    )
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
                    )
                }
            ),
            "digest_algorithm": digest,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signed_attrs": attributes,
            "signature": pki.key(label).sign(attributes.dump(), ECDSA(SHA256())),
        }
    )
    signed = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(content)},
            "certificates": [*(x509.Certificate.load(pki.certificate(one)) for one in carried), certificate],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def _attribute(kind: str, value: object) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": [value]})
