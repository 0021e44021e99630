# SPDX-License-Identifier: EUPL-1.2
"""`bidvault deposit` and `bidvault withdraw`: what they keep, what they say, and how they fail."""

import json
import stat
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.statement import Kind
from tests.api.desk import Desk
from tests.world import pki


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        (["missing.txt"], {}, "missing.txt"),
        (["prix.txt"], {"bidder": "siret:1"}, "Bidder"),
        (["prix.txt"], {"procedure": uuid4()}, "nothing here"),
        (["prix.txt"], {"lot": "9"}, "nothing here"),
        (["prix.txt", "prix.txt"], {}, "same path"),
    ],
    ids=["missing file", "bidder", "procedure", "lot", "twice"],
)
def test_a_deposit_that_cannot_be_says_why_and_exits_with_1(
    desk: Desk, files: list[str], options: dict[str, object], says: str
) -> None:
    result = desk.deposit(*files, **options)

    assert result.exit_code == 1
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not list(desk.home.glob("receipts/*/receipt"))


def test_an_unknown_part_and_a_token_that_is_none_are_refused(desk: Desk) -> None:
    assert desk.deposit("prix.txt", part="price").exit_code == 2
    (desk.home / "token").write_text("nonsense")

    result = desk.deposit("prix.txt")

    assert result.exit_code == 1
    assert "token" in result.stderr


def test_a_secret_that_is_none_is_refused(desk: Desk) -> None:
    (desk.home / "secret").write_text("too short")

    result = desk.deposit("prix.txt", **{"secret-file": desk.home / "secret"})

    assert result.exit_code == 1
    assert "secret" in result.stderr


@pytest.mark.proves("ACK-01", "ACK-03", "DEP-07")
def test_a_deposit_keeps_a_receipt_that_can_be_checked_alone_and_its_repeat_the_same(desk: Desk) -> None:
    envelope_id = uuid4()
    first = desk.deposit("plans", "prix.txt", id=envelope_id)
    folder = desk.kept(envelope_id)
    kept = {name: (folder / name).read_bytes() for name in ("receipt", "receipt.evidence", "documents.json", "secret")}

    again = desk.deposit("plans", "prix.txt", id=envelope_id)

    assert (first.exit_code, again.exit_code) == (0, 0), first.stderr + again.stderr
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    checked = check_receipt(kept["receipt"], ReceiptEvidence.decode(kept["receipt.evidence"]))
    assert checked.record.envelope_id == envelope_id.bytes
    assert [one["path"] for one in json.loads(kept["documents.json"])] == ["plans/étage 1/façade.pdf", "prix.txt"]
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    for words in ("in time", "Ville de Rennes", "2026-MP-017", "Europe/Paris"):
        assert words in first.stdout


@pytest.mark.proves("T45")
def test_other_documents_under_the_same_id_are_refused(desk: Desk) -> None:
    envelope_id = uuid4()
    desk.deposit("prix.txt", id=envelope_id)
    (desk.home / "prix.txt").write_bytes(b"41\n")

    result = desk.deposit("prix.txt", id=envelope_id)

    assert result.exit_code == 1
    assert "other content" in result.stderr


@pytest.mark.proves("ACK-02", "TIME-05")
def test_without_an_authority_the_notice_is_kept_and_the_same_command_fetches_the_receipt(desk: Desk) -> None:
    envelope_id = uuid4()
    time = desk.site.world.time
    time.a.silent = time.b.silent = True
    first = desk.deposit("prix.txt", id=envelope_id)
    time.a.silent = time.b.silent = False
    has_receipt = (desk.kept(envelope_id) / "receipt").exists()

    again = desk.deposit("prix.txt", id=envelope_id)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert not has_receipt
    assert f"--id {envelope_id}" in " ".join(first.stderr.split())
    assert (desk.kept(envelope_id) / "notice").exists()
    assert (desk.kept(envelope_id) / "receipt").exists()


def test_a_withdrawal_keeps_its_statement(desk: Desk) -> None:
    envelope_id = uuid4()
    bidder = "other:Société Générale des Bâtiments"
    desk.deposit("prix.txt", id=envelope_id, bidder=bidder)

    refused = desk.withdraw(envelope_id)
    result = desk.withdraw(envelope_id, bidder=bidder)

    assert (refused.exit_code, result.exit_code) == (1, 0)
    folder = desk.kept(envelope_id)
    evidence = ReceiptEvidence.decode((folder / "withdrawal.evidence").read_bytes())
    checked = check_receipt((folder / "withdrawal").read_bytes(), evidence, kind=Kind.WITHDRAWAL)
    assert checked.record.bidder == bidder
    assert "Withdrawn" in result.stdout


@pytest.mark.proves("ACK-03")
def test_roots_of_ones_own_are_read_from_a_file_or_a_folder_and_others_are_not_believed(desk: Desk) -> None:
    trust = desk.home / "trust"
    trust.mkdir()
    assert desk.deposit("prix.txt", trust=trust).exit_code == 1  # nothing in it
    for anchor in pki.time_anchors():
        certificate = load_der_x509_certificate(anchor.der)
        (trust / f"{anchor.hash.hex()}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    foreign = load_der_x509_certificate(pki.anchor("foreign").der).public_bytes(Encoding.PEM)
    (desk.home / "foreign.pem").write_bytes(foreign)

    assert desk.deposit("prix.txt", trust=trust).exit_code == 0
    disbelieved = desk.deposit("prix.txt", trust=desk.home / "foreign.pem")

    assert disbelieved.exit_code == 1
    assert "unsound" in disbelieved.stderr
