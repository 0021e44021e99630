# SPDX-License-Identifier: EUPL-1.2
"""The checks of protocol 4.6 that look at one header or one contribution."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crypto import opening_rules
from crypto.contribution import contribute
from crypto.errors import (
    FormatError,
    HoldersError,
    KindError,
    ListError,
    OpeningError,
    PersonError,
    PolicyError,
    QuorumError,
    SignatureError,
)
from crypto.header import EnvelopeKind, Header, decode_header
from crypto.opening_rules import (
    CheckedContribution,
    DueOpening,
    require_canary,
    require_contribution,
    require_due,
    require_header,
    require_new_person,
    require_quorum,
    require_release,
)
from crypto.policy import Policy
from crypto.statement import Kind, Statement
from tests.crypto.procedure import DUE, Sealed, Told, holders

# Headers


def header_refusal(told: Told, listed: Sequence[Sealed], framed: bytes, *, box: int = 1) -> None:
    """Check one header against the first entry of a list."""
    due = told.due(told.closed(listed, closing=told.closing(listed, box=box)))
    require_header(due, due.entries[0], framed)


def test_a_listed_header_is_taken() -> None:
    told = Told()
    one = told.seal()
    due = told.due(told.closed([one]))

    assert require_header(due, due.entries[0], one.framed).envelope_id == one.entry.envelope_id


@pytest.mark.proves("T63")
def test_an_absent_or_rotten_header_is_refused() -> None:
    told = Told()
    one = told.seal()
    rotten = bytes([one.framed[0] ^ 1]) + one.framed[1:]

    with pytest.raises(ListError):
        header_refusal(told, [one], b"")
    with pytest.raises(FormatError):
        header_refusal(told, [one], rotten)


def test_another_envelopes_header_is_refused() -> None:
    told = Told()

    with pytest.raises(ListError):
        header_refusal(told, [told.seal()], told.seal().framed)


@pytest.mark.proves("T29")
def test_a_financial_envelope_in_the_technical_list_is_refused() -> None:
    told = Told()
    financial = told.seal(box=2)

    with pytest.raises(ListError):
        header_refusal(told, [financial], financial.framed, box=1)


@pytest.mark.proves("T30")
def test_a_canary_in_a_list_is_refused() -> None:
    told = Told()
    canary = told.seal(kind=EnvelopeKind.CANARY)

    with pytest.raises(KindError):
        header_refusal(told, [canary], canary.framed)


def foreign(told: Told, **changes: object) -> Sealed:
    """An envelope sealed under a policy that differs."""
    policy = replace(told.policy, **changes)  # type: ignore[arg-type]
    return Told(replace(told.holders, policy=policy)).seal()


def test_an_envelope_under_a_policy_outside_the_chain_is_refused() -> None:
    told = Told()
    one = foreign(told, title="Other works")

    with pytest.raises(PolicyError):
        header_refusal(told, [one], one.framed)


@pytest.mark.proves("T27")
def test_an_envelope_for_other_holders_is_refused() -> None:
    told = Told()
    group = told.policy.groups[0]
    one = foreign(told, groups=(replace(group, k=1), told.policy.groups[1]))
    disguised = _under(one, told.policy)

    with pytest.raises(HoldersError):
        header_refusal(told, [disguised], disguised.framed)


def _under(one: Sealed, policy: Policy) -> Sealed:
    """The envelope's header with another policy's hash written into it."""
    header = decode_header(one.framed)
    forged = Header(replace(header.core, policy_hash=policy.hash), header.groups)
    return Sealed(replace(one.entry, header_hash=forged.hash), forged.framed, one.whole)


@pytest.mark.proves("T60")
def test_a_rehearsal_opens_no_slot_of_a_bid() -> None:
    told = Told()

    with pytest.raises(KindError):
        require_canary(told.seal().framed, told.policy)


@pytest.mark.proves("T57")
def test_a_rehearsal_opens_only_a_canary_of_the_policy_shown() -> None:
    told = Told()
    canary = told.seal(kind=EnvelopeKind.CANARY)

    assert require_canary(canary.framed, told.policy).kind is EnvelopeKind.CANARY
    with pytest.raises(PolicyError):
        require_canary(canary.framed, replace(told.policy, title="Other works"))


# Contributions


def contributed(told: Told, due: DueOpening, listed: Sequence[Sealed], place: int) -> Statement:
    """A custodian's signed contribution."""
    holder = told.holder(told.holders.custodians[place])
    return contribute(due, [one.framed for one in listed], holder=holder).statement


