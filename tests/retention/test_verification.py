# SPDX-License-Identifier: EUPL-1.2
"""Packages as they are checked: refused first, whatever was done to them, then sound."""

import shutil
from pathlib import Path

import pytest

from crypto.closings import EnvelopeList
from crypto.keys.file import MasterKey
from crypto.policy import Role
from retention.package import SealedList
from retention.verification import Outcome, Report, Trust, Wanted, read_trust, verify
from retention.verification.bag import check_bag
from retention.verification.tree import Directory, Tree
from tests.retention.breaking import broken, flip, missing, rebag
from tests.retention.opened import Story
from tests.world.world import ORIGIN

KINDS = {
    "read-me": "data/README.fr.txt",
    "plan": "data/plan.json",
    "policy": "data/policies/policy-0.note",
    "root": "data/authorities/*.pem",
    "vault's key": "data/vault/statements.vkey",
    "closing": "data/box-1/closing.note",
    "list": "data/box-1/closing.list",
    "token": "data/box-1/closing-1.tst",
    "evidence of a token": "data/box-1/closing-1.evidence",
    "request token": "data/box-1/closing-request-1.tst",
    "decision": "data/box-1/admitted-*/decision.note",
    "admitted list": "data/box-1/admitted-*/closing.list",
    "sealed": "data/box-1/sealed.json",
    "document": "data/box-1/envelopes/*/documents/prix.txt",
    "large document": "data/box-1/envelopes/*/documents/plans/façade.pdf",
    "envelope": "data/box-1/envelopes/*/envelope.tvse",
    "file key": "data/box-1/envelopes/*/envelope.key",
    "receipt": "data/box-1/envelopes/*/receipt.note",
    "evidence of a receipt": "data/box-1/envelopes/*/receipt.evidence",
    "proof": "data/box-1/envelopes/*/receipt.tlog-proof",
    "opening": "data/openings/*/opening.note",
    "contribution": "data/openings/*/contribution-*.note",
    "release": "data/openings/*/release.note",
    "keyed": "data/openings/*/keyed.note",
    "minutes": "data/openings/*/minutes.note",
    "journal": "data/journal/entries.json",
    "checkpoint": "data/journal/checkpoint.note",
    "declaration": "bagit.txt",
    "bag's description": "bag-info.txt",
    "manifest": "manifest-sha256.txt",
    "tags": "tagmanifest-sha512.txt",
}
BARE = {"read-me", "declaration", "bag's description", "manifest", "tags"}  # nothing signed speaks of these
each_signed = pytest.mark.parametrize("kind", sorted(KINDS.keys() - BARE))


def check(path: Path, told: Story) -> Report:
    """Check with what an auditor brings."""
    return verify(Wanted(path), read_trust(told.trust))


def bagged(folder: Path) -> Report:
    """Check the bag alone."""
    report = Report()
    check_bag(Tree(Directory(folder)), report)
    return report


def one_of(folder: Path, kind: str) -> Path:
    """The first file of a kind."""
    return min(folder.glob(KINDS[kind]))


@pytest.mark.proves("ARC-03")
def test_one_byte_changed_is_named_whatever_the_file(copy: Path) -> None:
    for kind in KINDS:
        changed = one_of(copy, kind)
        flip(changed)
        report = bagged(copy)
        assert changed.relative_to(copy).as_posix() in broken(report), kind
        flip(changed)
    assert broken(bagged(copy)) == {}


def test_what_is_broken_in_the_bag_is_broken_in_the_whole(told: Story, copy: Path) -> None:
    flip(one_of(copy, "document"))
    assert check(copy, told).outcome is Outcome.BROKEN


@each_signed
@pytest.mark.proves("ARC-08", "OPEN-15", "T37")
def test_one_byte_changed_is_found_though_the_bag_was_made_to_fit(told: Story, copy: Path, kind: str) -> None:
    changed = one_of(copy, kind)
    flip(changed)
    rebag(copy)
    report = check(copy, told)
    assert report.outcome is Outcome.BROKEN
    folder = changed.parent.relative_to(copy).as_posix()
    assert any(file.startswith((folder, "data/policies", "data/box-1", "data/journal")) for file in broken(report))


@pytest.mark.proves("ARC-03")
def test_a_file_taken_away_is_named(copy: Path) -> None:
    for kind in KINDS:
        gone = one_of(copy, kind)
        content = gone.read_bytes()
        gone.unlink()
        assert gone.relative_to(copy).as_posix() in broken(bagged(copy)), kind
        gone.write_bytes(content)


@each_signed
def test_a_file_taken_away_is_missed_though_the_bag_was_made_to_fit(told: Story, copy: Path, kind: str) -> None:
    one_of(copy, kind).unlink()
    rebag(copy)
    assert check(copy, told).outcome is (Outcome.SOUND if kind == "root" else Outcome.BROKEN)  # roots are brought


@pytest.mark.proves("ARC-03")
def test_a_file_added_is_named(told: Story, copy: Path) -> None:
    (copy / "data" / "box-1" / "note.txt").write_text("trust me")
    assert "data/box-1/note.txt" in broken(check(copy, told))


