# SPDX-License-Identifier: EUPL-1.2
"""Refusals at the edge: who is turned away before a journey, or by one that does not say so itself, leaves an entry.

Rules
  1. Every refusal of a request is in the journal: no or no good token, a wrong role, a value or body without its form,
     an act that does not fit (LOG-01, LOG-02). Addresses and methods that do not exist are nothing of ours.
  2. A deposit refused before its journey began is an attempt of its box, as one refused on its announcement is.
  3. Strangers, who have no good token, count as one caller; entries are bounded by the tally (decision 0024).
  4. The refusal is given whether or not its entry can be written, and never waits in a queue for it: beyond `WRITERS`
     at once, and while the database is away, entries are owed.

Left to others: which refusals become entries (vault.tally), what they say (vault.refusals).
"""

from dataclasses import dataclass, field
from threading import BoundedSemaphore
from uuid import UUID

from fastapi import Request

from api.auth import Known, Role
from api.observing import log_fault, pattern_of
from api.part_names import PartName
from crypto.errors import CryptoError
from vault import refusals
from vault.deposit import journey
from vault.errors import VaultError
from vault.journal import Place
from vault.refusals import Refusal
from vault.work import Works

WRITERS = 4
STRANGERS = ""  # neither a platform nor a subject is called so
DEPOSIT = frozenset({"procedure", "lot", "envelope"})  # what the address of a deposit names


@dataclass(frozen=True)
class Edge:
    """The journal's door for refusals of one process."""

    works: Works
    _writers: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(WRITERS), repr=False)

    def tell(self, request: Request, code: str) -> None:
        """Journal that this request is refused; never raises."""
        refusal = _refusal(request, code)
        if not self._writers.acquire(blocking=False):
            self.works.refusals.put_off(refusal.who, at=self.works.clock.now())
            return
        try:
            if not self._as_attempt(request, code):
                refusals.tell(self.works, refusal)
        except (VaultError, CryptoError) as error:
            log_fault(error, request.scope)  # rule 4
        finally:
            self._writers.release()

    def _as_attempt(self, request: Request, code: str) -> bool:
        """Rule 2; false where the request does not name a box."""
        known, said = known_of(request), request.path_params
        is_deposit = known is not None and known.actor.role is Role.PLATFORM and said.keys() >= DEPOSIT
        if known is None or not is_deposit or request.method != "PUT":
            return False
        try:
            unread = journey.Unread(
                platform=known.actor.platform,
                procedure=UUID(said["procedure"]),
                lot=said["lot"],
                part=PartName(request.query_params.get("part", "")).part,
                envelope_id=UUID(said["envelope"]),
                bidder=request.headers.get("bidder", ""),
            )
        except ValueError:
            return False
        return journey.refuse_unread(self.works, unread, code=code)


def known_of(request: Request) -> Known | None:
    """Who calls; None for a stranger."""
    known = getattr(request.state, "known", None)
    return known if isinstance(known, Known) else None


def _refusal(request: Request, code: str) -> Refusal:
    known = known_of(request)
    route = f"{request.method} {pattern_of(request.scope)}"
    if known is None:
        return Refusal(STRANGERS, code, Place(STRANGERS), route=route)
    actor = known.actor
    return Refusal(f"{actor.platform}/{actor.subject}", code, Place(actor.platform), subject=known.token, route=route)
