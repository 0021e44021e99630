# SPDX-License-Identifier: EUPL-1.2
"""Proof: the package is exported, verified without the vault, and one changed byte is named."""

import os
import shutil
from pathlib import Path

from api.cli.remote import Vault
from deploy.demo.errors import DemoFailed
from deploy.demo.screen import steps
from deploy.demo.stage import BUYER, Stage
from retention.formats.bagit import unpack
from retention.verification import Outcome, Report, Result, Step, Wanted, read_trust, verify

PACKAGE = "mediatheque-de-kerlann"
MOST_LINES = 4


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
    tar = package.with_suffix(".tar")
    handed_in = sum(one.order.size for one in stage.deposited.values())
    with stage.screen.working("Exporting", 2 * handed_in) as advance:  # each document opened and sealed
        vault = Vault(stage.url, stage.token(BUYER))
        vault.download(f"/v1/procedures/{stage.procedure}/package", tar, progress=steps(advance))
    with stage.screen.busy("Unpacking"):
        unpack(tar, package)
        tar.unlink()
    files = [path for path in package.rglob("*") if path.is_file()]
    whole = sum(path.stat().st_size for path in files)
    stage.screen.done(f"{len(files)} files, {whole / 1e6:,.0f} MB, a BagIt bag", f"packages/{package.name}")


def tell_verification(stage: Stage) -> None:
    """`bidvault verify`, then again with one byte changed."""
    stage.screen.chapter(
        "Checked by a stranger",
        "`bidvault verify` has the package and the roots it trusts, nothing else: no network, no database, no vault.",
    )
    report = _verify(stage, package_of(stage))
    _require(report, Outcome.SOUND)
    for step in report.steps:
        stage.screen.told(f"{step.number}. {step.title}", _told(step))
    stage.screen.done("Sound: every step was made, and everything holds", "exit 0")


def tell_change(stage: Stage) -> None:
    """The same with one byte changed."""
    stage.screen.chapter(
        "One byte",
        "Somebody changes one byte of one document, in a copy of the package. Nothing else is touched.",
    )
    changed = _change_one_byte(stage)
    report = _verify(stage, stage.places.changed)
    _require(report, Outcome.BROKEN)
    broken = [one for one in report.checks if one.result is Result.BROKEN]
    named = [one for one in broken if one.file == changed]
    if not named:
        raise DemoFailed(f"verify does not name {changed}, in which a byte was changed")
    for one in named[:MOST_LINES]:
        stage.screen.broken(f"{one.file}: {one.text}")
    if len(broken) > MOST_LINES:
        stage.screen.told(f"and {len(broken) - MOST_LINES} more lines that follow from it")
    stage.screen.done("`bidvault verify` names the file", "exit 1")
    shutil.rmtree(stage.places.changed)


def _verify(stage: Stage, package: Path) -> Report:
    """What the command does; it takes a while, so the step it is at is shown."""
    with stage.screen.busy(f"bidvault verify {package.name} --trust {stage.places.trust.name}") as now:
        return verify(
            Wanted(package),
            read_trust(stage.places.trust),
            listener=lambda step, _found: now(f"bidvault verify: {step.title.lower()}"),
        )


def _link(source: str, target: str) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _told(step: Step) -> str:
    """A step in a few words: what it found where that is one thing, else how much holds."""
    held = [one for one in step.checks if one.result is Result.OK]
    return held[0].text if len(held) == len(step.checks) == 1 else f"{len(held)} of {len(step.checks)} checks hold"


def _require(report: Report, outcome: Outcome) -> None:
    if report.outcome is not outcome:
        first = next((f"{one.file}: {one.text}" for one in report.checks if one.result is not Result.OK), "nothing")
        raise DemoFailed(f"verify says {report.outcome.name.lower()}, not {outcome.name.lower()}: {first}")


def _change_one_byte(stage: Stage) -> str:
    """A copy of the package, by links, in which one byte of one opened document differs; which one."""
    copy = stage.places.changed
    shutil.copytree(package_of(stage), copy, copy_function=_link)
    document = next(path for path in sorted(copy.rglob("*.xlsx")))
    data = bytearray(document.read_bytes())
    data[len(data) // 2] ^= 1
    document.unlink()
    document.write_bytes(data)
    name = document.relative_to(copy).as_posix()
    stage.screen.told(f"One bit of byte {len(data) // 2} is changed in", name)
    return name
