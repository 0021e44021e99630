# SPDX-License-Identifier: EUPL-1.2
"""This machine's clock beside the time authorities: asked before the vault serves, and before a store is judged.

Rules
  1. A vault whose clock is wrong by more than readiness allows does not start.
  2. That takes a quorum: one authority that lies, alone, or none at all, keeps no vault from starting; readiness goes
     on asking.

Left to others: asking again while it serves (api.probes), how a token is judged (vault.authorities).
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from api.probes import CLOCK_LIMIT
from crypto.certificates import read_anchors
from deploy.conformance import Reference
from vault.authorities import Authority, HttpLine, TimeAuthorities
from vault.errors import AuthorityUnavailable, CannotStart
from vault.settings import Authority as Configured
from vault.work import SystemClock, Works

DIGEST_BYTES = 32

_log = structlog.get_logger(__name__)


def require_right_clock(works: Works) -> None:
    """Compare our clock with a quorum of authorities, before anybody relies on it.

    Raises:
        CannotStart: it is off.
    """
    quorum = works.settings.quorum
    try:
        stamps = works.authorities.stamp_by(os.urandom(DIGEST_BYTES), quorum=quorum)
    except AuthorityUnavailable as error:
        _log.warning("clock.unchecked", reason=str(error))
        return
    now = works.clock.now()
    nearest = min((stamp.verified.at - now for stamp in stamps), key=abs)
    if abs(nearest) > CLOCK_LIMIT:
        raise CannotStart(
            f"the clock of this machine is {_span(nearest)} {'behind' if nearest > timedelta() else 'ahead of'} "
            f"{quorum} time authorities; at most {CLOCK_LIMIT.total_seconds():.0f} s are allowed. "
            "Set it right (chrony, systemd-timesyncd, the hypervisor's clock) and start again"
        )


def reference(authorities: Sequence[Configured]) -> Reference:
    """Our clock, put right by the nearest of the authorities that answer."""
    if not authorities:
        return Reference()
    with HttpLine() as line:
        asked = TimeAuthorities(
            [Authority(one.name, one.url) for one in authorities],
            line=line,
            anchors=tuple(anchor for one in authorities for anchor in read_anchors(one.anchor.read_bytes())),
            clock=SystemClock().now,
        )
        with suppress(AuthorityUnavailable):
            asked.stamp_by(os.urandom(DIGEST_BYTES), quorum=len(authorities))
        distance = asked.distance()
    if distance is None:
        return Reference(says="this machine's clock; no time authority answered")
    return Reference(
        now=lambda: datetime.now(UTC) + distance,
        says=f"the time authorities, from which this machine's clock is {abs(distance).total_seconds():.1f} s away",
    )


def _span(distance: timedelta) -> str:
    seconds = abs(distance).total_seconds()
    return f"{seconds:.0f} s" if seconds < 2 * 60 * 60 else f"{seconds / 3600:.1f} hours"
