# SPDX-License-Identifier: EUPL-1.2
"""The checks before a slot is touched, from the pinned policy alone (protocol 4.6).

The custodian's tool and every gate call the same functions, each with its own clock and its own memory.

Rules
  1. Policies and closings pass crypto.closing_rules; all closings of an opening have the same holders.
  2. An opening is signed by the vault and enough gates, over exactly these closings.
  3. Boxes to open first are opened: by minutes over their main closing, or by a closing that lists nothing.
  4. A quorum of authorities proves that not_before has passed, and the holder's own clock agrees; no flag skips it.
  5. A header that fails is named; the others go on.
  6. A gate needs k valid contributions of distinct persons besides.

Left to others: parsing the stream (crypto.bundle), opening slots (crypto.contribution), keeping memories
(vault.gate, the custodian's tool).
"""

from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import datetime

from crypto.ceremony import Closing, Contribution, ListEntry, Minutes, Opening
from crypto.closing_rules import (
    CheckedClosing,
    ClosedBox,
    Memory,
    PolicyChain,
    require_chain,
    require_closing,
    require_closing_signed,
    require_main,
    require_supplementary,
)
from crypto.closings import MAX_LIST
from crypto.errors import (
    ClockError,
    KindError,
    ListError,
    OpeningError,
    PersonError,
    PolicyError,
    QuorumError,
    SignatureError,
    StateError,
)
from crypto.header import EnvelopeKind, Header, decode_header, require_holders
from crypto.policy import Box, Card, Group, Policy
from crypto.statement import Kind, Statement, require_signers
from crypto.timestamp import TimeProof, VerifiedTimestamp, prove_passed

_CHECKED = object()  # held by this module alone: who has it has made the checks


@dataclass(frozen=True)
class EarlierBox:
    """A box that opens first: its main closing and, unless that lists nothing, its opening and minutes."""

    closing: Statement
    opening: Statement | None = None
    minutes: Statement | None = None


@dataclass(frozen=True)
class Dossier:
    """All that is said about an opening before its headers: parsed, tokens verified, nothing else checked."""

    policies: tuple[Statement, ...]
    closed: tuple[ClosedBox, ...]
    opening: Statement
    earlier: tuple[EarlierBox, ...] = ()


@dataclass(frozen=True, slots=True)
class DueEntry:
    """One listed envelope of a due opening."""

    index: int
    box: int
    entry: ListEntry
    is_left_out: bool


@dataclass(frozen=True)
class DueOpening:
    """An opening that passed every check; there is no other way to make one than `require_due`.

    Attributes:
        chain: the policies, the latest to be pinned.
        custodians: the group whose quorum opens.
        gates: the gates' group.
        entries: all listed envelopes, left-out ones too, in list order.
        proofs: for each closing, the proof that its box may open.
        memory: the holder's memory after these closings; to be kept before a slot is touched.
    """

    opening: Opening
    id: bytes
    chain: PolicyChain
    custodians: Group
    gates: Group
    entries: tuple[DueEntry, ...] = field(repr=False)
    proofs: tuple[TimeProof, ...] = field(repr=False)
    memory: Memory = field(repr=False)
    checked: InitVar[object] = None

    def __post_init__(self, checked: object) -> None:
        """Refuse to exist without the checks."""
        if checked is not _CHECKED:
            raise TypeError("a due opening comes from require_due only")


@dataclass(frozen=True)
class CheckedContribution:
    """A contribution whose signature, holder and opening fit; made by `require_contribution`."""

    id: bytes
    card: Card
    contribution: Contribution


def require_due(dossier: Dossier, *, memory: Memory, now: datetime, is_signed_by_gates: bool = True) -> DueOpening:
    """Make every check of protocol 4.6 that comes before the headers.

    Args:
        dossier: what the vault shows.
        memory: what this holder pinned and accepted before.
        now: this holder's own clock, UTC.
        is_signed_by_gates: False only for a gate that is about to sign.

    Raises:
        PolicyError: not the pinned policy, an older epoch, another policy for a box, other holders.
        SignatureError: a signature is missing or wrong (a swapped opening key among them).
        ListError: a list, a closing or a decision is not the only right one.
        OpeningError: the opening is over other closings.
        StateError: a box that opens first is not opened.
        TimeProofError: too few authorities prove that not_before has passed.
        ClockError: the own clock says that it has not.
    """
    chain = require_chain(dossier.policies, memory.pinned)
    closings = tuple(require_closing(closed, chain) for closed in dossier.closed)
    memory = _accept_closings(dossier, closings, chain=chain, memory=memory)
    opening = _require_opening(dossier.opening, closings, chain=chain, is_signed_by_gates=is_signed_by_gates)
    _require_opened_first(dossier.earlier, closings, chain)
    proofs = tuple(
        require_time_proof(closing, closed.tokens) for closing, closed in zip(closings, dossier.closed, strict=True)
    )
    for closing in closings:
        require_own_clock(closing.box, now)
    policy = chain.by_hash(opening.policy_hash)
    box = closings[0].box
    return DueOpening(
        opening=opening,
        id=dossier.opening.id,
        chain=chain,
        custodians=policy.groups[box.custodians],
        gates=policy.groups[box.gates],
        entries=_entries(opening, closings),
        proofs=proofs,
        memory=replace(memory, pinned=chain.latest.hash),
        checked=_CHECKED,
    )


