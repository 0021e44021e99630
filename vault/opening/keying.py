# SPDX-License-Identifier: EUPL-1.2
"""Keying: with k contributions and the gate's release every listed envelope gets its key, before any is read (O4-O6).

Rules
  1. Two phases: the keys of all envelopes first, then `keyed`, and only then the first byte of any (protocol 4.7).
  2. All n shares are computed again from k and compared with their commits: a wrong dealer gets the same verdict
     whichever quorum opens.
  3. An envelope short of shares waits for more contributions, until the buyer freezes; at once when none is short.
  4. An envelope whose stored bytes are not those received fails alone (OPEN-03).
  5. Killed at any point the worker goes on from what is stored, asking nobody.

Left to others: contributions (contributing), reading (reading).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from crypto.ceremony import Keyed, Unkeyed
from crypto.contribution import open_contribution
from crypto.deposit import DepositRecord
from crypto.errors import CryptoError, QuorumError
from crypto.events import EventKind
from crypto.opening_rules import DueEntry, DueOpening, require_contribution, require_release
from crypto.sealing import read_head, recover_file_key, zero
from crypto.statement import Kind, parse_note
from crypto.wraps import WrapKind
from vault import envelopes, journal, shelf
from vault.envelopes import Kept
from vault.errors import ObjectMissing, WrongState
from vault.gate import answers
from vault.lifecycle import Actor, BoxState, ContributionState, EnvelopeState, require_move
from vault.models import ContributionRow, OpeningRow, OpeningState
from vault.opening import contributing, due
from vault.opening.offer import seed_id
from vault.store.names import key_name
from vault.work import Work, Works

LEFT_OUT = "left-out"
ROTTEN = "rotten"
KEYED_BEFORE = frozenset({EnvelopeState.KEYED, EnvelopeState.OPENED, EnvelopeState.FAILED})
ARE_KEYED = (OpeningState.KEYED, OpeningState.MINUTED)


@dataclass(frozen=True)
class Shares:
    """The accepted contributions and the release of one opening, opened.

    Attributes:
        rows: the accepted contributions, oldest first.
        by_holder: each holder's shares in list order, by kid.
    """

    rows: tuple[ContributionRow, ...]
    by_holder: dict[bytes, tuple[bytearray | None, ...]] = field(repr=False)

    def of(self, index: int) -> dict[bytes, bytearray]:
        """The shares of one envelope, by kid."""
        return {kid: share for kid, shares in self.by_holder.items() if (share := shares[index]) is not None}


def key(works: Works, opening_id: bytes) -> bool:
    """Steps O4 to O6, as far as the contributions reach; true once the opening is keyed.

    Raises:
        CryptoError: the gate refuses; journaled.
    """
    with works.open() as work:
        row = due.row_of(work, opening_id)
    if row.state in ARE_KEYED:
        forget_key(works, row)
        return True
    if row.state not in contributing.TAKES:
        return False
    checked = due.check(works, opening_id)
    contributing.try_stored(works, checked)
    accepted = _accepted(works, opening_id)
    if len({one.person for one in accepted}) < checked.custodians.k:
        return False
    # O4. ◆ The gate's shares; it keeps their bytes and gives the same again.
    release = _release(works, row, accepted, checked=checked)
    # O4a. ◆ Every listed object is read again: what rotted fails alone.
    rotten = _find_rotten(works, checked, row)
    # O5. Each envelope's key, wrapped by its object's key, in the key store.
    shares = _open_shares(works, checked, row, accepted=accepted, release=release)
    unkeyed, is_short = _recover_all(works, checked, row, shares=shares, rotten=rotten)
    if is_short:
        return False
    works.key_store.durable()
    # O6. ◆ Keyed; then the opening key is gone.
    if not _commit_keyed(works, row, accepted, unkeyed):
        return False
    forget_key(works, row)
    return True


def restore(works: Works, opening_id: bytes) -> int:
    """O5 again, after the key store was restored: the file keys of what was keyed, from what custodians gave then.

    Nobody is asked and nothing is said anew; tells how many keys were missing.

    Raises:
        ObjectMissing: the opening's key is gone too: only a new attempt helps (`repeat`).
        CryptoError: what is stored is not what was stored.
    """
    with works.open() as work:
        row = due.row_of(work, opening_id)
    said = Keyed.of(parse_note(row.keyed or b"", Kind.KEYED))
    checked = due.check(works, opening_id)
    with works.open() as work:
        given = [one for one in contributing.of_opening(work, opening_id) if one.id in said.contributions]
    shares = _open_shares(works, checked, row, accepted=given, release=row.release or b"")
    without = {one.index for one in said.unkeyed}
    restored = 0
    for entry in checked.entries:
        kept = due.find(works, row.procedure_id, entry.entry.envelope_id)
        if kept is not None and entry.index not in without and not has_file_key(works, kept):
            _keep_file_key(works, kept, shares.of(entry.index))
            restored += 1
    works.key_store.durable()
    return restored


def say_keyed(works: Works, opening_id: bytes) -> bool:
    """O6 again, where the keys are there and the row that says so was lost; tells whether it could be said.

    It can when the opening's key is gone (so O6 was done), k contributions are known, and every envelope that has a
    reason to be keyed has its key.
    """
    with works.open() as work:
        row = due.row_of(work, opening_id)
        found = listed(works, work, row)
    checked = due.check(works, opening_id)
    accepted = _accepted(works, opening_id)
    rotten = frozenset(row.rotten or ())
    unkeyed = []
    for entry in checked.entries:
        kept = found.get(entry.index)
        if kept is None or not has_file_key(works, kept):
            if not entry.is_left_out and entry.index not in rotten:
                return False
            unkeyed.append(Unkeyed(entry.index, LEFT_OUT if entry.is_left_out else ROTTEN))
    if len({one.person for one in accepted}) < checked.custodians.k:
        return False
    _commit_keyed(works, row, accepted, tuple(unkeyed))
    return True


def repeat(works: Works, opening_id: bytes) -> None:
    """Give an opening up whose keys are lost: a new attempt over the same closings restores them (protocol 4.8)."""
    with works.open() as work:
        row = work.session.get(OpeningRow, opening_id, with_for_update=True)
        if row is None or row.state is OpeningState.ABANDONED:
            return
        row.state = OpeningState.ABANDONED
        for box in due.boxes(work, row):
            box.state = BoxState.CLOSED
        place = journal.Place(due.platform_of(work, row), row.procedure_id)
        given_up = journal.event(EventKind.OPENING_ABANDONED, at=work.now, place=place, subject=row.id)
        journal.append(works, work, given_up, place=place)


def has_file_key(works: Works, kept: Kept) -> bool:
    """Whether the wrap of an envelope's file key lies in the key store."""
    try:
        works.key_store.get(key_name(WrapKind.FILE, kept.facts.object_id.bytes))
    except ObjectMissing:
        return False
    return True


