# SPDX-License-Identifier: EUPL-1.2
"""The deposit, steps D0 to D5 of protocol §5.

Rules
  1. What can be refused is refused before a byte of the bid is read; each refusal leaves an attempt and an entry.
  2. Order of durable writes: key wrap, attempt ◆, object, row with verdict, entry and receipt ◆. Killed between any
     two, nothing acknowledged is lost and nothing visible is repeated: the depositor sends the same again.
  3. An object is one attempt's alone; the row in the database says which attempt is the envelope.
  4. The same deposit again gives the same receipt, byte for byte; its bytes are read, compared and not kept.
  5. A deadline that has passed refuses nothing: what comes late gets a receipt that says so, and stays sealed.

Left to others: token, verdict, receipt (vault.receiving), the pass over the bytes (vault.deposit.pipeline).
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from crypto.encoding import from_millis
from crypto.header import EnvelopeKind
from crypto.policy import Part
from crypto.sealing import EnvelopeSealer
from vault import attempts, envelopes, receiving, refusals
from vault.attempts import Begun, Target
from vault.deposit import pipeline
from vault.deposit.announcement import Body, DepositRequest, require_request
from vault.envelopes import Addressed, Kept
from vault.errors import NotFound
from vault.lifecycle import require_accepting
from vault.models import AttemptState
from vault.receiving import Acknowledgement, Arrived
from vault.rows import EnvelopeFacts
from vault.store.locks import envelope_lock
from vault.store.names import object_name
from vault.work import Work, Works

FAULT = "fault"  # the outcome of an attempt that ended by something without a code


def deposit(works: Works, request: DepositRequest, body: Body) -> Acknowledgement:
    """Receive, seal, store, stamp and acknowledge one envelope.

    Args:
        works: the vault.
        request: what the depositor announced.
        body: the documents' bytes; nothing of it is read before D2 is written.

    Returns:
        The receipt, or the registration notice while no time authority answers.

    Raises:
        NotFound: no such procedure, lot or part for this platform.
        InvalidInput, WrongState, TooLarge, DepositLimitReached, StoreFull: refused on the announcement.
        IdTaken, OtherContent: the envelope's id cannot be used, or holds other content of the same depositor.
        BodyBroken, BodyMismatch, crypto.errors.AlreadySealedError: the body; nothing of it was kept.
        StoreUnavailable, DatabaseUnavailable: ours; send the same again.
    """
    # D0. What the announcement alone decides.
    box, there = _announced(works, request)
    if there is not None:
        return _repeat(works, request, body, box=box, there=there)

    # D1. The object's key is wrapped before its first byte is sent.
    object_id = uuid4()
    key = works.keys.create_object(box.procedure, object_id)

    # D2. ◆ The attempt, with t_first.
    with works.open() as work:
        attempt = attempts.begin(works, work, box, target=_target(request, object_id))
    try:
        # D3. Seal while it streams; complete; what the next commit relies on is flushed.
        arrived = _store(works, request, body, place=_Place(box, attempt, object_id, bytes(key)))
        # D4, D5. Token, then ◆ verdict, entry, row and receipt payload; signed after that.
        return receiving.take(works, arrived)
    except Exception as error:
        with works.open() as work:
            attempts.refuse(works, work, attempt, box=box, code=code_of(error))
        refusals.told(error)
        raise


@dataclass(frozen=True)
class Unread:
    """A deposit that was refused before its announcement could be read."""

    platform: str
    procedure: UUID
    lot: str
    part: Part
    envelope_id: UUID
    bidder: str


def refuse_unread(works: Works, unread: Unread, *, code: str) -> bool:
    """Keep a deposit that was refused before D0 as an attempt; false where no such box is there for this platform."""
    try:
        with works.open() as work:
            box = envelopes.address(work, unread.platform, unread.procedure, lot=unread.lot, part=unread.part)
            target = Target(unread.envelope_id, unread.bidder, announced=0)
            attempts.refuse_at_once(works, work, box, target=target, code=code)
    except NotFound:
        return False
    return True


@dataclass(frozen=True)
class _Place:
    """Where one attempt's bytes go."""

    box: Addressed
    attempt: Begun
    object_id: UUID
    key: bytes

    def __repr__(self) -> str:
        return f"_Place({self.object_id})"


