# SPDX-License-Identifier: EUPL-1.2
"""Contributions: each custodian's shares are taken, then tried against their commits (O3).

Rules
  1. Signature and sender are checked before the opening is, and that before anything in a contribution is opened
     (T54). A refusal is journaled.
  2. A person counts once, with whatever key or login; an equal repeat gets the same answer.
  3. A wrong share refuses that contribution alone and names its custodian; a slot declared bad counts as absent.

Left to others: what is done with k accepted ones (keying).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import select

from crypto.contribution import open_contribution
from crypto.errors import CryptoError, PersonError
from crypto.events import EventKind
from crypto.header import decode_header
from crypto.hpke import KemKey
from crypto.opening_rules import CheckedContribution, DueOpening, require_contribution, require_new_person
from crypto.policy import Policy, Role
from crypto.sealing import check_share
from crypto.statement import Kind, Statement, parse_note, require_signers
from crypto.wraps import WrapKind
from vault import envelopes, journal, refusals
from vault.errors import WrongState
from vault.jobs import queue
from vault.lifecycle import ContributionState
from vault.models import ContributionRow, OpeningState
from vault.opening import due
from vault.opening.offer import seed_id
from vault.work import Work, Works

TAKES = (OpeningState.OFFERED, OpeningState.RELEASED)


@dataclass(frozen=True)
class Contributed:
    """What became of a contribution, and how many of how many are there."""

    id: bytes
    state: ContributionState
    reason: str
    accepted: int
    needed: int


def contribute(works: Works, platform: str, opening_id: bytes, *, note: bytes, person: bytes) -> Contributed:
    """Take one custodian's contribution: step O3.

    Args:
        note: the signed contribution.
        person: who sends it, by their login.

    Raises:
        NotFound: no such opening.
        WrongState: it takes no contributions now.
        SignatureError, OpeningError, KindError, FormatError: not a contribution of a custodian to this opening.
        PersonError: another person's, or this person contributed already.
    """
    with works.open() as work:
        procedure = due.row_of(work, opening_id, platform=platform).procedure_id
        policy = envelopes.chain(work, procedure)[-1]
    place = journal.Place(platform, procedure)
    try:
        statement = parse_note(note, Kind.CONTRIBUTION)
        _require_own(statement, policy, person)
        checked = due.check(works, opening_id)
        return _take(works, checked, require_contribution(statement, checked), note=note, place=place)
    except CryptoError as error:
        who = f"{platform}/{person.hex()}"
        refusals.tell(works, refusals.Refusal(who, error.code, place, subject=opening_id))
        raise refusals.told(error) from None


def _require_own(statement: Statement, policy: Policy, person: bytes) -> None:
    """Refuse what no custodian of the policy signed, or another than its sender, before anything else is done (T54)."""
    cards = policy.cards(Role.CUSTODIAN)
    signed = require_signers(statement, [card.verifier for card in cards], 1)
    if not any(card.person == person and card.verifier.name in signed for card in cards):
        raise PersonError("the contribution is another person's")


def _take(
    works: Works, checked: DueOpening, contribution: CheckedContribution, *, note: bytes, place: journal.Place
) -> Contributed:
    # O3. ◆ The contribution as signed, with its entry; the same again is the same.
    with works.open() as work:
        state = due.row_of(work, checked.id, lock=True).state  # it may have been abandoned meanwhile
        known = work.session.get(ContributionRow, contribution.id)
        if known is None:
            if state not in TAKES:
                raise WrongState(state, "an opening that is offered")
            _require_new(work, contribution, checked)
            known = _store(work, contribution, opening_id=checked.id, note=note)
            taken = journal.event(EventKind.CONTRIBUTION_ACCEPTED, at=work.now, place=place, subject=contribution.id)
            journal.append(works, work, taken, place=place)
            queue(work, "advance_opening", checked.id.hex())
        return _answer(work, known, checked)


def _require_new(work: Work, contribution: CheckedContribution, checked: DueOpening) -> None:
    """Refuse a person who contributed already; one whose contribution was refused may try again."""
    earlier = [one for one in of_opening(work, checked.id) if one.state is not ContributionState.REFUSED]
    given = [require_contribution(parse_note(one.note, Kind.CONTRIBUTION), checked) for one in earlier]
    require_new_person(contribution, given)


def _store(work: Work, contribution: CheckedContribution, *, opening_id: bytes, note: bytes) -> ContributionRow:
    row = ContributionRow(
        id=contribution.id,
        opening_id=opening_id,
        kid=contribution.card.kid,
        person=contribution.card.person,
        note=note,
        state=ContributionState.STORED,
        at=work.now,
    )
    work.session.add(row)
    return row


def try_stored(works: Works, checked: DueOpening) -> None:
    """Try the shares of each contribution that was stored and not judged yet."""
    with works.open() as work:
        row = due.row_of(work, checked.id)
        procedure, platform = row.procedure_id, due.platform_of(work, row)
        stored = [one for one in of_opening(work, checked.id) if one.state is ContributionState.STORED]
    place = journal.Place(platform, procedure)
    for one in stored:
        reason = _try(works, checked, one, opening_key(works, checked, procedure))
        with works.open() as work:
            judged = work.session.get(ContributionRow, one.id, with_for_update=True)
            if judged is None or judged.state is not ContributionState.STORED:
                continue
            judged.state = ContributionState.REFUSED if reason else ContributionState.ACCEPTED
            judged.reason = reason
            if reason:
                refused = journal.event(
                    EventKind.CONTRIBUTION_REFUSED, at=work.now, place=place, subject=one.id, data=reason.encode()
                )
                journal.append(works, work, refused, place=place)


def of_opening(work: Work, opening_id: bytes) -> list[ContributionRow]:
    """All contributions of an opening, oldest first."""
    rows = select(ContributionRow).where(ContributionRow.opening_id == opening_id)
    return sorted(work.session.exec(rows), key=lambda one: (one.at, one.id))


def opening_key(works: Works, checked: DueOpening, procedure: UUID) -> KemKey:
    """The opening's private key, from its wrapped seed."""
    parent = works.keys.procedure(procedure)
    return KemKey(works.keys.get(WrapKind.OPENING_SEED, seed_id(checked.opening.opening_key), parent=parent))


def _try(works: Works, checked: DueOpening, row: ContributionRow, key: KemKey) -> str:
    """The refusal word of a contribution, or nothing."""
    with works.open() as work:
        procedure = due.row_of(work, checked.id).procedure_id
    try:
        contribution = require_contribution(parse_note(row.note, Kind.CONTRIBUTION), checked)
        for entry, share in zip(checked.entries, open_contribution(contribution, key), strict=True):
            framed = due.header_of(works, procedure, entry.entry.envelope_id)
            if share is not None and framed and not entry.is_left_out:
                check_share(decode_header(framed), row.kid, share)
    except CryptoError as error:
        return error.code
    return ""


def _answer(work: Work, row: ContributionRow, checked: DueOpening) -> Contributed:
    accepted = [one for one in of_opening(work, checked.id) if one.state is not ContributionState.REFUSED]
    return Contributed(row.id, row.state, row.reason, len({one.person for one in accepted}), checked.custodians.k)
