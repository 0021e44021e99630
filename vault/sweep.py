# SPDX-License-Identifier: EUPL-1.2
"""The sweep: a periodic job goes on where deposits stopped, and clears what nobody will come back for.

Rules
  1. There is no job per deposit before the closing: one sweep finds what waits by its state (protocol 4.12).
  2. A row tells its week and not its procedure: the keys of the procedures with a deadline in that week are tried.
  3. A wrapped key is destroyed only where no object lies under its id, seen so for seven days (D1). An object without
     a row keeps its key: a receipt shown by its holder may bring it back (recover). An opening's seed, likewise,
     where no opening under way needs it (O1).
  4. Attempts and uploads that are older than any upload may be are ended; what was begun stays as evidence.

Left to others: when to run (api.worker), disposal of what has an object (retention.disposal).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from crypto.algorithms import ID_SIZE
from crypto.ceremony import Opening
from crypto.encoding import from_millis, sha256
from crypto.wraps import WrapKind
from vault import attempts, envelopes, receiving
from vault.attempts import Begun
from vault.errors import ObjectMissing
from vault.hidden import NotThisRow
from vault.lifecycle import EnvelopeState, ProcedureState
from vault.models import Attempt, AttemptState, Envelope, OpeningRow, OpeningState, Procedure
from vault.store.names import OBJECTS, key_kind_prefix, key_name
from vault.work import Work, Works

UPLOAD_GRACE = timedelta(days=2)  # 50 GB at 3 Mbit/s take 37 hours
WRAP_GRACE = timedelta(days=7)  # protocol §5, D1
ABANDONED = "abandoned"
NEEDS_SEED = (OpeningState.PREPARED, OpeningState.OFFERED, OpeningState.RELEASED)

Owners = dict[tuple[str, bytes], list[UUID]]


@dataclass
class Sightings:
    """Wraps seen without an object, and since when; one per worker process, lost with it: then the week begins anew."""

    since: dict[str, datetime] = field(default_factory=dict)

    def ripe(self, names: Iterable[str], now: datetime) -> list[str]:
        """Those seen for long enough; what is not seen any more is forgotten."""
        self.since = {name: self.since.get(name, now) for name in names}
        return [name for name, since in self.since.items() if now - since >= WRAP_GRACE]


def sweep(works: Works, sightings: Sightings) -> int:
    """All of it; tells how many deposits still wait for a token."""
    waiting = received(works)
    end_attempts(works)
    abort_uploads(works)
    destroy_wraps(works, sightings)
    return waiting


def received(works: Works) -> int:
    """Steps D4 and D5 for every received deposit; tells how many still wait."""
    waiting: dict[UUID, list[UUID]] = defaultdict(list)
    with works.open() as work:
        rows = work.session.exec(select(Envelope).where(Envelope.state == EnvelopeState.RECEIVED)).all()
        owners = _owners(works, work, {row.platform for row in rows})
        for row in rows:
            for procedure in owners.get((row.platform, row.bucket), ()):
                try:
                    envelopes.read(works, row, procedure=procedure)
                except (NotThisRow, ObjectMissing):
                    continue  # ObjectMissing: a procedure whose key is lost stops nobody else's
                waiting[procedure].append(row.id)
                break
    left = 0
    for procedure, ids in waiting.items():
        left += receiving.settle_all(works, ids, procedure=procedure) if left == 0 else len(ids)
    return left


def end_attempts(works: Works) -> int:
    """End the attempts that nobody works on any more; tells how many."""
    ended = 0
    with works.open() as work:
        rows = work.session.exec(select(Attempt).where(Attempt.state == AttemptState.OPEN)).all()
        owners = _owners(works, work, {row.platform for row in rows})
        for row in rows:
            begun = _begun(works, row, owners.get((row.platform, row.bucket), ()))
            if begun is not None and work.now - from_millis(begun.facts.t_first) > UPLOAD_GRACE:
                ended += attempts.end(works, work, begun, state=AttemptState.FAILED, outcome=ABANDONED)
    return ended


def abort_uploads(works: Works) -> int:
    """Give back the parts of uploads that nobody works on any more; tells how many."""
    oldest = works.clock.now() - UPLOAD_GRACE
    dead = [upload for upload in works.store.unfinished_uploads() if upload.begun_at < oldest]
    for upload in dead:
        works.store.abort_unfinished(upload)
    return len(dead)


def destroy_wraps(works: Works, sightings: Sightings) -> int:
    """Destroy the keys of objects, and the seeds of openings, that never came to be; tells how many."""
    unclaimed = (*_without_object(works), *_without_opening(works))
    ripe = sightings.ripe(unclaimed, works.clock.now())
    for name in ripe:
        works.key_store.delete(name)
        del sightings.since[name]
    if ripe:
        works.key_store.durable()  # else a power cut brings them back
    return len(ripe)


def _without_object(works: Works) -> Iterator[str]:
    """Names of object keys under whose id no object lies: both listings come in the order of the ids."""
    prefix = key_kind_prefix(WrapKind.OBJECT)
    stored = (version.key.removeprefix(OBJECTS) for version in works.store.list_versions(OBJECTS))
    there = next(stored, None)
    for name in works.key_store.list(prefix):
        wanted = name.removeprefix(prefix)
        while there is not None and there < wanted:
            there = next(stored, None)
        if there != wanted:
            yield name


def _without_opening(works: Works) -> Iterator[str]:
    """Names of opening seeds that no opening under way needs: its process was killed in O1, or it was abandoned."""
    with works.open() as work:
        rows = work.session.exec(select(OpeningRow.payload).where(col(OpeningRow.state).in_(NEEDS_SEED))).all()
    needed = {key_name(WrapKind.OPENING_SEED, sha256(Opening.decode(one).opening_key)[:ID_SIZE]) for one in rows}
    return (name for name in works.key_store.list(key_kind_prefix(WrapKind.OPENING_SEED)) if name not in needed)


def _owners(works: Works, work: Work, platforms: set[str]) -> Owners:
    """Which procedures may own rows of a week: those with a deadline in it, in any epoch (rule 2)."""
    owners: Owners = defaultdict(list)
    for platform in platforms:
        published = select(Procedure.id).where(
            Procedure.platform == platform, Procedure.state != ProcedureState.DRAFTED
        )
        for procedure in work.session.exec(published):
            deadlines = {box.deadline for policy in envelopes.chain(work, procedure) for box in policy.boxes}
            for bucket in {works.keys.bucket(platform, deadline) for deadline in deadlines}:
                owners[platform, bucket].append(procedure)
    return owners


def _begun(works: Works, row: Attempt, procedures: Iterable[UUID]) -> Begun | None:
    for procedure in procedures:
        try:
            return Begun(row.id, attempts.read(works, row, procedure=procedure))
        except (NotThisRow, ObjectMissing):
            continue
    return None
