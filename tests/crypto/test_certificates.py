# SPDX-License-Identifier: EUPL-1.2
"""Anchors, chains, evidence, and the strict DER they stand on."""

import pytest

from crypto.certificates import (
    MAX_CERTIFICATE,
    NO_EVIDENCE,
    RevocationEvidence,
    anchor_hash,
    chain_to_anchor,
    choose_anchors,
    make_anchor,
    read_anchors,
    read_certificates,
    revocation_source,
)
from crypto.der import require_der
from crypto.errors import FormatError, SignatureError
from deploy.authorities import HERE
from tests.world import pki

NOON = pki.Clock().now


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x01",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x00",
        b"\x30\x81\x01\x00",
        b"\x30\x82\x00\x80" + bytes(128),
        b"\x30\x85\x00\x00\x00\x00\x01\x00",
        b"\x05\x00\x00",
        b"\x01\x01\x01",
        b"\x01\x02\x00\x00",
        b"\x02\x00",
        b"\x02\x02\x00\x01",
        b"\x02\x02\xff\xff",
        b"\x24\x03\x04\x01\x00",
        b"\x10\x00",
        b"\x1f\x20\x00",
        b"\x30\x03\x02\x01",
        b"\x30\x02\x02\x01\x00",
        b"\x30\x82\x00\xc8" * 60,
    ],
    ids=lambda data: data[:8].hex(),
)
def test_what_is_not_the_one_der_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        require_der(data, limit=1 << 20)


def test_der_nested_too_deep_is_refused_without_recursing_to_the_end() -> None:
    data = b""
    for _ in range(2000):
        length = len(data)
        head = bytes([length]) if length < 128 else bytes([0x82, length >> 8, length & 255])
        data = b"\x30" + head + data
    with pytest.raises(FormatError, match="deep"):
        require_der(data, limit=1 << 20)


def test_der_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(FormatError, match="at most"):
        require_der(pki.certificate("tsa-a"), limit=100)


@pytest.mark.parametrize("label", ["time-root-a", "tsa-a", "seal", "tsa-no-eku"])
def test_real_certificates_are_strict_der(label: str) -> None:
    require_der(pki.certificate(label), limit=MAX_CERTIFICATE)


def test_a_certificate_that_is_not_self_signed_is_no_anchor() -> None:
    with pytest.raises(FormatError, match="self-signed"):
        make_anchor(pki.certificate("tsa-a"))


@pytest.mark.parametrize("pem", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates_gives_no_anchors(pem: bytes) -> None:
    with pytest.raises(FormatError):
        read_anchors(pem)


def test_an_anchor_given_twice_is_refused() -> None:
    with pytest.raises(FormatError, match="twice"):
        read_anchors(pki.anchors_pem("a", "a"))


def test_a_key_among_the_certificates_is_refused() -> None:
    mixed = pki.anchors_pem("a") + (HERE / "pki" / "tsa-a.key.pem").read_bytes()
    with pytest.raises(FormatError, match="something else"):
        read_certificates(mixed)


def test_bytes_behind_a_certificate_are_refused() -> None:
    with pytest.raises(FormatError):
        make_anchor(pki.certificate("time-root-a") + b"\x00")


def test_anchors_are_read_in_order_and_chosen_by_what_a_policy_names() -> None:
    anchors = read_anchors(pki.anchors_pem("a", "b", "seal"))
    wanted = choose_anchors(anchors, [anchors[1].hash, bytes(32), anchors[0].hash, anchors[1].hash])
    assert wanted == (anchors[1], anchors[0])
    assert anchor_hash(anchors[0].der) == anchors[0].hash
    assert "root A" in anchors[0].name


def test_a_chain_leads_from_leaf_to_anchor_and_nowhere_else() -> None:
    chain = chain_to_anchor([pki.certificate("tsa-a")], anchors=pki.time_anchors())
    assert chain == (pki.certificate("tsa-a"), pki.certificate("time-root-a"))
    for certificates in (
        [],
        [pki.certificate("tsa-foreign")],
        [pki.certificate("tsa-foreign"), pki.certificate("tsa-a")],
    ):
        with pytest.raises(SignatureError):
            chain_to_anchor(certificates, anchors=pki.time_anchors())


def test_a_certificate_says_where_its_state_is_told() -> None:
    source = revocation_source(pki.certificate("tsa-b"), pki.certificate("time-root-b"))
    assert source.ocsp == (f"{pki.HOST}/bidvault/ocsp/b",)
    assert source.crl == (f"{pki.HOST}/bidvault/crls/b/latest.crl",)
    assert pki.ocsp_answer("b", source.ask, at=NOON)


def test_evidence_travels_as_one_value_and_each_piece_once() -> None:
    evidence = pki.evidence("tsa-a", "a", at=NOON)
    both = evidence.joined(NO_EVIDENCE, evidence, RevocationEvidence(crls=(b"list",)))
    assert RevocationEvidence.decode(both.encode()) == both
    assert len(both.ocsps) == len(both.certificates) == len(both.crls) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\xa0", b"\xa3\x01\x80\x02\x80\x03\x81\x01", b"\xa3\x01\x80\x02\x80\x03\x80\x00"]
)
def test_evidence_that_is_not_its_one_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        RevocationEvidence.decode(data)
