# SPDX-License-Identifier: EUPL-1.2
"""Asks time authorities for tokens, fails over, keeps what proves them.

Rules
  1. A token counts once `crypto.timestamp` has judged it, with revocation data fetched for it.
  2. An authority that errs or is silent for 2 s is passed over and asked last for a while.
  3. What was sent and received is kept with the token; so is the distance of genTime from our clock,
     which is alarmed and never refuses.
  4. Addresses of revocation data are taken only from certificates that lead to an anchor.
  5. Calls stay outside any Work: nothing here writes.

Left to others: the judging (crypto.timestamp), where evidence is stored (deposit, closing, opening).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

import httpx2
import structlog

from crypto.certificates import Anchor, RevocationEvidence, chain_to_anchor, revocation_source
from crypto.errors import CryptoError, TimeProofError
from crypto.pades import SealTime
from crypto.timestamp import (
    TimeProof,
    TimeRequest,
    VerifiedTimestamp,
    build_request,
    judge_token,
    prove_passed,
    token_certificates,
    token_of,
)
from vault.errors import AuthorityUnavailable, TimeUnproven

PATIENCE = timedelta(seconds=2)  # signatures.md §3.2: how long one authority may take
WHOLE_PATIENCE = timedelta(seconds=5)  # protocol §5 D4: then the depositor gets the notice
ALARM_DISTANCE = timedelta(seconds=5)  # signatures.md §3.2: told in the log
RED_DISTANCE = timedelta(seconds=60)  # signatures.md §3.2: readiness is red
EVIDENCE_LIFE = timedelta(seconds=60)  # how long an authority's revocation data serves further tokens
REST = timedelta(seconds=30)  # how long an authority that failed is asked last
MAX_ANSWER = 16 * 1024 * 1024  # the largest public revocation lists in use
QUERY_TYPE = "application/timestamp-query"
OCSP_TYPE = "application/ocsp-request"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Authority:
    """One configured time authority: its name for people, where it answers, and the policy asked for."""

    name: str
    address: str
    policy: str | None = None


class Line(Protocol):
    """The way to authorities.

    `exchange` may be called from several threads at once, blocks for at most about `patience`, keeps nothing,
    follows no redirect, and raises AuthorityUnavailable when there is no answer; what it returns is not judged.
    """

    def exchange(self, address: str, body: bytes | None, *, media_type: str, patience: timedelta) -> bytes:
        """Post `body` to an address, or get what lies there when it is None."""


class HttpLine:
    """The line over HTTP: pooled connections, bounded answers. One per process; close it at the end."""

    def __init__(self) -> None:
        self._client = httpx2.Client(follow_redirects=False, trust_env=False)

    def exchange(self, address: str, body: bytes | None, *, media_type: str, patience: timedelta) -> bytes:
        """See Line."""
        seconds = patience.total_seconds()
        until = time.monotonic() + seconds
        method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": media_type})
        try:
            with self._client.stream(method, address, content=body, headers=headers, timeout=seconds) as answer:
                answer.raise_for_status()
                return _bounded(answer.iter_bytes(), until)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise AuthorityUnavailable((f"{address}: {type(error).__name__}",)) from error

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        """The line itself, closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.close()


@dataclass(frozen=True)
class Stamp:
    """A verified token with all that was exchanged for it.

    Attributes:
        verified: the judged token.
        evidence: chain and revocation data as received.
        query: the request as sent.
        response: the response as received.
        distance: genTime less our clock, midway between asking and answer.
    """

    verified: VerifiedTimestamp
    evidence: RevocationEvidence = field(repr=False)
    query: bytes = field(repr=False)
    response: bytes = field(repr=False)
    distance: timedelta


@dataclass(frozen=True)
class _Kept:
    """Revocation data that served a token made at `at`, fetched at `since` by the timer."""

    evidence: RevocationEvidence
    at: datetime
    since: float

    def serves(self, verified: VerifiedTimestamp, *, now: float) -> bool:
        """Whether it is young enough for this token."""
        life = EVIDENCE_LIFE
        return abs(verified.at - self.at) <= life and now - self.since <= life.total_seconds()


