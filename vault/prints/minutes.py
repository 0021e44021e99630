# SPDX-License-Identifier: EUPL-1.2
"""The print of an opening's minutes (protocol 3.8)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.manifest import Document
from crypto.statement import Statement
from vault.prints.closings import ClosedBox
from vault.prints.words import Language


@dataclass(frozen=True)
class OpenedEnvelope:
    """What was found in one opened envelope: its place in the opening's lists, its bidder, its documents."""

    index: int
    bidder: str
    documents: tuple[Document, ...]


@dataclass(frozen=True)
class MinutedOpening:
    """An opening as its minutes tell it.

    Attributes:
        minutes: the signed minutes.
        opening: the signed opening they are of.
        closings: the closings it opened, in its order.
        opened: what was found, for each envelope minuted as opened; checked against the minutes.
    """

    minutes: Statement
    opening: Statement
    closings: tuple[ClosedBox, ...]
    opened: tuple[OpenedEnvelope, ...]


def print_minutes(minuted: MinutedOpening, policies: Sequence[bytes], *, language: Language) -> bytes:
    """The PDF of an opening's minutes, not sealed yet.

    Raises:
        OpeningError, ListError, ManifestError: the parts do not belong together.
        SignatureError, PolicyError: the minutes are not the vault's, or not under this policy.
    """
    raise NotImplementedError