@pytest.mark.proves("ARC-03")
@pytest.mark.parametrize("where", ["data/note.txt", "data/box-9/closing.note", "data/box-1/closing-9.tst"])
def test_a_file_added_is_named_though_the_bag_was_made_to_fit(told: Story, copy: Path, where: str) -> None:
    (copy / where).parent.mkdir(exist_ok=True)
    (copy / where).write_text("trust me")
    rebag(copy)
    assert where in broken(check(copy, told))


@pytest.mark.parametrize("name", ["envelope.tvse", "envelope.key", "receipt.note"])
@pytest.mark.proves("OPEN-15")
def test_files_of_two_envelopes_swapped_are_found(told: Story, copy: Path, name: str) -> None:
    box = copy / "data" / "box-1" / "envelopes"
    first, second = (box / str(told.envelopes[one]) / name for one in ("acme", "zenith"))
    first.rename(first.with_suffix(".kept"))
    second.rename(first)
    first.with_suffix(".kept").rename(second)
    rebag(copy)
    report = check(copy, told)
    assert report.outcome is Outcome.BROKEN


def test_an_envelope_dropped_from_list_and_package_is_found(told: Story, copy: Path) -> None:
    listed = copy / "data" / "box-1" / "closing.list"
    entries = EnvelopeList.decode(listed.read_bytes()).entries
    listed.write_bytes(EnvelopeList(entries[:-1]).encode())
    shutil.rmtree(copy / "data" / "box-1" / "envelopes" / str(told.envelopes["zenith"]))
    rebag(copy)
    assert "data/box-1/closing.note" in broken(check(copy, told))


def test_an_opened_envelope_that_is_not_there_is_missed(told: Story, copy: Path) -> None:
    gone = copy / "data" / "box-1" / "envelopes" / str(told.envelopes["zenith"])
    shutil.rmtree(gone)
    rebag(copy)
    assert any(str(told.envelopes["zenith"]) in file for file in broken(check(copy, told)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("late", {"state": "review"}),
        ("late", {"verdict": "in-time"}),
        ("superseded", {"verdict": "review"}),
        ("superseded", {"record": "00" * 32}),
        ("withdrawn", {"state": "superseded"}),
        ("late", {"state": "withdrawn"}),
        ("left-out", {"file_sha256": "00" * 32}),
    ],
)
def test_what_stays_sealed_cannot_be_told_otherwise(told: Story, copy: Path, name: str, change: dict[str, str]) -> None:
    box = 2 if name == "left-out" else 1
    file = copy / "data" / f"box-{box}" / "sealed.json"
    listed = SealedList.decode(file.read_bytes())
    changed = tuple(
        one.model_copy(update=change) if one.id == str(told.envelopes[name]) else one for one in listed.envelopes
    )
    file.write_bytes(listed.model_copy(update={"envelopes": changed}).encode())
    rebag(copy)
    assert check(copy, told).outcome is Outcome.BROKEN


def test_a_sealed_envelope_that_is_no_longer_named_is_missed(told: Story, copy: Path) -> None:
    file = copy / "data" / "box-1" / "sealed.json"
    listed = SealedList.decode(file.read_bytes())
    kept = tuple(one for one in listed.envelopes if one.id != str(told.envelopes["late"]))
    file.write_bytes(listed.model_copy(update={"envelopes": kept}).encode())
    rebag(copy)
    assert "data/journal/entries.json" in broken(check(copy, told))


@pytest.mark.proves("T53")
def test_another_vaults_key_under_the_same_name_is_a_forgery(told: Story) -> None:
    other = MasterKey.generate(Role.STATEMENT).signer(f"{ORIGIN}/statements").verifier
    report = verify(Wanted(told.folder), Trust(read_trust(told.trust).anchors, (other,)))
    assert "forgery" in broken(report)["data/policies/policy-0.note"]


def test_without_trust_a_package_is_sound_but_unproven_and_says_what_is_missing(told: Story) -> None:
    report = verify(Wanted(told.tar), Trust())
    assert report.outcome is Outcome.UNPROVEN
    text = " ".join(missing(report))
    assert all(word in text for word in ("statements", "journal", "root A", "root B"))


def test_without_the_seals_root_only_the_prints_are_unproven(told: Story, tmp_path: Path) -> None:
    trust = Path(shutil.copytree(told.trust, tmp_path / "trust"))
    (trust / "seal.pem").unlink()
    report = verify(Wanted(told.folder), read_trust(trust))
    assert report.outcome is Outcome.UNPROVEN
    assert {check.file.rpartition(".")[2] for check in report.checks if check.result.value == "missing"} == {"pdf"}


@pytest.mark.proves("ARC-08", "LOG-03", "LOG-04", "OPEN-15")
@pytest.mark.parametrize("form", ["folder", "tar"])
def test_a_package_as_it_was_exported_is_sound(told: Story, form: str) -> None:
    report = check(getattr(told, form), told)
    assert broken(report) == {}
    assert report.outcome is Outcome.SOUND
    assert [step.title for step in report.steps] == [
        "The bag",
        "The policies",
        "The closings",
        "The openings",
        "The opened envelopes",
        "The envelopes that stay sealed",
        "The journal",
        "The prints",
        "The plan",
    ]
