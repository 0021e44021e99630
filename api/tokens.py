# SPDX-License-Identifier: EUPL-1.2
"""Issuing a token is an act of the vault: it is in the journal before anybody has the token.

Rules
  1. The entry is committed first; if it cannot be written, no token leaves (LOG-07).
  2. The entry's subject is the token's digest; its data says for whom, as what, until when, and never the token.

Left to others: what a token is and says (api.auth), the command (api.cli.token).
"""

from datetime import timedelta

from api.auth import Actor, TokenIssuer
from crypto.encoding import sha256
from crypto.events import EventKind
from vault import journal
from vault.work import Works


def issue(works: Works, issuer: TokenIssuer, actor: Actor, *, lifetime: timedelta) -> str:
    """Journal and sign one token.

    Raises:
        ValueError: a lifetime out of bounds.
        DatabaseUnavailable: nothing was issued.
    """
    token = issuer.issue(actor, lifetime)
    place = journal.Place(actor.platform)
    with works.open() as work:
        until = (work.now + lifetime).isoformat(timespec="seconds")
        data = f"{actor.role.value} {actor.subject} until {until}".encode()
        said = journal.event(
            EventKind.TOKEN_ISSUED, at=work.now, place=place, subject=sha256(token.encode()), data=data
        )
        journal.append(works, work, said, place=place)
    return token
