# SPDX-License-Identifier: EUPL-1.2
"""Proof: the package is exported, verified without the vault, and one changed byte is named."""

import os
import shutil
from pathlib import Path
from uuid import UUID

from api.cli import archive as archive_command
from deploy.demo.errors import DemoFailed
from deploy.demo.stage import BUYER, Stage, told
from retention.verification import Check, Outcome, Report, Result, Step, Wanted, read_trust, verify

PACKAGE = "mediatheque-de-kerlann"


def package_of(stage: Stage) -> Path:
    """Where the package lies."""
    return stage.places.packages / PACKAGE


def tell_export(stage: Stage) -> None:
    """The opened procedure as one package."""
    stage.screen.chapter(
        "One package",
        "Documents, sealed envelopes with their keys, receipts, lists, minutes, time tokens, certificates, the "
        "journal's proofs: everything that a court will want in thirty years.",
    )
    package = package_of(stage)
    with stage.screen.busy("Exporting"), told(archive_command.people):
        archive_command.export(
            UUID(str(stage.procedure)), out=package, url=stage.url, token_file=stage.token_file(BUYER)
        )
    files = [path for path in package.rglob("*") if path.is_file()]
    whole = sum(path.stat().st_size for path in files)
    stage.screen.done(f"{len(files)} files, {whole / 1e6:,.0f} MB, a BagIt bag", f"packages/{package.name}")


def tell_verification(stage: Stage) -> None:
    """`bidvault verify`, then again with one byte changed."""
    stage.screen.chapter(
        "Checked by a stranger",
        "`bidvault verify` has the package and the roots it trusts, nothing else: no network, no database, no vault.",
    )
    _require(_verify(stage, package_of(stage), shows_steps=True), Outcome.SOUND)
    stage.screen.done("Sound: every step was made, and everything holds")
    changed = _change_one_byte(stage)
    report = _verify(stage, stage.places.changed, shows_steps=False)
    _require(report, Outcome.BROKEN)
    named = [one for one in report.checks if one.result is Result.BROKEN]
    if not any(one.file.endswith(changed.name) or changed.name in one.text for one in named):
        raise DemoFailed(f"verify does not name {changed.name}, in which a byte was changed")
    for one in named:
        stage.screen.broken(f"{one.file}: {one.text}" if one.file else one.text)
    shutil.rmtree(stage.places.changed)


def _verify(stage: Stage, package: Path, *, shows_steps: bool) -> Report:
    """What the command does, told in one line per step."""
    shown: dict[int, str] = {}

    def listener(step: Step, found: Check | None) -> None:
        if found is None and shows_steps:
            shown[step.number] = step.title

    with stage.screen.busy(f"bidvault verify {package.name}"):
        report = verify(Wanted(package), read_trust(stage.places.trust), listener=listener)
    if shows_steps:
        for step in report.steps:
            held = sum(check.result is Result.OK for check in step.checks)
            stage.screen.told(f"{step.number}. {step.title}", f"{held} of {len(step.checks)} hold")
    return report


def _require(report: Report, outcome: Outcome) -> None:
    if report.outcome is not outcome:
        first = next((f"{one.file}: {one.text}" for one in report.checks if one.result is not Result.OK), "nothing")
        raise DemoFailed(f"verify says {report.outcome.name.lower()}, not {outcome.name.lower()}: {first}")


def _change_one_byte(stage: Stage) -> Path:
    """A copy of the package, by links, in which one byte of one opened document differs."""
    copy = stage.places.changed
    shutil.copytree(package_of(stage), copy, copy_function=os.link)
    document = next(path for path in sorted(copy.rglob("*.xlsx")))
    data = bytearray(document.read_bytes())
    data[len(data) // 2] ^= 1
    document.unlink()
    document.write_bytes(data)
    stage.screen.told("In a copy, one bit of a bill of prices is changed", document.relative_to(copy).as_posix())
    return document
