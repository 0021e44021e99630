# SPDX-License-Identifier: EUPL-1.2
"""Time tokens: every check of a token, one test each; then what good ones prove."""

import hashlib
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, tsp, x509
from cryptography.x509 import load_der_x509_certificate

from crypto.certificates import NO_EVIDENCE, RevocationEvidence
from crypto.errors import TimeProofError, TimestampError, UnprovenTimestampError
from crypto.timestamp import (
    TimeProof,
    VerifiedTimestamp,
    build_request,
    judge_response,
    judge_token,
    prove_passed,
    token_certificates,
    token_of,
)
from tests.world import pki
from tests.world.authority import POLICY, SimulatedAuthority

IMPRINT = hashlib.sha256(b"a record").digest()
NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def authority(which: str = "a", *, at: datetime = NOON) -> SimulatedAuthority:
    return SimulatedAuthority(which, lambda: at)


def judge(tsa: SimulatedAuthority, *, imprint: bytes = IMPRINT, policies: tuple[str, ...] = ()) -> VerifiedTimestamp:
    """Ask and judge as the vault does."""
    request = build_request(imprint)
    return judge_response(
        tsa.answer(request.der), request, anchors=pki.time_anchors(), evidence=tsa.evidence(), policies=policies
    )


@pytest.mark.proves("TIME-03")
def test_an_answer_with_another_nonce_is_refused() -> None:
    tsa = authority()
    tsa.wrong_nonce = True
    with pytest.raises(TimestampError, match="nonce"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_an_answer_without_nonce_is_refused() -> None:
    request = build_request(IMPRINT)
    answer = tsp.TimeStampResp(
        {"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(authority().token(IMPRINT))}
    )
    with pytest.raises(TimestampError, match="nonce"):
        token_of(answer.dump(), request)


@pytest.mark.proves("TIME-03")
def test_a_token_over_something_else_is_refused() -> None:
    tsa = authority()
    tsa.wrong_imprint = True
    with pytest.raises(TimestampError, match="something else"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_the_same_value_under_another_digest_algorithm_is_refused() -> None:
    tsa = authority()
    tsa.imprint_algorithm = "sha3_256"
    with pytest.raises(TimestampError, match="SHA-256"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_a_rejection_is_refused_with_the_authoritys_word() -> None:
    tsa = authority()
    tsa.refuses = True
    with pytest.raises(TimestampError, match="rejection"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_a_policy_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(TimestampError, match="policy"):
        judge(authority(), policies=("1.2.3.4",))


@pytest.mark.proves("TIME-03")
def test_another_policy_than_asked_for_is_refused() -> None:
    request = build_request(IMPRINT, policy="1.2.3.4")
    with pytest.raises(TimestampError, match="policy"):
        token_of(authority().answer(request.der), request)


@pytest.mark.proves("TIME-03")
def test_a_certificate_that_is_not_for_time_stamping_is_refused() -> None:
    tsa = authority()
    tsa.label = "tsa-no-eku"
    with pytest.raises(TimestampError, match="time stamping"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_a_revoked_authority_is_refused() -> None:
    tsa = authority()
    tsa.label = "tsa-revoked"
    with pytest.raises(TimestampError, match="REVOKED") as refused:
        judge(tsa)
    assert not isinstance(refused.value, UnprovenTimestampError)


@pytest.mark.proves("TIME-03")
def test_a_token_keeps_its_worth_by_the_evidence_fetched_before_its_authority_was_revoked() -> None:
    """RFC 3161 §4: after a compromise only what was fixed before it counts; that is what evidence is kept for."""
    tsa = authority(at=datetime(2024, 6, 1, tzinfo=UTC))
    tsa.label = "tsa-revoked"
    token = tsa.token(IMPRINT)

    assert judge_token(token, IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence()).at.year == 2024
    with pytest.raises(UnprovenTimestampError):
        judge_token(token, IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence(at=NOON))


@pytest.mark.proves("TIME-03")
def test_an_authority_expired_at_the_time_of_the_token_is_refused() -> None:
    tsa = authority()
    tsa.label = "tsa-expired"
    with pytest.raises(TimestampError):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_an_authority_under_a_foreign_root_is_refused_as_unproven() -> None:
    with pytest.raises(UnprovenTimestampError):
        judge(authority("foreign"))


@pytest.mark.proves("TIME-03")
def test_a_token_without_revocation_data_is_refused_as_unproven() -> None:
    with pytest.raises(UnprovenTimestampError):
        judge_token(authority().token(IMPRINT), IMPRINT, anchors=pki.time_anchors(), evidence=NO_EVIDENCE)


@pytest.mark.proves("TIME-03")
def test_revocation_data_of_another_authority_does_not_serve() -> None:
    with pytest.raises(UnprovenTimestampError):
        judge_token(
            authority("a").token(IMPRINT), IMPRINT, anchors=pki.time_anchors(), evidence=authority("b").evidence()
        )


@pytest.mark.proves("TIME-03")
def test_revocation_data_that_ended_before_the_token_does_not_serve() -> None:
    tsa = authority()
    with pytest.raises(TimestampError):
        judge_token(
            tsa.token(IMPRINT),
            IMPRINT,
            anchors=pki.time_anchors(),
            evidence=tsa.evidence(at=NOON - timedelta(hours=2)),
        )


@pytest.mark.proves("TIME-03")
def test_garbage_as_revocation_data_is_refused() -> None:
    with pytest.raises(TimestampError, match="evidence"):
        judge_token(
            authority().token(IMPRINT),
            IMPRINT,
            anchors=pki.time_anchors(),
            evidence=RevocationEvidence(ocsps=(b"\x30\x03\x02\x01",)),
        )


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("tail", [b"\x00", b"\x05\x00", b"trailing"])
def test_bytes_behind_an_answer_are_refused(tail: bytes) -> None:
    tsa = authority()
    tsa.trailing = tail
    with pytest.raises(TimestampError, match="DER"):
        judge(tsa)


@pytest.mark.proves("TIME-03")
def test_bytes_behind_a_token_are_refused() -> None:
    tsa = authority()
    with pytest.raises(TimestampError, match="DER"):
        judge_token(tsa.token(IMPRINT) + b"\x00", IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence())


@pytest.mark.proves("TIME-03")
def test_a_token_cut_short_at_any_place_is_refused() -> None:
    tsa = authority()
    token, evidence = tsa.token(IMPRINT), tsa.evidence()
    for end in range(0, len(token), 97):
        with pytest.raises(TimestampError):
            judge_token(token[:end], IMPRINT, anchors=pki.time_anchors(), evidence=evidence)


@pytest.mark.proves("TIME-03")
def test_no_flipped_bit_of_a_token_passes_as_another_time() -> None:
    tsa = authority()
    token, evidence = tsa.token(IMPRINT), tsa.evidence()
    for place in range(0, len(token), 23):
        changed = bytearray(token)
        changed[place] ^= 1 << place % 8
        try:
            verified = judge_token(bytes(changed), IMPRINT, anchors=pki.time_anchors(), evidence=evidence)
        except TimestampError:
            continue
        assert (verified.at, verified.imprint) == (NOON, IMPRINT)  # a byte that nothing signed: an outer form


@pytest.mark.proves("TIME-03")
def test_a_later_time_in_a_signed_token_is_refused() -> None:
    tsa = authority()
    token = tsa.token(IMPRINT)
    moved = token.replace(b"20261201120000Z", b"20261201110000Z")
    assert moved != token
    with pytest.raises(TimestampError):
        judge_token(moved, IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence())


@pytest.mark.proves("TIME-03")
def test_another_certificate_of_the_same_name_and_number_is_refused() -> None:
    """The certificate swap that rfc3161-client takes: same issuer and serial, other certificate."""
    tsa = authority()
    parsed = cms.ContentInfo.load(tsa.token(IMPRINT))
    other = x509.Certificate.load(pki.certificate("tsa-b"))
    other["tbs_certificate"]["issuer"] = x509.Certificate.load(pki.certificate("tsa-a")).issuer
    parsed["content"]["certificates"] = [other]
    with pytest.raises(TimestampError):
        judge_token(parsed.dump(force=True), IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence())


@pytest.mark.proves("TIME-03")
def test_something_signed_that_is_no_token_is_refused() -> None:
    with pytest.raises(TimestampError):
        judge_token(pki.certificate("tsa-a"), IMPRINT, anchors=pki.time_anchors(), evidence=NO_EVIDENCE)
    with pytest.raises(TimestampError):
        token_certificates(b"")


def test_a_verified_timestamp_cannot_be_made_without_the_checks() -> None:
    verified = authority().verified(IMPRINT)
    with pytest.raises(TypeError, match="judge_token"):
        VerifiedTimestamp(NOON, timedelta(0), b"", bytes(32), bytes(32), IMPRINT, POLICY, "nobody")
    with pytest.raises((TypeError, ValueError)):
        replace(verified, at=NOON + timedelta(days=1))
    with pytest.raises(TypeError, match="prove_passed"):
        TimeProof(NOON, IMPRINT, (verified,))


def test_a_request_is_made_over_a_sha256_digest_only() -> None:
    with pytest.raises(TimestampError):
        build_request(b"short")


def test_a_request_asks_for_certificates_with_a_fresh_64_bit_nonce() -> None:
    requests = [build_request(IMPRINT) for _ in range(20)]
    parsed = tsp.TimeStampReq.load(requests[0].der, strict=True)
    assert parsed["cert_req"].native is True
    assert parsed["message_imprint"]["hash_algorithm"]["algorithm"].native == "sha256"
    assert parsed["nonce"].native == requests[0].nonce
    assert len({request.nonce for request in requests}) == 20
    assert all(request.nonce.bit_length() == 64 for request in requests)


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("which", ["a", "b"])
def test_a_good_answer_is_a_verified_timestamp(which: str) -> None:
    verified = judge(authority(which), policies=(POLICY,))

    assert verified.at == NOON
    assert verified.imprint == IMPRINT
    assert verified.anchor_hash == pki.anchor(which).hash
    assert verified.policy == POLICY
    assert f"authority {which.upper()}" in verified.authority


@pytest.mark.proves("TIME-03")
def test_a_revocation_list_serves_as_well_as_an_ocsp_answer() -> None:
    tsa = authority()
    evidence = RevocationEvidence(crls=(pki.revocation_list("a", at=NOON),))
    verified = judge_token(tsa.token(IMPRINT), IMPRINT, anchors=pki.time_anchors(), evidence=evidence)
    assert verified.at == NOON


@pytest.mark.proves("TIME-03")
def test_a_token_verifies_from_its_evidence_after_its_authority_expired() -> None:
    """Judged at genTime: today's clock plays no part, so a token of 2022 by an authority that ended in 2024 is good."""
    tsa = authority(at=datetime(2022, 3, 1, tzinfo=UTC))
    tsa.label = "tsa-expired"
    evidence = RevocationEvidence.decode(tsa.evidence().encode())

    verified = judge_token(tsa.token(IMPRINT), IMPRINT, anchors=pki.time_anchors(), evidence=evidence)

    assert verified.at.year == 2022


@pytest.mark.parametrize(
    ("stated", "counted"),
    [
        (None, timedelta(seconds=1)),
        (timedelta(milliseconds=20), timedelta(milliseconds=20)),
        (timedelta(seconds=2, milliseconds=3, microseconds=4), timedelta(seconds=2, milliseconds=3, microseconds=4)),
    ],
)
def test_accuracy_counts_on_both_sides_and_one_second_where_none_is_stated(
    stated: timedelta | None, counted: timedelta
) -> None:
    tsa = authority()
    tsa.accuracy = stated
    verified = judge(tsa)
    assert (verified.earliest, verified.latest) == (NOON - counted, NOON + counted)


@pytest.mark.proves("T11")
def test_a_millisecond_too_early_proves_nothing() -> None:
    tokens = [authority(which).verified(IMPRINT) for which in ("a", "b")]
    with pytest.raises(TimeProofError):
        prove_passed(NOON - timedelta(seconds=1) + timedelta(milliseconds=1), tokens, over=IMPRINT, quorum=2)
    assert prove_passed(NOON - timedelta(seconds=1), tokens, over=IMPRINT, quorum=2).tokens


@pytest.mark.proves("T11")
def test_a_token_over_another_closing_proves_nothing() -> None:
    other = hashlib.sha256(b"another closing").digest()
    tokens = [authority("a").verified(IMPRINT), authority("b").verified(other)]
    with pytest.raises(TimeProofError, match="1 independent"):
        prove_passed(NOON - timedelta(hours=1), tokens, over=IMPRINT, quorum=2)


@pytest.mark.proves("T10")
def test_two_tokens_under_one_root_are_one_witness() -> None:
    tokens = [authority("a").verified(IMPRINT), authority("a", at=NOON + timedelta(minutes=1)).verified(IMPRINT)]
    with pytest.raises(TimeProofError, match="1 independent"):
        prove_passed(NOON - timedelta(hours=1), tokens, over=IMPRINT, quorum=2)


@pytest.mark.proves("T10")
def test_one_lying_authority_proves_nothing_alone() -> None:
    liar = authority("a")
    liar.ahead = timedelta(days=1)
    tokens = [liar.verified(IMPRINT), authority("b").verified(IMPRINT)]
    with pytest.raises(TimeProofError, match="1 independent"):
        prove_passed(NOON + timedelta(hours=1), tokens, over=IMPRINT, quorum=2)


@pytest.mark.proves("T10")
def test_a_quorum_of_none_is_refused() -> None:
    with pytest.raises(TimeProofError):
        prove_passed(NOON, [], over=IMPRINT, quorum=0)


def test_two_roots_and_two_keys_prove_that_a_moment_has_passed() -> None:
    early = authority("a", at=NOON - timedelta(hours=3)).verified(IMPRINT)
    tokens = [early, authority("a").verified(IMPRINT), authority("b").verified(IMPRINT)]
    proof = prove_passed(NOON - timedelta(hours=1), tokens, over=IMPRINT, quorum=2)
    assert {token.anchor_hash for token in proof.tokens} == {pki.anchor("a").hash, pki.anchor("b").hash}
    assert early not in proof.tokens


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.proves("TIME-03")
def test_openssl_agrees_on_a_good_answer_and_on_a_foreign_one(tmp_path: Path) -> None:
    tsa = authority(at=datetime.now(UTC))
    request = build_request(IMPRINT)
    for name, content in (("q", request.der), ("r", tsa.answer(request.der)), ("ca", pki.anchors_pem("a"))):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "other").write_bytes(pki.anchors_pem("b"))

    def verdict(root: str) -> int:
        command = ["openssl", "ts", "-verify", "-in", "r", "-queryfile", "q", "-CAfile", root]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert verdict("ca") == 0
    assert verdict("other") != 0


def test_the_roots_are_the_same_in_every_run() -> None:
    """Policies pin H(SPKI): a key or certificate that changed would make every earlier token worthless."""
    assert pki.anchor("a").hash.hex()[:16] == "cc5061b8f09d5533"
    assert load_der_x509_certificate(pki.anchor("b").der).serial_number == 1
