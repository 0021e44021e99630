# SPDX-License-Identifier: EUPL-1.2
"""Receipts and prints, checked alone and against a package."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from crypto.ceremony import Minutes
from crypto.deposit import DepositRecord, Receipt, Verdict
from crypto.manifest import Document
from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.statement import Kind, parse_note
from retention.package import Plan
from retention.verification import Outcome, Report, Trust, Wanted, read_trust, verify
from tests.retention.breaking import broken, flip, missing, rebag
from tests.retention.opened import DOCUMENTS, Story
from tests.world.world import service_keys
from vault import envelopes, receiving
from vault.prints import Language, print_receipt


def beside(told: Story, name: str) -> bytes:
    """The evidence that a depositor keeps beside its receipt."""
    with told.world.works.open() as work:
        kept = envelopes.find(told.world.works, work, told.envelopes[name], procedure=told.world.procedure)
        assert kept is not None
        return receiving.evidence_of(told.world.works, work, kept, kind=Kind.RECEIPT)


def write(told: Story, folder: Path, name: str, *, note: bytes | None = None, evidence: bytes | None = None) -> Path:
    """A receipt as its depositor keeps it."""
    receipt = folder / f"{name}.receipt"
    receipt.write_bytes(note or told.receipts[name])
    receipt.with_suffix(".evidence").write_bytes(evidence or beside(told, name))
    return receipt


def check(path: Path, told: Story) -> Report:
    """Check with what a depositor brings."""
    return verify(Wanted(path), read_trust(told.trust))


def held(told: Story, plain: Path, receipt: Path) -> Report:
    """Hold a receipt against the package."""
    return verify(Wanted(plain, (receipt,)), read_trust(told.trust))


@pytest.fixture
def before(told: Story) -> Iterator[datetime]:
    """A moment before the deadline, to which the world is set back meanwhile."""
    clock = told.world.time.clock
    kept, clock.now = clock.now, told.world.deadline - timedelta(minutes=1)
    yield clock.now
    clock.now = kept


def forged(told: Story, record: DepositRecord, verdict: Verdict) -> tuple[bytes, bytes]:
    """A receipt that the vault really signed, with a real token, over whatever record, and what lies beside it."""
    like = Receipt.decode(parse_note(told.receipts["acme"], Kind.RECEIPT).payload)
    stamp = told.world.works.authorities.stamp(record.imprint)
    ruling = replace(like.ruling, verdict=verdict, tokens=(stamp.verified.token,))
    note = Receipt(record, ruling).statement.signed_by(service_keys().statement).note
    known = ReceiptEvidence.decode(beside(told, "acme"))
    return note, replace(known, revocation=(stamp.evidence,)).encode()


def a_record(told: Story, at: datetime) -> DepositRecord:
    like = Receipt.decode(parse_note(told.receipts["acme"], Kind.RECEIPT).payload).record
    return replace(like, envelope_id=os.urandom(16), first_byte_at=at, last_byte_at=at)


@pytest.mark.proves("T37", "ACK-03", "OPEN-15")
def test_attack_T37_a_receipt_proves_offline_that_its_envelope_was_dropped(
    told: Story, plain: Path, tmp_path: Path, before: datetime
) -> None:
    note, evidence = forged(told, a_record(told, before), Verdict.IN_TIME)
    report = held(told, plain, write(told, tmp_path, "dropped", note=note, evidence=evidence))
    assert report.outcome is Outcome.BROKEN
    assert "dropped" in broken(report)["dropped.receipt"] or "journal" in broken(report)["dropped.receipt"]
    assert any("it was dropped" in check.text for check in report.checks)


@pytest.mark.parametrize("verdict", [Verdict.LATE, Verdict.REVIEW])
def test_a_verdict_that_its_own_token_does_not_allow_is_false_whoever_signed_it(
    told: Story, tmp_path: Path, before: datetime, verdict: Verdict
) -> None:
    record = a_record(told, before + timedelta(minutes=3) if verdict is Verdict.REVIEW else before)
    if verdict is Verdict.REVIEW:
        told.world.time.clock.now = before + timedelta(minutes=3)  # late beyond doubt: review would hide it
    note, evidence = forged(told, record, verdict)
    report = check(write(told, tmp_path, "false", note=note, evidence=evidence), told)
    assert report.outcome is Outcome.BROKEN


@pytest.mark.proves("ACK-03")
def test_a_receipt_changed_by_one_byte_is_broken(told: Story, tmp_path: Path) -> None:
    receipt = write(told, tmp_path, "acme")
    for place in (3, 60, 400, len(receipt.read_bytes()) - 30):
        flip(receipt, place)
        assert check(receipt, told).outcome is Outcome.BROKEN, place
        flip(receipt, place)
    assert check(receipt, told).outcome is Outcome.SOUND


def test_evidence_of_another_receipt_or_changed_is_broken(told: Story, tmp_path: Path) -> None:
    receipt = write(told, tmp_path, "acme")
    flip(receipt.with_suffix(".evidence"))
    assert check(receipt, told).outcome is Outcome.BROKEN


def test_a_receipt_without_its_evidence_is_unproven_and_says_so(told: Story, tmp_path: Path) -> None:
    receipt = write(told, tmp_path, "acme")
    receipt.with_suffix(".evidence").unlink()
    report = check(receipt, told)
    assert report.outcome is Outcome.UNPROVEN
    assert "receipt.evidence" in missing(report)[0]


@pytest.mark.proves("LOG-04")
def test_a_proof_beside_a_receipt_shows_its_entry_in_the_journal(told: Story, tmp_path: Path) -> None:
    receipt = write(told, tmp_path, "acme")
    shutil.copy(told.folder_of("acme") / "receipt.tlog-proof", tmp_path / "acme.tlog-proof")
    assert any("stands in the journal" in one.text for one in check(receipt, told).checks)
    shutil.copy(told.folder_of("zenith") / "receipt.tlog-proof", tmp_path / "acme.tlog-proof")
    assert "acme.tlog-proof" in broken(check(receipt, told))


def test_a_receipt_without_trust_is_unproven(told: Story, tmp_path: Path) -> None:
    assert verify(Wanted(write(told, tmp_path, "acme")), Trust()).outcome is Outcome.UNPROVEN


@pytest.mark.proves("ACK-03")
@pytest.mark.parametrize("name", ["acme", "zenith", "price", "superseded", "withdrawn", "late", "admitted", "left-out"])
def test_every_receipt_is_sound_alone_and_explained_by_the_package(
    told: Story, plain: Path, tmp_path: Path, name: str
) -> None:
    receipt = write(told, tmp_path, name)
    assert check(receipt, told).outcome is Outcome.SOUND
    report = held(told, plain, receipt)
    assert broken(report) == {}
    assert report.outcome is Outcome.SOUND


def own_documents() -> list[Document]:
    """What a depositor keeps of its documents."""
    return [Document(path, len(content), sha256(content).digest()) for path, content in DOCUMENTS.items()]


def keep_documents(told: Story, folder: Path, documents: list[Document]) -> None:
    """The depositor's list and secret, as `bidvault deposit` keeps them."""
    entries = [{"path": one.path, "size": one.size, "sha256": one.sha256.hex()} for one in documents]
    (folder / "documents.json").write_text(json.dumps(entries))
    secret = told.world.secrets[told.envelopes["acme"]]
    (folder / "secret").write_bytes(base64.urlsafe_b64encode(secret).rstrip(b"=") + b"\n")


