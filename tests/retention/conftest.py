# SPDX-License-Identifier: EUPL-1.2
"""One opened and exported procedure for all tests of packages: it is made once, and copied by those that break it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded import Addresses
from tests.conftest import BROKER_ADDRESS
from tests.retention.breaking import rebag
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


@pytest.fixture(scope="session")
def plain(told: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package without its prints: what they take to check is most of the time, and they are tested apart."""
    folder = Path(shutil.copytree(told.folder, tmp_path_factory.mktemp("plain") / "package"))
    for pdf in [*folder.glob("data/box-*/**/closing.*.pdf"), *folder.glob("data/openings/*/*.pdf")]:
        pdf.unlink()
    rebag(folder)
    return folder


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """A copy of that which a test may break."""
    return Path(shutil.copytree(plain, tmp_path / "package"))


@pytest.fixture
def printed(told: Story, tmp_path: Path) -> Path:
    """A copy of the whole package, prints too."""
    return Path(shutil.copytree(told.folder, tmp_path / "package"))
