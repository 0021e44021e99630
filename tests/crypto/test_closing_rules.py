# SPDX-License-Identifier: EUPL-1.2
"""Chains of policies and closings, as custodian's tool and gate check them (protocol 4.6)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.ceremony import Decision, EnvelopeList
from crypto.closing_rules import (
    ClosedBox,
    Memory,
    PolicyChain,
    require_chain,
    require_closing,
    require_decision,
    require_listed,
    require_main,
)
from crypto.deposit import DepositRecord
from crypto.encoding import sha256
from crypto.errors import KindError, ListError, PolicyError, SignatureError
from crypto.opening_rules import DueOpening, require_due
from crypto.policy import Mode, Policy
from crypto.statement import Statement
from tests.crypto.holders import DEADLINE
from tests.crypto.procedure import Sealed, Told

HOUR = timedelta(hours=1)


def amended(policy: Policy, *, by: timedelta = HOUR, **changes: object) -> Policy:
    """The next epoch: all deadlines later."""
    boxes = tuple(replace(box, deadline=box.deadline + by, not_before=box.not_before + by) for box in policy.boxes)
    following = replace(policy, epoch=policy.epoch + 1, previous=policy.hash, boxes=boxes)
    return replace(following, **changes)  # type: ignore[arg-type]


# Policies


def test_the_first_policy_is_a_chain() -> None:
    told = Told()

    assert require_chain([told.signed()], told.policy.hash).latest == told.policy


def test_an_amendment_signed_by_enough_extends_the_chain() -> None:
    told = Told()
    following = amended(told.policy)
    signers = [*told.holders.custodians[:2], *told.holders.gates]

    chain = require_chain([told.signed(), told.signed(following, signers)], told.policy.hash)

    assert chain.latest == following


@pytest.mark.proves("T12", "T13", "CONF-06")
def test_a_policy_with_an_earlier_deadline_is_not_the_pinned_one() -> None:
    told = Told()
    earlier = replace(amended(told.policy, by=-HOUR), epoch=0, previous=None)

    with pytest.raises(PolicyError):
        require_chain([told.signed(earlier)], told.policy.hash)


@pytest.mark.proves("T13", "CONF-06", "TIME-07")
def test_an_amendment_that_moves_the_deadline_earlier_is_refused_whoever_signed() -> None:
    told = Told()

    with pytest.raises(PolicyError):
        require_chain([told.signed(), told.signed(amended(told.policy, by=-HOUR))], told.policy.hash)


@pytest.mark.proves("T14", "T58")
def test_an_older_epoch_than_the_pinned_one_is_refused() -> None:
    told = Told()
    following = amended(told.policy)

    with pytest.raises(PolicyError):
        require_chain([told.signed()], following.hash)


@pytest.mark.proves("T58")
def test_a_tool_that_did_not_sign_the_amendment_pins_the_new_epoch() -> None:
    told = Told()
    following = amended(told.policy)
    signers = [*told.holders.custodians[:2], *told.holders.gates]
    told.now += HOUR
    closing = told.closing([], policy=following)
    closed = told.closed([], closing=closing)
    dossier = replace(told.dossier(closed), policies=(told.signed(), told.signed(following, signers)))

    due = require_due(dossier, memory=told.memory, now=told.now)

    assert due.memory.pinned == following.hash
    with pytest.raises(PolicyError):
        require_due(told.dossier(told.closed([])), memory=due.memory, now=told.now)


@pytest.mark.parametrize("signers", [range(1), range(0)])
def test_an_amendment_signed_by_too_few_custodians_is_refused(signers: Sequence[int]) -> None:
    told = Told()
    keys = [*(told.holders.custodians[place] for place in signers), *told.holders.gates]

    with pytest.raises(SignatureError):
        require_chain([told.signed(), told.signed(amended(told.policy), keys)], told.policy.hash)


@pytest.mark.proves("T53")
def test_the_first_policy_without_one_holders_signature_is_refused() -> None:
    told = Told()

    for missing in told.keys:
        keys = [key for key in told.keys if key is not missing]
        with pytest.raises(SignatureError):
            require_chain([told.signed(keys=keys)], told.policy.hash)


def test_a_chain_begins_at_epoch_0_and_has_no_gap() -> None:
    told = Told()
    first, second = amended(told.policy), amended(amended(told.policy))

    for policies in ([first], [told.policy, second], [told.policy, told.policy], []):
        with pytest.raises(PolicyError):
            require_chain([told.signed(one) for one in policies], policies[-1].hash if policies else b"")


def test_a_chain_longer_than_any_is_refused_unread() -> None:
    told = Told()

    with pytest.raises(PolicyError):
        require_chain([told.signed()] * 257, told.policy.hash)


# Main closings


def chain(told: Told) -> PolicyChain:
    """Epoch 0 alone."""
    return require_chain([told.signed()], told.policy.hash)


def test_a_closing_in_order_is_taken() -> None:
    told = Told()
    closed = told.closed([told.seal()])

    assert require_closing(closed, chain(told)).id == closed.statement.id


@pytest.mark.proves("T37")
@pytest.mark.parametrize("change", ["added", "dropped", "changed", "swapped"])
def test_a_list_changed_after_the_closing_is_refused(change: str) -> None:
    told = Told()
    one, two = told.seal(), told.seal()
    closed = told.closed([one, two])
    changed = replace(one.entry, file_hash=sha256(b"other"))
    lists = {
        "added": (one.entry, two.entry, told.seal().entry),
        "dropped": (one.entry,),
        "changed": (changed, two.entry),
        "swapped": (two.entry, one.entry),
    }

    with pytest.raises(ListError):
        require_closing(replace(closed, envelopes=EnvelopeList(lists[change])), chain(told))


def test_a_closing_that_counts_wrongly_is_refused() -> None:
    told = Told()
    listed = [told.seal()]
    closing = replace(told.closing(listed), count=2)

    with pytest.raises(ListError):
        require_closing(told.closed(listed, closing=closing), chain(told))


def test_a_closing_that_the_vault_has_not_signed_is_refused() -> None:
    told = Told()
    closed = told.closed([])
    by_custodian = told.closing([]).statement.signed_by(told.signer(told.holders.custodians[0]))

    with pytest.raises(SignatureError):
        require_closing(replace(closed, statement=by_custodian), chain(told))


@pytest.mark.parametrize(
    "changes",
    [{"policy_hash": bytes(32)}, {"deadline": DEADLINE - HOUR}, {"box": 3}],
    ids=["policy", "deadline", "box"],
)
def test_a_closing_under_other_rules_is_refused(changes: dict[str, object]) -> None:
    told = Told()
    closing = replace(told.closing([]), **changes)  # type: ignore[arg-type]

    with pytest.raises(PolicyError):
        require_closing(told.closed([], closing=closing), chain(told))


@pytest.mark.proves("T14")
def test_a_closing_under_an_amended_policy_is_refused() -> None:
    told = Told()
    both = require_chain([told.signed(), told.signed(amended(told.policy))], told.policy.hash)

    with pytest.raises(PolicyError):
        require_closing(told.closed([]), both)


def test_a_closing_stays_valid_when_an_amendment_leaves_its_box_alone() -> None:
    told = Told()
    one, two = told.policy.boxes
    later = replace(two, deadline=two.deadline + HOUR, not_before=two.not_before + HOUR)
    following = replace(told.policy, epoch=1, previous=told.policy.hash, boxes=(one, later))
    both = require_chain([told.signed(), told.signed(following)], told.policy.hash)

    assert require_closing(told.closed([]), both).policy == told.policy


@pytest.mark.proves("T38", "T59")
def test_a_box_has_one_main_closing_ever() -> None:
    told = Told()
    first, second = told.closed([told.seal()]), told.closed([])
    remembering = told.due(first).memory

    with pytest.raises(ListError):
        told.due(second, memory=remembering)
    with pytest.raises(ListError):
        told.due(first, second)


def test_a_supplementary_closing_is_no_main_one() -> None:
    told = Told()
    supplementary = require_closing(told.supplementary(told.seal()), chain(told))

    with pytest.raises(ListError):
        require_main(supplementary, told.memory)


# Supplementary closings


def admitted(told: Told, closed: ClosedBox, *, main: ClosedBox | None = None) -> DueOpening:
    """Open a supplementary closing, the main one known."""
    known = main or told.closed([])
    memory = Memory(told.policy.hash, {1: known.statement.id})
    return told.due(closed, memory=memory)


@pytest.mark.proves("LATE-02")
def test_a_decision_of_k_custodians_admits_one_envelope() -> None:
    told = Told()
    one = told.seal()
    closed = told.supplementary(one)

    due = admitted(told, closed)

    assert [entry.entry for entry in due.entries] == [one.entry]
    assert list(due.memory.decided.values()) == [closed.statement.id]


@pytest.mark.proves("LATE-02")
def test_one_custodian_of_two_admits_nothing() -> None:
    told = Told()

    with pytest.raises(SignatureError):
        admitted(told, told.supplementary(told.seal(), keys=told.holders.custodians[:1]))


@pytest.mark.proves("T59")
def test_a_supplementary_closing_without_or_with_another_decision_is_refused() -> None:
    told = Told()
    closed = told.supplementary(told.seal())

    for decision in (None, told.decision(told.seal().entry)):
        with pytest.raises(ListError):
            admitted(told, replace(closed, decision=decision))


@pytest.mark.proves("T59")
def test_a_decision_over_another_envelope_or_box_is_refused() -> None:
    told = Told()
    one, other = told.seal(), told.seal()
    for decision in (told.decision(other.entry), told.decision(one.entry, box=2)):
        closed = told.closed([one], closing=told.closing([one], decision=decision))
        with pytest.raises(ListError):
            admitted(told, replace(closed, decision=decision))


@pytest.mark.proves("T59")
def test_a_decision_has_one_closing_ever() -> None:
    told = Told()
    one = told.seal()
    closed = told.supplementary(one)
    remembering = admitted(told, closed).memory
    again = replace(told.closing([one], decision=closed.decision), at=told.now)
    second = replace(told.closed([one], closing=again), decision=closed.decision)

    with pytest.raises(ListError):
        told.due(second, memory=remembering)


@pytest.mark.proves("LATE-01", "T59")
def test_a_supplementary_closing_comes_after_the_main_one() -> None:
    told = Told()
    closed = told.supplementary(told.seal())

    with pytest.raises(ListError):
        told.due(closed)


def test_main_and_supplementary_closing_open_together() -> None:
    told = Told()
    main, one = told.closed([told.seal()]), told.seal()

    assert len(told.due(told.supplementary(one), main).entries) == 2


def test_a_supplementary_closing_older_than_the_main_one_is_refused() -> None:
    told = Told()
    late = replace(told.closing([]), at=told.now)

    with pytest.raises(ListError):
        told.due(told.closed([], closing=late), told.supplementary(told.seal()))


def test_a_decision_is_taken_under_a_known_policy_by_its_box() -> None:
    told = Told()
    entry = told.seal().entry
    elsewhere = Decision(bytes(32), 1, entry, "why").statement

    assert require_decision(told.decision(entry), chain(told)).entry == entry
    with pytest.raises(PolicyError):
        require_decision(elsewhere, chain(told))
    with pytest.raises(KindError):
        require_decision(Statement(told.closing([]).statement.kind, elsewhere.payload), chain(told))


# What a receipt proves


def record(told: Told, one: Sealed) -> DepositRecord:
    """What the receipt of this envelope says."""
    entry = one.entry
    return DepositRecord(
        policy_hash=told.policy.hash,
        box=1,
        envelope_id=entry.envelope_id,
        mode=Mode.SERVER,
        header_hash=entry.header_hash,
        file_hash=entry.file_hash,
        length=entry.length,
        bidder="siret:21350238800019",
        first_byte_at=DEADLINE - HOUR,
        last_byte_at=DEADLINE - HOUR,
        documents_tag=bytes(32),
    )


@pytest.mark.proves("T37")
def test_a_receipt_shows_offline_that_its_envelope_was_dropped_or_changed() -> None:
    told = Told()
    kept, dropped = told.seal(), told.seal()
    changed = replace(kept.entry, length=kept.entry.length + 1)

    assert require_listed(record(told, kept), told.envelopes([told.seal(), kept])) == 1
    with pytest.raises(ListError):
        require_listed(record(told, dropped), told.envelopes([kept]))
    with pytest.raises(ListError):
        require_listed(record(told, kept), EnvelopeList((changed,)))


@pytest.mark.parametrize(
    ("count", "word"), [(0, "no policy"), (256, "does not follow"), (257, "more than there can be")]
)
def test_a_chain_has_a_bounded_number_of_policies(count: int, word: str) -> None:
    told = Told()

    with pytest.raises(PolicyError, match=word):
        require_chain([told.signed()] * count, told.policy.hash)
