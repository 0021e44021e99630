# SPDX-License-Identifier: EUPL-1.2
"""What was judged for one second serves for that very question, and for nothing that differs from it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crypto import token_trust
from crypto.certificates import NO_EVIDENCE, Anchor, RevocationEvidence
from crypto.errors import TimestampError, UnprovenTimestampError
from crypto.timestamp import VerifiedTimestamp, judge_token
from tests.world import pki
from tests.world.authority import POLICY, SimulatedAuthority

IMPRINT = hashlib.sha256(b"a record").digest()
NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
MARCH_2022 = datetime(2022, 3, 1, tzinfo=UTC)


def authority(*, at: datetime = NOON, label: str = "tsa-a") -> SimulatedAuthority:
    return SimulatedAuthority("a", lambda: at, label=label)


def judge(
    token: bytes,
    evidence: RevocationEvidence,
    *,
    anchors: Sequence[Anchor] | None = None,
    policies: Sequence[str] = (),
    imprint: bytes = IMPRINT,
) -> VerifiedTimestamp:
    anchors = pki.time_anchors() if anchors is None else anchors
    return judge_token(token, imprint, anchors=anchors, evidence=evidence, policies=policies)


@pytest.fixture
def warm() -> RevocationEvidence:
    """The evidence with which noon of authority A was judged, and is remembered."""
    evidence = authority().evidence()
    judge(authority().token(IMPRINT), evidence)
    return evidence


def known() -> tuple[object, ...]:
    return tuple(token_trust._ANSWERS._known)


@pytest.mark.proves("TIME-03")
def test_no_flipped_bit_of_a_token_passes_in_a_second_that_was_judged(warm: RevocationEvidence) -> None:
    token = authority().token(IMPRINT)
    good = judge(token, warm)
    for place in range(0, len(token), 7):
        broken = token[:place] + bytes([token[place] ^ 1 << place % 8]) + token[place + 1 :]
        try:
            passed = judge(broken, warm)
        except TimestampError:
            continue
        # As where nothing is remembered: bytes that no signature covers and that say nothing may differ.
        assert (passed.at, passed.imprint, passed.anchor_hash, passed.tsa_key_hash) == (
            good.at,
            good.imprint,
            good.anchor_hash,
            good.tsa_key_hash,
        )


@pytest.mark.proves("TIME-03")
def test_a_signature_of_another_token_is_refused_in_a_second_that_was_judged(warm: RevocationEvidence) -> None:
    other = authority().token(hashlib.sha256(b"another record").digest())
    mine = authority().token(IMPRINT)
    forged = mine.replace(hashlib.sha256(b"a record").digest(), hashlib.sha256(b"another record").digest())

    assert forged != other
    with pytest.raises(TimestampError, match="signature"):
        judge(forged, warm, imprint=hashlib.sha256(b"another record").digest())


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("label", ["tsa-revoked", "tsa-expired", "tsa-no-eku"])
def test_another_certificate_in_a_second_that_was_judged_is_judged_by_itself(
    label: str, warm: RevocationEvidence
) -> None:
    token = authority(label=label).token(IMPRINT)
    for evidence in (warm, authority(label=label).evidence(), warm.joined(authority(label=label).evidence())):
        with pytest.raises(TimestampError):
            judge(token, evidence)


@pytest.mark.proves("TIME-03")
def test_other_anchors_are_another_question(warm: RevocationEvidence) -> None:
    with pytest.raises(UnprovenTimestampError):
        judge(authority().token(IMPRINT), warm, anchors=(pki.anchor("b"),))


@pytest.mark.proves("TIME-03")
def test_without_the_evidence_that_was_judged_a_token_is_unproven(warm: RevocationEvidence) -> None:
    assert warm.ocsps
    with pytest.raises(UnprovenTimestampError):
        judge(authority().token(IMPRINT), NO_EVIDENCE)


@pytest.mark.proves("TIME-03")
def test_evidence_that_ended_is_refused_though_the_second_was_judged_with_other(warm: RevocationEvidence) -> None:
    assert warm.ocsps
    with pytest.raises(TimestampError):
        judge(authority().token(IMPRINT), authority().evidence(at=NOON - timedelta(hours=2)))


@pytest.mark.proves("TIME-03")
def test_a_later_token_outlives_the_evidence_that_served_an_earlier_one(warm: RevocationEvidence) -> None:
    with pytest.raises(TimestampError):
        judge(authority(at=NOON + timedelta(hours=2)).token(IMPRINT), warm)


@pytest.mark.proves("TIME-03")
def test_a_token_after_the_revocation_that_its_evidence_tells_of_is_refused_though_an_earlier_one_was_good() -> None:
    before = authority(at=datetime(2024, 6, 1, tzinfo=UTC), label="tsa-revoked")
    judge(before.token(IMPRINT), before.evidence())
    after = authority(label="tsa-revoked")
    with pytest.raises(TimestampError, match="REVOKED"):
        judge(after.token(IMPRINT), after.evidence())


@pytest.mark.proves("TIME-03")
def test_a_token_after_its_certificate_ended_is_refused_though_an_earlier_one_was_good() -> None:
    alive = authority(at=MARCH_2022, label="tsa-expired")
    judge(alive.token(IMPRINT), alive.evidence())
    ended = authority(label="tsa-expired")
    with pytest.raises(TimestampError):
        judge(ended.token(IMPRINT), alive.evidence())


@pytest.mark.proves("TIME-03")
def test_a_policy_is_asked_of_each_token(warm: RevocationEvidence) -> None:
    judge(authority().token(IMPRINT), warm, policies=(POLICY,))
    with pytest.raises(TimestampError, match="policy"):
        judge(authority().token(IMPRINT), warm, policies=("1.2.3",))


@pytest.mark.proves("TIME-03")
def test_a_refusal_is_not_remembered() -> None:
    before = known()
    with pytest.raises(TimestampError):
        judge(authority(label="tsa-revoked").token(IMPRINT), authority(label="tsa-revoked").evidence())
    assert known() == before


def test_the_same_second_is_judged_once_and_the_rest_of_it_once_more() -> None:
    evidence = authority().evidence()
    for micros in (0, 0, 1, 999_999):
        judge(authority(at=NOON + timedelta(microseconds=micros)).token(IMPRINT), evidence)
    mine = [one for one in known() if isinstance(one, token_trust._Question) and one.evidence == evidence]
    assert len(mine) == 2


def test_what_is_remembered_is_bounded() -> None:
    answers = token_trust._Answers(most=2)
    for second in range(3):
        question = token_trust._Question(
            b"authority", b"signer", (), (b"", b""), NO_EVIDENCE, (), NOON + timedelta(seconds=second), is_within=False
        )
        answers.keep(question, b"anchor")
    assert [question.second.second for question in answers._known] == [1, 2]
