# SPDX-License-Identifier: EUPL-1.2
"""Packages, receipts and prints as they are checked."""

from tests.retention.opened import Story
from retention.verification import Outcome, Wanted, read_trust, verify


def test_dump(told: Story) -> None:
    import shutil
    shutil.rmtree("/tmp/pkgdev", ignore_errors=True)
    shutil.copytree(told.home, "/tmp/pkgdev")
    for path in (told.folder, told.tar):
        report = verify(Wanted(path), read_trust(told.trust))
        for step in report.steps:
            print(step.number, step.title)
            for check in step.checks:
                print("   ", check.result, check.file, check.text)
    assert report.outcome is Outcome.SOUND
