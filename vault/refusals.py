# SPDX-License-Identifier: EUPL-1.2
"""Refusals in the journal: whoever is refused leaves an entry `access.refused`, and nobody fills a disk by knocking.

Rules
  1. An entry tells the error's code and, where it is known, which route; never what was sent (LOG-01, LOG-02, LOG-06).
  2. Which refusals become an entry says the tally (decision 0024); from the 65th on an entry tells how many.
  3. What is told once is marked, so that the edge does not tell it again.
  4. A refusal stands whether or not its entry can be written; one that could not is owed (vault.tally).

Left to others: refusals of deposits, which are attempts (vault.attempts), and those of the gate (vault.journal).
"""

from dataclasses import dataclass
from typing import TypeVar

from crypto.encoding import sha256
from crypto.events import EventKind
from vault import journal
from vault.errors import NotFound, OutsideError
from vault.journal import Place
from vault.work import Works

NO_SUBJECT = bytes(32)
TOLD = "told to the journal"  # the note on an error that has its entry
Refused = TypeVar("Refused", bound=Exception)


@dataclass(frozen=True)
class Refusal:
    """Somebody was refused.

    Attributes:
        who: what refusals are counted by; it is not written.
        code: of the error.
        place: platform and, for public acts, the procedure.
        subject: digest of what was asked for, or of the caller's token.
        route: method and pattern of the address, without its values.
    """

    who: str
    code: str
    place: Place
    subject: bytes = NO_SUBJECT
    route: str = ""


def tell(works: Works, refusal: Refusal) -> None:
    """Write the entry of a refusal where the tally wants one.

    Raises:
        OutsideError: it could not be written; it is owed.
    """
    number = works.refusals.count(refusal.who, at=works.clock.now())
    if number is None:
        return
    words = [refusal.code, refusal.route, f"#{number}" if number else ""]
    data = " ".join(word for word in words if word).encode()
    place = refusal.place
    try:
        with works.open() as work:
            kind = EventKind.ACCESS_REFUSED
            event = journal.event(kind, at=work.now, place=place, subject=refusal.subject, data=data)
            journal.append(works, work, event, place=place)
    except OutsideError:
        works.refusals.owe(refusal.who, at=works.clock.now())
        raise


def told(error: Refused) -> Refused:
    """The error, marked as having its entry."""
    error.add_note(TOLD)
    return error


def is_told(error: Exception) -> bool:
    """Whether this error has its entry already."""
    return TOLD in getattr(error, "__notes__", ())


def not_there(works: Works, platform: str, wanted: bytes) -> NotFound:
    """Journal that something was asked for that is not there for this platform, whatever the reason; to be raised."""
    error = NotFound()
    tell(works, Refusal(platform, error.code, Place(platform), subject=sha256(wanted)))
    return told(error)