def require_time_proof(closing: CheckedClosing, tokens: Sequence[VerifiedTimestamp]) -> TimeProof:
    """Prove that a closed box's not_before has passed, by tokens over its closing (rule 4); TimeProofError."""
    return _prove(closing.box.not_before, tokens, over=closing.id, policy=closing.policy)


def require_close_proof(policy: Policy, box: Box, tokens: Sequence[VerifiedTimestamp]) -> TimeProof:
    """Prove that deadline and settle of a box have passed (step C1); TimeProofError."""
    return _prove(box.deadline + policy.settle, tokens, over=policy.close_request(box), policy=policy)


def require_own_clock(box: Box, now: datetime) -> None:
    """ClockError unless the holder's own clock says that the box may open."""
    if now < box.not_before:
        raise ClockError(f"your clock says that box {box.number} may not open yet")


def require_header(due: DueOpening, due_entry: DueEntry, framed: bytes) -> Header:
    """Check the header of one listed envelope.

    Args:
        due: the opening.
        due_entry: the envelope's place.
        framed: prefix and header; empty where the vault has none.

    Raises:
        ListError: absent, or not the one that was closed.
        FormatError: it has not the form of a header.
        PolicyError: sealed under a policy outside the chain.
        KindError: not a bid.
        HoldersError: its holders are not the policy's.
    """
    if not framed:
        raise ListError("the header is absent")
    header = decode_header(framed)
    listed = (due_entry.entry.header_hash, due_entry.entry.envelope_id, due_entry.box)
    if (header.hash, header.envelope_id, header.box) != listed:
        raise ListError("the header is not the one that was closed")
    if header.kind is not EnvelopeKind.BID:
        raise KindError("not a bid")
    require_holders(header, due.chain.by_hash(header.policy_hash))
    return header


def require_canary(framed: bytes, policy: Policy) -> Header:
    """Check that a header is a canary under exactly this policy, before its slot is opened (rehearsal, drill).

    Raises:
        KindError: a bid presented as a canary.
        PolicyError, HoldersError: of another policy, or for other holders.
    """
    header = decode_header(framed)
    if header.kind is not EnvelopeKind.CANARY:
        raise KindError("not a canary: no slot of a bid is opened in a rehearsal")
    require_holders(header, policy)
    return header


def require_contribution(statement: Statement, due: DueOpening) -> CheckedContribution:
    """Check one custodian's contribution, before anything in it is opened (T54).

    Raises:
        KindError: not a contribution.
        SignatureError: not a custodian of this opening, or not signed by the holder it names.
        OpeningError: made for another opening or attempt, or for another number of envelopes.
    """
    if statement.kind is not Kind.CONTRIBUTION:
        raise KindError("not a contribution")
    return _require_shares(statement, due, due.custodians)


def require_release(statement: Statement, due: DueOpening) -> CheckedContribution:
    """Check a gate's release as `require_contribution` does a custodian's."""
    if statement.kind is not Kind.RELEASE:
        raise KindError("not a release")
    return _require_shares(statement, due, due.gates)


def require_new_person(contribution: CheckedContribution, earlier: Iterable[CheckedContribution]) -> None:
    """PersonError when this person has contributed already, with whatever login (T19)."""
    if any(other.card.person == contribution.card.person for other in earlier):
        raise PersonError("this person has contributed already")


def require_quorum(contributions: Iterable[CheckedContribution], due: DueOpening) -> frozenset[bytes]:
    """Count the distinct persons behind valid contributions (rule 6).

    Raises:
        QuorumError: fewer than the custodians' k.
    """
    persons = frozenset(one.card.person for one in contributions)
    if len(persons) < due.custodians.k:
        raise QuorumError(len(persons), due.custodians.k)
    return persons