def _announced(works: Works, request: DepositRequest) -> tuple[Addressed, Kept | None]:
    """The box this deposit is for, and what lies there under its id already; a miss is journaled and tells nothing."""
    box: Addressed | None = None
    try:
        with works.look() as work:
            box = envelopes.address(work, request.platform, request.procedure, lot=request.lot, part=request.part)
            return box, _require_acceptable(works, work, request, box=box)
    except Exception as error:
        if box is None and isinstance(error, NotFound):
            wanted = request.procedure.bytes + request.envelope_id.bytes
            raise refusals.not_there(works, request.platform, wanted) from error
        if box is not None:
            with works.open() as work:
                attempts.refuse_at_once(works, work, box, target=_target(request), code=code_of(error))
            refusals.told(error)
        raise


def _require_acceptable(works: Works, work: Work, request: DepositRequest, *, box: Addressed) -> Kept | None:
    """Check all that D0 checks; an envelope of this depositor under this id is given back to be compared."""
    require_request(request)
    there, is_taken = envelopes.claimed(works, work, request.envelope_id, procedure=box.procedure)
    if is_taken:
        receiving.require_same(there, box=box, bidder=request.bidder, tag=pipeline.announced_tag(request))
        return there
    deposits = len(envelopes.ledger(works, work, box, bidder=request.bidder).envelopes)
    sizes = [document.size for document in request.documents]
    require_accepting(box.procedure_state, box.policy.limits, sizes=sizes, deposits=deposits)
    works.store.require_room(request.stored_size)
    return None


def _store(works: Works, request: DepositRequest, body: Body, *, place: _Place) -> Arrived:
    """D3: the sealed object lies in the store, complete, locked and flushed."""
    box = place.box
    sealer = EnvelopeSealer(
        box.policy,
        box.box.number,
        request.envelope_id.bytes,
        kind=EnvelopeKind.BID,
        bidder=request.bidder,
        deposit_secret=request.secret,
    )
    outer = pipeline.outer_layer(place.key, place.object_id)
    lock_until = envelope_lock(box.box.deadline, works.clock.now())
    with works.store.begin_upload(object_name(place.object_id.bytes), lock_until=lock_until) as upload:
        sealed = pipeline.seal(sealer, outer, upload, request=request, body=body)
        stored = upload.complete()
    works.key_store.durable()
    works.store.durable()
    first = from_millis(place.attempt.facts.t_first)
    record = sealed.record(request, policy_hash=box.policy.hash, box=box.box.number, first_byte_at=first)
    facts = EnvelopeFacts(
        procedure=box.procedure,
        box=box.box.number,
        bidder=request.bidder,
        record=record.encode(),
        object_id=place.object_id,
        version_id=stored.version_id,
        length=stored.size,
    )
    return Arrived(box, place.attempt, record, facts)


def _repeat(works: Works, request: DepositRequest, body: Body, *, box: Addressed, there: Kept) -> Acknowledgement:
    """The id is this depositor's already: read the body, compare, give what it holds (rule 4)."""
    with works.open() as work:
        attempt = attempts.begin(works, work, box, target=_target(request))
    try:
        tag = pipeline.tag_of(request, body)
        receiving.require_same(there, box=box, bidder=request.bidder, tag=tag)
    except Exception as error:
        with works.open() as work:
            attempts.refuse(works, work, attempt, box=box, code=code_of(error))
        refusals.told(error)
        raise
    with works.open() as work:
        attempts.end(works, work, attempt, state=AttemptState.DONE, outcome="repeated")
    return receiving.settle_one(works, there.id, procedure=box.procedure)


def _target(request: DepositRequest, object_id: UUID = attempts.NO_OBJECT) -> Target:
    return Target(request.envelope_id, request.bidder, request.size, object_id)


def code_of(error: Exception) -> str:
    """The stable code of a refusal, for the journal; never its text."""
    code = getattr(error, "code", FAULT)
    return code if isinstance(code, str) else FAULT