def prepared() -> tuple[Told, list[Sealed], DueOpening]:
    """One envelope, due."""
    told = Told()
    listed = [told.seal()]
    return told, listed, told.due(told.closed(listed))


def checked(told: Told, due: DueOpening, listed: Sequence[Sealed], *places: int) -> list[CheckedContribution]:
    """Checked contributions of these custodians."""
    return [require_contribution(contributed(told, due, listed, place), due) for place in places]


@pytest.mark.proves("OPEN-02", "KEY-01")
def test_k_persons_make_a_quorum() -> None:
    told, listed, due = prepared()

    assert len(require_quorum(checked(told, due, listed, 0, 2), due)) == 2


@pytest.mark.proves("T4", "OPEN-02")
def test_fewer_than_k_persons_make_none() -> None:
    told, listed, due = prepared()

    with pytest.raises(QuorumError):
        require_quorum(checked(told, due, listed, 1), due)


@pytest.mark.proves("T19")
def test_one_person_counts_once() -> None:
    told, listed, due = prepared()
    twice = checked(told, due, listed, 0, 0)

    with pytest.raises(QuorumError):
        require_quorum(twice, due)
    with pytest.raises(PersonError):
        require_new_person(twice[1], twice[:1])
    require_new_person(checked(told, due, listed, 1)[0], twice[:1])


@pytest.mark.proves("T17")
def test_a_contribution_to_another_attempt_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)
    closed = told.closed(listed)
    again = require_due(told.dossier(closed, opening=told.opening(closed, attempt=2)), memory=told.memory, now=DUE)

    with pytest.raises(OpeningError):
        require_contribution(statement, again)


@pytest.mark.proves("T17")
def test_a_contribution_shown_as_a_release_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)

    with pytest.raises(KindError):
        require_release(statement, due)
    with pytest.raises(SignatureError):
        require_release(Statement(Kind.RELEASE, statement.payload, statement.signatures), due)
    with pytest.raises(KindError):
        require_contribution(Statement(Kind.RELEASE, statement.payload), due)


@pytest.mark.proves("T18")
def test_a_contribution_in_anothers_name_is_refused() -> None:
    told, listed, due = prepared()
    victim = contributed(told, due, listed, 0)
    thief = told.signer(told.holders.custodians[1])

    with pytest.raises(SignatureError):
        require_contribution(Statement(victim.kind, victim.payload).signed_by(thief), due)


@pytest.mark.proves("T54")
def test_a_strangers_contribution_is_refused_by_its_signature() -> None:
    _, listed, due = prepared()
    other = Told(holders(1, 2))
    other_due = other.due(other.closed(listed))
    statement = contributed(other, other_due, listed, 0)

    with pytest.raises(SignatureError):
        require_contribution(statement, due)


def test_a_contribution_for_another_number_of_envelopes_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)
    longer = replace(due, entries=(*due.entries, due.entries[0]), checked=opening_rules._CHECKED)

    with pytest.raises(OpeningError):
        require_contribution(statement, longer)


def test_a_gates_release_is_taken_from_a_gate() -> None:
    told, listed, due = prepared()
    gate = told.holder(told.holders.gates[0])

    release = contribute(due, [one.framed for one in listed], holder=gate).statement

    assert require_release(release, due).card == gate.card
