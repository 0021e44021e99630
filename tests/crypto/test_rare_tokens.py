# SPDX-License-Identifier: EUPL-1.2
"""Tokens and certificates in forms that no authority of ours makes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto import timestamp
from crypto.certificates import chain_to_anchor, make_anchor, run_offline
from crypto.errors import CryptoError, FormatError, SignatureError, TimeProofError, TimestampError
from crypto.timestamp import judge_token, prove_passed, token_certificates
from tests.world import pki
from tests.world.authority import SimulatedAuthority, _signed

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
IMPRINT = bytes(32)


def issued(
    name: str, key: EllipticCurvePrivateKey, *, by: str, with_key: EllipticCurvePrivateKey, is_ca: bool | None
) -> bytes:
    """A certificate of our own making, DER."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=1))
        .not_valid_after(NOON + timedelta(days=1))
    )
    if is_ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    return builder.sign(with_key, SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(("is_ca", "is_chain"), [(True, True), (False, False), (None, False)])
def test_only_an_authority_stands_between_a_certificate_and_its_anchor(is_ca: bool | None, is_chain: bool) -> None:  # noqa: FBT001 - columns
    root, middle, leaf = (generate_private_key(SECP256R1()) for _ in range(3))
    anchor = make_anchor(issued("root", root, by="root", with_key=root, is_ca=True))
    between = issued("middle", middle, by="root", with_key=root, is_ca=is_ca)
    end = issued("leaf", leaf, by="middle", with_key=middle, is_ca=False)

    if is_chain:
        assert chain_to_anchor([end, between], anchors=[anchor]) == (end, between, anchor.der)
    else:
        with pytest.raises(SignatureError):
            chain_to_anchor([end, between], anchors=[anchor])


def test_a_judgement_that_wants_to_wait_is_refused() -> None:
    with pytest.raises(CryptoError, match="outside"):
        run_offline(asyncio.sleep(0))


def judge(token: bytes) -> None:
    tsa = SimulatedAuthority("a", lambda: NOON)
    judge_token(token, IMPRINT, anchors=pki.time_anchors(), evidence=tsa.evidence())


def test_what_is_no_signed_data_is_no_token() -> None:
    other = cms.ContentInfo({"content_type": "data", "content": core.OctetString(b"x")})

    with pytest.raises(TimestampError, match="signed data"):
        judge(other.dump())


def test_a_time_that_is_not_utc_is_refused() -> None:
    tsa = SimulatedAuthority("a", lambda: NOON)
    content = tsa._content(IMPRINT, None)
    utc, other = b"\x18\x0f20261201120000Z", b"\x18\x1320261201120000+0000"
    assert utc in content
    fields = content[2:].replace(utc, other)  # behind the sequence's head

    with pytest.raises(TimestampError):
        judge(_signed(b"\x30" + bytes((len(fields),)) + fields, label="tsa-a", carried=(), at=NOON))


def test_a_token_names_its_own_certificate_first() -> None:
    tsa = SimulatedAuthority("a", lambda: NOON, carried=("time-root-a", "tsa-b"))

    own, *others = token_certificates(tsa.token(IMPRINT))

    assert own == pki.certificate("tsa-a")
    assert set(others) == {pki.certificate("time-root-a"), pki.certificate("tsa-b")}


@pytest.mark.proves("TIME-03")
@pytest.mark.parametrize("place", [0, 1])
def test_a_twin_of_the_authoritys_certificate_does_not_stand_in_for_it(place: int) -> None:
    token = cms.ContentInfo.load(SimulatedAuthority("a", lambda: NOON).token(IMPRINT))
    twin = bytearray(pki.certificate("tsa-a"))
    twin[-1] ^= 1  # the same issuer and number, another signature
    carried = [cms.CertificateChoices.load(pki.certificate("tsa-a"))]
    carried.insert(place, cms.CertificateChoices.load(bytes(twin)))
    token["content"]["certificates"] = cms.CertificateSet(carried)

    with pytest.raises(TimestampError):
        judge(token.dump(force=True))


@pytest.mark.parametrize("place", [0, 4, 40, 300])
def test_a_certificate_that_one_library_reads_and_the_other_does_not_is_refused(place: int) -> None:
    broken = bytearray(pki.certificate("time-root-a"))
    broken[place] = 0x7F

    with pytest.raises(FormatError):
        make_anchor(bytes(broken))


def test_a_token_of_two_signers_or_none_is_refused() -> None:
    for count in (0, 2):
        token = cms.ContentInfo.load(SimulatedAuthority("a", lambda: NOON).token(IMPRINT))
        (signer,) = token["content"]["signer_infos"]
        token["content"]["signer_infos"] = cms.SignerInfos([signer] * count)

        with pytest.raises(TimestampError, match="one signer"):
            judge(token.dump(force=True))


@pytest.mark.parametrize("is_its_own", [True, False])
def test_a_signer_named_by_its_key_is_found_by_its_key(is_its_own: bool) -> None:  # noqa: FBT001 - a column
    token = cms.ContentInfo.load(SimulatedAuthority("a", lambda: NOON).token(IMPRINT))
    own = asn1_x509.Certificate.load(pki.certificate("tsa-a")).key_identifier
    signer = token["content"]["signer_infos"][0]
    signer["version"] = "v3"
    signer["sid"] = cms.SignerIdentifier({"subject_key_identifier": own if is_its_own else bytes(20)})

    if is_its_own:
        judge(token.dump(force=True))
    else:
        with pytest.raises(TimestampError, match="does not carry"):
            judge(token.dump(force=True))


@pytest.mark.proves("T10", "TIME-02")
def test_one_key_under_two_roots_is_one_authority() -> None:
    one = SimulatedAuthority("a", lambda: NOON).verified(IMPRINT)
    other = SimulatedAuthority("b", lambda: NOON).verified(IMPRINT)
    twin = replace(other, tsa_key_hash=one.tsa_key_hash, checked=timestamp._CHECKED)

    assert prove_passed(NOON - timedelta(hours=1), [one, other], over=IMPRINT, quorum=2).tokens
    for tokens in ([one, twin], [twin, one]):
        with pytest.raises(TimeProofError):
            prove_passed(NOON - timedelta(hours=1), tokens, over=IMPRINT, quorum=2)
    assert len(prove_passed(NOON - timedelta(hours=1), [one, twin, other], over=IMPRINT, quorum=2).tokens) == 2
