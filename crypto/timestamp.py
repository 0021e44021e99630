# SPDX-License-Identifier: EUPL-1.2
"""RFC 3161: build a request, judge an answer into a `VerifiedTimestamp`, prove that a moment has passed.

Rules
  1. A `VerifiedTimestamp` exists only if every check passed; there is no other way to make one.
  2. Checks, in this order: strict DER without trailing bytes; status granted; nonce; imprint algorithm and
     value; policy; signature, time-stamping usage, chain and revocation as of genTime, from evidence alone.
  3. Missing or unusable revocation data refuses the token: an answer is demanded, not assumed.
  4. Our clock refuses no token (protocol 2.7); the distance is measured where the token is asked for.
  5. Judged at genTime with the evidence kept beside it, a token verifies the same in thirty years.

Left to others: asking, fail-over, keeping evidence (vault.authorities); the verdict (vault.lifecycle).
"""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta

from crypto.certificates import Anchor, RevocationEvidence

DEFAULT_ACCURACY = timedelta(seconds=1)  # protocol 2.7: an absent accuracy counts as one second
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


def build_request(imprint: bytes, *, policy: str | None = None) -> TimeRequest:
    """A request for a token over a SHA-256 digest: 64-bit random nonce, certificates asked for."""
    raise NotImplementedError


def token_of(response: bytes, request: TimeRequest) -> bytes:
    """The token inside an authority's response, after the checks that need the request but no certificate.

    Raises:
        TimestampError: not strict DER, refused by the authority, or nonce, imprint or policy differ.
    """
    raise NotImplementedError


def token_certificates(token: bytes) -> tuple[bytes, ...]:
    """The certificates a token carries, the authority's own first; nothing about them is checked."""
    raise NotImplementedError


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
    raise NotImplementedError


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
    raise NotImplementedError


def prove_passed(
    moment: datetime, tokens: Sequence[VerifiedTimestamp], *, over: bytes, quorum: int
) -> TimeProof:
    """Prove that `moment` has passed (protocol 2.7: a time proof for t over s).

    Raises:
        TimeProofError: fewer than `quorum` tokens over `over` with `earliest` ≥ moment, from different
            anchors and different authority keys.
    """
    raise NotImplementedError
