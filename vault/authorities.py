# SPDX-License-Identifier: EUPL-1.2
"""Asks time authorities for tokens, fails over, keeps what proves them.

Rules
  1. A token counts once `crypto.timestamp` has judged it, with revocation data fetched for it.
  2. An authority that errs or is silent for 2 s is passed over and asked last for a while.
  3. What was sent and received is kept with the token; so is the distance of genTime from our clock,
     which is alarmed and never refuses.
  4. Calls stay outside any Work: nothing here writes.

Left to others: the judging (crypto.timestamp), where evidence is stored (deposit, closing, opening).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from crypto.certificates import Anchor, RevocationEvidence
from crypto.timestamp import TimeProof, VerifiedTimestamp

PATIENCE = timedelta(seconds=2)  # signatures.md §3.2: how long one authority may take
WHOLE_PATIENCE = timedelta(seconds=5)  # protocol §5 D4: then the depositor gets the notice


class Authority(Protocol):
    """One time authority.

    `ask` and `fetch` may be called from several threads at once, block for at most `patience`, keep nothing,
    and raise AuthorityUnavailable when there is no answer; what they return is not judged yet.
    """

    @property
    def name(self) -> str:
        """For people and logs."""

    def ask(self, query: bytes, *, patience: timedelta) -> bytes:
        """The response to an RFC 3161 query."""

    def fetch(self, address: str, body: bytes | None, *, patience: timedelta) -> bytes:
        """What lies at an address of revocation data: an OCSP answer to `body`, or a CRL."""


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


class TimeAuthorities:
    """The configured time authorities, asked in order. Thread-safe; one per process."""

    def __init__(
        self,
        authorities: Sequence[Authority],
        *,
        anchors: Sequence[Anchor],
        clock: Callable[[], datetime],
        policies: Sequence[str] = (),
    ) -> None:
        raise NotImplementedError

    def stamp(self, imprint: bytes) -> Stamp:
        """One token over a digest, from the first authority that gives a good one within 5 s.

        Raises:
            AuthorityUnavailable: none did; its reasons say why for each.
        """
        raise NotImplementedError

    def stamp_by(self, imprint: bytes, *, quorum: int) -> tuple[Stamp, ...]:
        """Tokens over a digest by `quorum` authorities of different anchors and keys.

        Raises:
            AuthorityUnavailable: fewer answered well.
        """
        raise NotImplementedError

    def prove_passed(self, moment: datetime, *, over: bytes, quorum: int) -> tuple[TimeProof, tuple[Stamp, ...]]:
        """Have it proved that `moment` has passed, by new tokens over a digest.

        Raises:
            TimeUnproven: too few authorities, or too early; ask again.
        """
        raise NotImplementedError

    def distance(self) -> timedelta | None:
        """How far our clock was last from an authority's, or None before the first token."""
        raise NotImplementedError
