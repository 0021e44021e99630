# SPDX-License-Identifier: EUPL-1.2
"""What the API is given by whoever composes the process, and the little of it that the frame itself uses.

Left to others: making them (api.bootstrap).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from api.auth import TokenVerifier
from api.deposit.upload import Uploads
from api.refused import Edge
from vault.prints.seal import PrintSeal
from vault.work import Works


class NotWell(Exception):
    """A probe found its part broken; the text is the reason shown."""


@dataclass(frozen=True)
class Probe:
    """One thing that must be well; `check` returns, or raises `NotWell` with a reason fit for strangers to read."""

    name: str
    check: Callable[[], None]


@dataclass(frozen=True)
class PublishedLimits:
    """What this deployment takes at most; a policy may allow less (DEP-04)."""

    max_document: int
    max_envelope: int
    max_documents: int
    max_deposits: int


@dataclass(frozen=True)
class Services:
    """Everything a route may use."""

    works: Works
    tokens: TokenVerifier
    uploads: Uploads
    limits: PublishedLimits
    seal: PrintSeal
    edge: Edge
    probes: tuple[Probe, ...] = field(default=())
