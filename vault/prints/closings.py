# SPDX-License-Identifier: EUPL-1.2
"""The print of a box's closing: the list of its envelopes as it was fixed (protocol 3.7)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.certificates import RevocationEvidence
from crypto.closings import EnvelopeList
from crypto.statement import Statement
from crypto.timestamp import VerifiedTimestamp
from vault.prints.words import Language


@dataclass(frozen=True)
class ClosedBox:
    """A closing with its list and its time tokens.

    Attributes:
        closing: the signed closing.
        entries: its list; checked against the closing's root when printed.
        tokens: verified tokens over the closing's id.
        revocation: for each token, what was received beside it.
    """

    closing: Statement
    entries: EnvelopeList
    tokens: tuple[VerifiedTimestamp, ...]
    revocation: tuple[RevocationEvidence, ...]


def print_closing(closed: ClosedBox, policies: Sequence[bytes], *, language: Language) -> bytes:
    """The PDF of a closing list, not sealed yet.

    Args:
        closed: closing, list, tokens.
        policies: policy notes, epoch 0 first, the one the closing names last; attached.
        language: of the print.

    Raises:
        ListError: the list is not the one closed.
        SignatureError, PolicyError: the closing is not the vault's, or not under this policy.
    """
    raise NotImplementedError
