# SPDX-License-Identifier: EUPL-1.2
"""The power fails in the first seconds of a data directory's life, before anything of it was flushed."""

from collections.abc import Iterator

import pytest

from deploy.embedded import EmbeddedStack
from tests.power.disk import CutDisk, why_not
from tests.power.vault import end_processes

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def disk() -> Iterator[CutDisk]:
    with CutDisk() as disk:
        yield disk


@pytest.mark.proves("OPS-03")
def test_a_stack_that_loses_power_just_after_its_first_start_starts_again(disk: CutDisk) -> None:
    stack = EmbeddedStack(disk.root / "data")
    stack.start()
    disk.cut()
    end_processes(disk)
    stack.stop()
    disk.plug_in()

    with EmbeddedStack(disk.root / "data") as again:
        again.require_running()


@pytest.mark.long
def test_a_volume_that_was_never_made_is_forgotten_and_one_that_was_is_not(disk: CutDisk) -> None:
    with EmbeddedStack(disk.root / "data") as stack:
        made = sorted(stack.directory.store.glob("*.dat"))
    unmade = stack.directory.store / "vault_99.dat"
    unmade.touch()

    with EmbeddedStack(disk.root / "data"):
        assert not unmade.exists()
        assert set(made) <= set(stack.directory.store.glob("*.dat"))
    assert made
