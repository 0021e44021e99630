# SPDX-License-Identifier: EUPL-1.2
"""Seals a print: PAdES with the vault's seal and a time token, B-LT where the state of the seal can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from crypto.certificates import NO_EVIDENCE, RevocationEvidence
from crypto.pades import SealKey, SealTime, sign_pdf
from vault.errors import AuthorityUnavailable

_log = structlog.get_logger(__name__)


class SealAuthorities(Protocol):
    """What sealing asks of the outside; vault.authorities.TimeAuthorities is one.

    Both raise AuthorityUnavailable when there is no answer, keep nothing, and may be called from several threads.
    """

    def seal_time(self, digest: bytes) -> SealTime:
        """A time token over a digest, with what verifies it."""

    def seal_evidence(self, chain: Sequence[bytes]) -> RevocationEvidence:
        """The state of the seal's chain, with what is at hand of the time authorities."""


@dataclass(frozen=True)
class PrintSeal:
    """The vault's seal with the authorities it needs."""

    seal: SealKey
    authorities: SealAuthorities

    def sign(self, pdf: bytes, *, at: datetime, reason: str) -> bytes:
        """Seal a print.

        Args:
            pdf: the print.
            at: now, by the vault's clock; the token says the rest.
            reason: shown by PDF readers, such as the statement's kind.

        Raises:
            AuthorityUnavailable: no time token was to be had; the unsealed print is not given away.
        """
        try:
            evidence = self.authorities.seal_evidence(self.seal.chain)
        except AuthorityUnavailable as error:
            _log.warning("seal.without_revocation_data", reasons=error.reasons)
            evidence = NO_EVIDENCE
        return sign_pdf(pdf, self.seal, stamp=self.authorities.seal_time, at=at, reason=reason, evidence=evidence)