def _prove(moment: datetime, tokens: Sequence[VerifiedTimestamp], *, over: bytes, policy: Policy) -> TimeProof:
    known = [token for token in tokens if token.anchor_hash in policy.time.anchors]
    return prove_passed(moment, known, over=over, quorum=policy.time.q)


def _accept_closings(
    dossier: Dossier, closings: Sequence[CheckedClosing], *, chain: PolicyChain, memory: Memory
) -> Memory:
    """Main closings first, those of boxes to open first among them: supplementary ones come after theirs."""
    mains: dict[int, Closing] = {}
    for earlier in dossier.earlier:
        closing, _, _ = require_closing_signed(earlier.closing, chain)
        if closing.decision is not None:
            raise ListError("a supplementary closing is no main closing")
        memory = memory.with_closing(closing, earlier.closing.id)
        mains[closing.box] = closing
    for closed in closings:
        if closed.closing.decision is None:
            memory = require_main(closed, memory)
            mains[closed.box.number] = closed.closing
    for closed, shown in zip(closings, dossier.closed, strict=True):
        if closed.closing.decision is not None:
            memory = require_supplementary(
                closed, shown.decision, chain=chain, memory=memory, main=mains.get(closed.box.number)
            )
    return memory


def _require_opening(
    statement: Statement, closings: Sequence[CheckedClosing], *, chain: PolicyChain, is_signed_by_gates: bool
) -> Opening:
    opening = Opening.of(statement)
    policy = chain.by_hash(opening.policy_hash)
    if opening.closings != tuple(closed.id for closed in closings):
        raise OpeningError("the opening is over other closings")
    if len({closed.box.groups for closed in closings}) != 1:
        raise PolicyError("the boxes of one opening have the same holders")
    require_signers(statement, [policy.vault_verifier], 1)
    if is_signed_by_gates:
        _require_gates(statement, policy.groups[closings[0].box.gates])
    return opening


def _require_gates(statement: Statement, gates: Group) -> None:
    require_signers(statement, [card.verifier for card in gates.cards], gates.k)


def _require_opened_first(
    earlier: Sequence[EarlierBox], closings: Sequence[CheckedClosing], chain: PolicyChain
) -> None:
    opened = {_opened_box(one, chain) for one in earlier}
    for closed in closings:
        missing = [number for number in closed.box.after if number not in opened]
        if missing:
            raise StateError(f"box {closed.box.number} opens after boxes {missing}")


def _opened_box(earlier: EarlierBox, chain: PolicyChain) -> int:
    """The number of a box that is proved to be opened (rule 3)."""
    closing, policy, box = require_closing_signed(earlier.closing, chain)
    if closing.count == 0:
        return box.number
    if earlier.opening is None or earlier.minutes is None:
        raise StateError(f"box {box.number} is not opened yet")
    opening = Opening.of(earlier.opening)
    policy = chain.by_hash(opening.policy_hash)
    require_signers(earlier.opening, [policy.vault_verifier], 1)
    _require_gates(earlier.opening, policy.groups[box.gates])
    require_signers(earlier.minutes, [policy.vault_verifier], 1)
    if earlier.closing.id not in opening.closings or Minutes.of(earlier.minutes).opening_id != earlier.opening.id:
        raise StateError(f"these minutes are not of box {box.number}")
    return box.number


def _entries(opening: Opening, closings: Sequence[CheckedClosing]) -> tuple[DueEntry, ...]:
    listed = [(closed.box.number, entry) for closed in closings for entry in closed.envelopes.entries]
    if len(listed) > MAX_LIST:
        raise ListError(f"an opening lists at most {MAX_LIST} envelopes")
    left_out = set(opening.left_out)
    if left_out and max(left_out) >= len(listed):
        raise ListError("an envelope that is not listed cannot be left out")
    return tuple(DueEntry(index, box, entry, index in left_out) for index, (box, entry) in enumerate(listed))


def _require_shares(statement: Statement, due: DueOpening, group: Group) -> CheckedContribution:
    contribution = Contribution.of(statement)
    card = group.card_of(contribution.kid)
    if card is None:
        raise SignatureError("not a holder of this opening")
    require_signers(statement, [card.verifier], 1)
    if contribution.opening_id != due.id:
        raise OpeningError("made for another opening")
    if contribution.count != len(due.entries):
        raise OpeningError("made for another number of envelopes")
    return CheckedContribution(statement.id, card, contribution)