@pytest.mark.proves("ACK-03")
def test_a_receipt_is_held_against_its_holders_documents(told: Story, tmp_path: Path) -> None:
    receipt, documents = write(told, tmp_path, "acme"), own_documents()
    keep_documents(told, tmp_path, documents)
    assert any("exactly the 2 documents" in one.text for one in check(receipt, told).checks)
    keep_documents(told, tmp_path, [replace(documents[0], size=1), documents[1]])
    assert "documents.json" in broken(check(receipt, told))


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b'[{"path": 1}]', b'[{"path": "a", "size": 1, "sha256": "x"}]'])
def test_a_list_that_is_none_is_told(told: Story, tmp_path: Path, content: bytes) -> None:
    receipt = write(told, tmp_path, "acme")
    keep_documents(told, tmp_path, [])
    (tmp_path / "documents.json").write_bytes(content)
    assert "documents.json" in broken(check(receipt, told))


@pytest.mark.proves("ACK-03")
def test_the_print_of_a_receipt_is_sound_and_broken_when_changed(told: Story, tmp_path: Path) -> None:
    evidence = ReceiptEvidence.decode(beside(told, "acme"))
    checked = check_receipt(told.receipts["acme"], evidence, anchors=read_trust(told.trust).anchors)
    secret = told.world.secrets[told.envelopes["acme"]]
    pdf = print_receipt(checked, evidence, documents=own_documents(), secret=secret, language=Language.ENGLISH)
    file = tmp_path / "receipt.pdf"
    file.write_bytes(told.seal.sign(pdf, at=told.world.now, reason="receipt"))
    report = check(file, told)
    assert report.outcome is Outcome.SOUND
    assert any("exactly the 2 documents" in one.text for one in report.checks)
    flip(file)
    assert check(file, told).outcome is Outcome.BROKEN


@pytest.mark.parametrize("kind", ["closing", "minutes"])
def test_prints_of_the_package_are_sound_alone_and_broken_when_changed(told: Story, tmp_path: Path, kind: str) -> None:
    pdf = Path(shutil.copy(min(told.folder.glob(f"data/**/{kind}.fr.pdf")), tmp_path))
    assert check(pdf, told).outcome is Outcome.SOUND
    assert verify(Wanted(pdf), Trust()).outcome is Outcome.UNPROVEN
    flip(pdf)
    assert check(pdf, told).outcome is Outcome.BROKEN


def test_a_print_changed_or_in_anothers_place_is_named(told: Story, printed: Path) -> None:
    first, second = sorted(printed.glob("data/openings/*/minutes.en.pdf"))[:2]
    shutil.copy(first, second)
    flip(first)
    rebag(printed)
    found = broken(check(printed, told))
    assert {one.relative_to(printed).as_posix() for one in (first, second)} <= found.keys()


def test_both_languages_are_in_the_package(told: Story) -> None:
    minutes = [parse_note(one.read_bytes(), Kind.MINUTES) for one in told.folder.glob("data/openings/*/minutes.note")]
    assert len({Minutes.of(one).opening_id for one in minutes}) == 3
    assert len(list(told.folder.glob("data/openings/*/minutes.*.pdf"))) == 3 * len(Language)
    plan = Plan.decode((told.folder / "data" / "plan.json").read_bytes())
    assert UUID(plan.procedure) == told.world.procedure