def forget_key(works: Works, row: OpeningRow) -> None:
    """Delete the opening key's seed, again where a killed worker did not (protocol 4.8)."""
    works.key_store.delete(key_name(WrapKind.OPENING_SEED, seed_id(due.opening_of(row).opening_key).bytes))
    works.key_store.durable()  # else a power cut brings it back, and once minuted nobody looks for it


def freeze(works: Works, platform: str, opening_id: bytes) -> None:
    """The buyer waits no longer for shares of envelopes that are short; they stay unkeyed (protocol 4.7)."""
    with works.open() as work:
        row = due.row_of(work, opening_id, platform=platform, lock=True)
        if row.state not in contributing.TAKES:
            raise WrongState(row.state, "an opening that waits for shares")
        row.is_frozen = True


def _accepted(works: Works, opening_id: bytes) -> list[ContributionRow]:
    with works.open() as work:
        rows = contributing.of_opening(work, opening_id)
    return [one for one in rows if one.state is ContributionState.ACCEPTED]


def _release(works: Works, row: OpeningRow, accepted: Iterable[ContributionRow], *, checked: DueOpening) -> bytes:
    if row.release is not None:
        return row.release
    with works.open() as work:
        place = journal.Place(due.platform_of(work, row), row.procedure_id)
    notes = tuple(one.note for one in accepted)

    def header(entry: DueEntry) -> bytes:
        return due.header_of(works, row.procedure_id, entry.entry.envelope_id)

    try:
        release = works.gate.release(due.dossier(works, row.id), notes, header)
    except CryptoError as error:
        journal.refuse_by_gate(works, error, place=place)
        raise
    answers.require_shares(release, checked)
    with works.open() as work:
        stored = due.row_of(work, row.id, lock=True)
        if stored.state not in contributing.TAKES:
            raise WrongState(stored.state, "an opening that is offered")
        if stored.release is None:
            stored.release, stored.state = release.note, OpeningState.RELEASED
            released = journal.event(EventKind.GATE_RELEASED, at=work.now, place=place, subject=release.id)
            journal.append(works, work, released, place=place)
    return release.note


def _find_rotten(works: Works, checked: DueOpening, row: OpeningRow) -> frozenset[int]:
    if row.rotten is not None:
        return frozenset(row.rotten)
    rotten = []
    for entry in checked.entries:
        kept = None if entry.is_left_out else due.find(works, row.procedure_id, entry.entry.envelope_id)
        if not entry.is_left_out and (kept is None or not shelf.is_intact(works, kept.facts)):
            rotten.append(entry.index)
    with works.open() as work:
        stored = due.row_of(work, row.id, lock=True)
        if stored.rotten is None:  # what was found first stands, whoever found it
            stored.rotten = rotten
        return frozenset(stored.rotten)