class TimeAuthorities:
    """The configured time authorities, asked in order. Thread-safe; one per process."""

    def __init__(
        self,
        authorities: Sequence[Authority],
        *,
        line: Line,
        anchors: Sequence[Anchor],
        clock: Callable[[], datetime],
        policies: Sequence[str] = (),
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timer = timer  # measures patience alone, in seconds; what time it is says the clock
        self._authorities = tuple(authorities)
        self._line = line
        self._anchors = tuple(anchors)
        self._clock = clock
        self._policies = tuple(policies)
        self._lock = Lock()
        self._kept: dict[bytes, _Kept] = {}
        self._failed: dict[str, float] = {}
        self._distances: dict[str, timedelta] = {}

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """The roots that are trusted for time."""
        return self._anchors

    def stamp(self, imprint: bytes) -> Stamp:
        """One token over a digest, from the first authority that gives a good one within 5 s.

        Raises:
            AuthorityUnavailable: none did; its reasons say why for each.
        """
        reasons: list[str] = []
        for stamp in self._ask_each(imprint, reasons):
            return stamp
        raise AuthorityUnavailable(tuple(reasons))

    def stamp_by(self, imprint: bytes, *, quorum: int) -> tuple[Stamp, ...]:
        """Tokens over a digest by `quorum` authorities of different anchors and keys.

        Raises:
            AuthorityUnavailable: fewer answered well.
        """
        reasons: list[str] = []
        stamps: list[Stamp] = []
        for stamp in self._ask_each(imprint, reasons):
            stamps.append(stamp)
            chosen = _independent(stamps, imprint, quorum)
            if chosen is not None:
                return chosen
        raise AuthorityUnavailable((f"{len(stamps)} of {quorum} authorities answered", *reasons))

    def prove_passed(
        self, moment: datetime, *, over: bytes, quorum: int, have: Sequence[Stamp] = ()
    ) -> tuple[TimeProof, tuple[Stamp, ...]]:
        """Have it proved that `moment` has passed, by tokens at hand where they are late enough, else by new ones.

        Returns:
            The proof, and the stamps it stands on, to be kept.

        Raises:
            TimeUnproven: too few authorities, or too early; ask again.
        """
        reasons: list[str] = []
        stamps = list(have)
        proved = _proof(moment, stamps, over, quorum)
        asked = iter(()) if proved else self._ask_each(over, reasons)
        for stamp in asked:
            stamps.append(stamp)
            proved = _proof(moment, stamps, over, quorum)
            if proved:
                break
        if proved is None:
            early = [one.verified.authority for one in stamps if one.verified.earliest < moment]
            reasons += [f"{name}: the moment has not come" for name in early]
            raise TimeUnproven("; ".join(reasons) or "no time authority is configured")
        return proved, tuple(one for one in stamps if one.verified in proved.tokens)

    def recall(self, token: bytes, evidence: bytes, *, over: bytes) -> Stamp:
        """A token from an earlier time with its encoded evidence, judged anew from that evidence alone.

        Raises:
            TimestampError: it does not pass; FormatError: the evidence is not as encoded.
        """
        kept = RevocationEvidence.decode(evidence)
        verified = judge_token(token, over, anchors=self._anchors, evidence=kept, policies=self._policies)
        return Stamp(verified, kept, b"", b"", timedelta())

    def distances(self) -> Mapping[str, timedelta]:
        """How far each authority's last token was from our clock, by its name."""
        with self._lock:
            return dict(self._distances)

    def distance(self) -> timedelta | None:
        """How far our clock was last from the nearest authority's, or None before the first token."""
        return min(self.distances().values(), key=abs, default=None)

    def revocation_evidence(self, chain: Sequence[bytes], *, patience: timedelta = PATIENCE) -> RevocationEvidence:
        """Fetch the state of each certificate of a chain that ends in an anchor.

        Args:
            chain: as `chain_to_anchor` gave it: this function trusts the addresses in it.
            patience: for all of it together.

        Raises:
            AuthorityUnavailable: the state of one could not be had.
        """
        until = self._timer() + patience.total_seconds()
        evidence = RevocationEvidence(certificates=tuple(chain[:-1]))
        for certificate, issuer in pairwise(chain):
            evidence = evidence.joined(self._state_of(certificate, issuer, until))
        return evidence

    def seal_time(self, digest: bytes) -> SealTime:
        """A token for a PDF's seal (vault.prints)."""
        stamp = self.stamp(digest)
        return SealTime(stamp.verified.token, stamp.evidence)

    def seal_evidence(self, chain: Sequence[bytes]) -> RevocationEvidence:
        """The state of a seal's chain, with what is at hand of the time authorities.

        Args:
            chain: the seal's own, from its key file, ending in its root: its addresses are trusted.

        Raises:
            AuthorityUnavailable: the state of the seal could not be had.
        """
        with self._lock:
            at_hand = [kept.evidence for kept in self._kept.values()]
        return self.revocation_evidence(chain).joined(*at_hand)

    def _ask_each(self, imprint: bytes, reasons: list[str]) -> Iterator[Stamp]:
        """A token from each authority that gives a good one, those that failed lately last."""
        until = self._timer() + WHOLE_PATIENCE.total_seconds()
        for authority in self._in_order():
            left = timedelta(seconds=until - self._timer())
            if left <= timedelta(0):
                reasons.append(f"{authority.name}: not asked, no time left")
                continue
            try:
                yield self._ask(authority, imprint, min(PATIENCE, left))
            except (AuthorityUnavailable, CryptoError) as error:
                reasons.append(f"{authority.name}: {error}")
                self._note_failure(authority, error)

    def _ask(self, authority: Authority, imprint: bytes, patience: timedelta) -> Stamp:
        request = build_request(imprint, policy=authority.policy)
        before = self._clock()
        response = self._line.exchange(authority.address, request.der, media_type=QUERY_TYPE, patience=patience)
        after = self._clock()
        verified, evidence = self._judge(response, request, patience)
        distance = verified.at - (before + (after - before) / 2)
        self._note_answer(authority, distance)
        return Stamp(verified=verified, evidence=evidence, query=request.der, response=response, distance=distance)

    def _judge(
        self, response: bytes, request: TimeRequest, patience: timedelta
    ) -> tuple[VerifiedTimestamp, RevocationEvidence]:
        """Judge with the revocation data at hand while it is young, else with new."""
        token = token_of(response, request)
        carried = token_certificates(token)
        kept = self._kept.get(carried[0])
        if kept is not None:
            try:
                verified = self._judged(token, request.imprint, kept.evidence)
            except CryptoError:
                kept = None
            else:
                if kept.serves(verified, now=self._timer()):
                    return verified, kept.evidence
        chain = chain_to_anchor(carried, anchors=self._anchors)
        evidence = self.revocation_evidence(chain, patience=patience)
        verified = self._judged(token, request.imprint, evidence)
        with self._lock:
            self._kept[carried[0]] = _Kept(evidence, at=verified.at, since=self._timer())
        return verified, evidence

    def _judged(self, token: bytes, imprint: bytes, evidence: RevocationEvidence) -> VerifiedTimestamp:
        return judge_token(token, imprint, anchors=self._anchors, evidence=evidence, policies=self._policies)

    def _state_of(self, certificate: bytes, issuer: bytes, until: float) -> RevocationEvidence:
        """OCSP first, then the revocation list."""
        source = revocation_source(certificate, issuer)
        ways: list[tuple[str, bytes | None]] = [(address, source.ask) for address in source.ocsp]
        ways += [(address, None) for address in source.crl]
        reasons: list[str] = []
        for address, body in ways:
            left = timedelta(seconds=max(0.01, until - self._timer()))
            try:
                answer = self._line.exchange(address, body, media_type=OCSP_TYPE, patience=left)
            except AuthorityUnavailable as error:
                reasons.extend(error.reasons)
                continue
            return RevocationEvidence(crls=(answer,)) if body is None else RevocationEvidence(ocsps=(answer,))
        raise AuthorityUnavailable(("no revocation data", *reasons))

    def _in_order(self) -> list[Authority]:
        rested = self._timer() - REST.total_seconds()
        with self._lock:
            return sorted(self._authorities, key=lambda one: self._failed.get(one.name, 0.0) > rested)

    def _note_failure(self, authority: Authority, error: Exception) -> None:
        with self._lock:
            self._failed[authority.name] = self._timer()
        _log.warning("authority.failed", authority=authority.name, reason=str(error))

    def _note_answer(self, authority: Authority, distance: timedelta) -> None:
        with self._lock:
            self._failed.pop(authority.name, None)
            self._distances[authority.name] = distance
        if abs(distance) > ALARM_DISTANCE:
            _log.warning("authority.distant", authority=authority.name, seconds=distance.total_seconds())


def _independent(stamps: Sequence[Stamp], imprint: bytes, quorum: int) -> tuple[Stamp, ...] | None:
    """`quorum` stamps of different anchors and keys, or None while there are fewer."""
    earliest = min(one.verified.earliest for one in stamps)
    proof = _proof(earliest, stamps, imprint, quorum)
    return None if proof is None else tuple(one for one in stamps if one.verified in proof.tokens)


def _proof(moment: datetime, stamps: Sequence[Stamp], over: bytes, quorum: int) -> TimeProof | None:
    try:
        return prove_passed(moment, [one.verified for one in stamps], over=over, quorum=quorum)
    except TimeProofError:
        return None


def _bounded(pieces: Iterator[bytes], until: float) -> bytes:
    answer = bytearray()
    for piece in pieces:
        answer += piece
        if len(answer) > MAX_ANSWER or time.monotonic() > until:
            raise AuthorityUnavailable(("an answer too long or too slow",))
    return bytes(answer)
