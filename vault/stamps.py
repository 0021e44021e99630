# SPDX-License-Identifier: EUPL-1.2
"""Time tokens over statements and requests: kept with their evidence, used again where they are late enough.

Rules
  1. A token is kept in the transaction of the act it serves; the same token again changes nothing.
  2. What is kept was judged before, and is judged anew from its own evidence whenever it is used.

Left to others: asking (vault.authorities), the tokens of deposits (they lie in the envelope's hidden row).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from crypto.encoding import sha256
from vault.authorities import Stamp as VerifiedStamp
from vault.models import StampRow
from vault.rows import Stamp
from vault.work import Work, Works


def keep(work: Work, subject: bytes, stamps: Sequence[VerifiedStamp]) -> None:
    """Keep tokens over a subject (32 bytes: a statement's id, or a closing request)."""
    for stamp in stamps:
        row = {
            "subject": subject,
            "token_hash": sha256(stamp.verified.token),
            "token": stamp.verified.token,
            "evidence": stamp.evidence.encode(),
            "at": stamp.verified.at,
        }
        work.session.execute(insert(StampRow).values(row).on_conflict_do_nothing())


def kept(work: Work, subject: bytes) -> tuple[Stamp, ...]:
    """The tokens over a subject, oldest first."""
    rows = select(StampRow).where(StampRow.subject == subject).order_by(col(StampRow.at), col(StampRow.token_hash))
    return tuple(Stamp(row.token, row.evidence) for row in work.session.exec(rows))


def prove_passed(works: Works, moment: datetime, *, over: bytes, quorum: int) -> None:
    """Have it proved that a moment has passed by tokens over a subject: kept ones where late enough, else new ones.

    Afterwards `kept` holds what proves it.

    Raises:
        TimeUnproven: too few authorities, or too early; what was proved before stays.
    """
    with works.open() as work:
        have = [works.authorities.recall(one.token, one.evidence, over=over) for one in kept(work, over)]
    _, stamps = works.authorities.prove_passed(moment, over=over, quorum=quorum, have=have)
    with works.open() as work:
        keep(work, over, stamps)
