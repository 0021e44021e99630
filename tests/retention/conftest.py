# SPDX-License-Identifier: EUPL-1.2
"""One opened and exported procedure for all tests of packages: it is made once, and copied by those that break it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded import Addresses
from tests.conftest import BROKER_ADDRESS
from tests.retention.opened import Story, story
from tests.stack import Wanted, ask


@pytest.fixture(scope="session")
def told(pytestconfig: pytest.Config, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A procedure that was opened and exported; nobody changes it."""
    broker, name = pytestconfig.stash[BROKER_ADDRESS], f"told_{uuid4().hex}"
    addresses = ask(broker, Wanted(worker, name))
    assert isinstance(addresses, Addresses)
    with story(addresses, tmp_path_factory.mktemp("told")) as made:
        yield made
    ask(broker, Wanted(worker, name, is_done=True))


@pytest.fixture
def copy(told: Story, tmp_path: Path) -> Path:
    """A copy of the package that a test may break."""
    return Path(shutil.copytree(told.folder, tmp_path / "package"))