def _open_shares(
    works: Works, checked: DueOpening, row: OpeningRow, *, accepted: list[ContributionRow], release: bytes
) -> Shares:
    opening_key = contributing.opening_key(works, checked, row.procedure_id)
    holders = [require_contribution(parse_note(one.note, Kind.CONTRIBUTION), checked) for one in accepted]
    holders.append(require_release(parse_note(release, Kind.RELEASE), checked))
    return Shares(tuple(accepted), {one.card.kid: open_contribution(one, opening_key) for one in holders})


def _recover_all(
    works: Works, checked: DueOpening, row: OpeningRow, *, shares: Shares, rotten: frozenset[int]
) -> tuple[tuple[Unkeyed, ...], bool]:
    """Keep the key of every envelope that has one; tells who has none, and whether some only wait for shares."""
    unkeyed, is_short = [], False
    for entry in checked.entries:
        reason = LEFT_OUT if entry.is_left_out else ROTTEN if entry.index in rotten else ""
        kept = due.find(works, row.procedure_id, entry.entry.envelope_id)
        if not reason and kept is not None:
            try:
                _keep_file_key(works, kept, shares.of(entry.index))
            except QuorumError as error:
                is_short = is_short or not row.is_frozen
                reason = error.code
            except (CryptoError, ObjectMissing) as error:
                reason = error.code
        if reason:
            unkeyed.append(Unkeyed(entry.index, reason))
    return tuple(unkeyed), is_short


def _keep_file_key(works: Works, kept: Kept, shares: dict[bytes, bytearray]) -> None:
    sealed = shelf.take(works, kept.facts, window=shelf.HEADER_WINDOW)
    file_key = recover_file_key(read_head(sealed.read), shares)
    parent = works.keys.object(kept.facts.procedure, kept.facts.object_id)
    works.keys.keep(WrapKind.FILE, kept.facts.object_id, bytes(file_key), parent=parent)
    zero(file_key)


def _commit_keyed(works: Works, row: OpeningRow, accepted: list[ContributionRow], unkeyed: tuple[Unkeyed, ...]) -> bool:
    """◆ O6; whether the opening is keyed now, by this worker or by another."""
    statement = Keyed(row.id, tuple(one.id for one in accepted), unkeyed).statement
    signed = statement.signed_by(works.service_keys.statement)
    without = {one.index: one.reason for one in unkeyed}
    with works.open() as work:
        stored = due.row_of(work, row.id, lock=True)
        if stored.state is not OpeningState.RELEASED:
            return stored.state in ARE_KEYED
        stored.keyed, stored.state = signed.note, OpeningState.KEYED
        for index, kept in listed(works, work, stored).items():
            _move(works, work, kept, reason=without.get(index))
        for box in due.boxes(work, stored):
            box.state = BoxState.KEYED
        place = journal.Place(due.platform_of(work, stored), stored.procedure_id)
        keyed = journal.event(EventKind.BOX_KEYED, at=work.now, place=place, subject=statement.id)
        journal.append(works, work, keyed, place=place)
    return True


def listed(works: Works, work: Work, row: OpeningRow) -> dict[int, Kept]:
    """All envelopes that an opening lists, by their place in the list; one whose row was lost is missing."""
    entries = [entry for closing in due.closing_rows(work, row) for entry in due.entries_of(closing)]
    found = (
        envelopes.find(works, work, UUID(bytes=entry.envelope_id), procedure=row.procedure_id) for entry in entries
    )
    return {index: kept for index, kept in enumerate(found) if kept is not None}


def _move(works: Works, work: Work, kept: Kept, *, reason: str | None) -> None:
    if reason == LEFT_OUT:
        return  # it stays listed, and sealed
    if kept.state in KEYED_BEFORE:
        return  # a further attempt restores its key, if it can; what was opened then, was opened
    after = EnvelopeState.KEYED if reason is None else EnvelopeState.UNKEYED
    if reason == ROTTEN:
        after = EnvelopeState.FAILED
    require_move(kept.state, after, by=Actor.VAULT)
    envelopes.write(works, kept.row, kept.facts, state=after)
    if after is EnvelopeState.FAILED:
        place = journal.Place(kept.row.platform, kept.facts.procedure, kept.facts.box)
        imprint = DepositRecord.decode(kept.facts.record).imprint
        failed = journal.event(
            EventKind.ENVELOPE_FAILED, at=work.now, place=place, subject=imprint, data=ROTTEN.encode()
        )
        journal.append(works, work, failed, place=place)
