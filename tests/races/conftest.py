# SPDX-License-Identifier: EUPL-1.2
"""Fixtures of the races: a vault that four processes serve, for all tests of a module."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import Addresses
from tests.races.crew import Crew
from tests.races.shared import Shared, SharedWorld

PROCESSES = 4


@pytest.fixture(scope="module")
def shared(module_addresses: Addresses) -> Iterator[Shared]:
    directory = Path(tempfile.mkdtemp(prefix="bidvault-races-"))
    yield Shared(module_addresses, directory, (os.urandom(32), os.urandom(32), os.urandom(32)))
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def crew(shared: Shared) -> Iterator[Crew]:
    """Four processes."""
    crew = Crew(shared, size=PROCESSES)
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def races(shared: Shared) -> Iterator[SharedWorld]:
    """This process's part of the vault: it publishes procedures and looks at what became of a race."""
    world = SharedWorld(shared)
    yield world
    world.close()
