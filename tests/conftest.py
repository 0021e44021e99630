# SPDX-License-Identifier: EUPL-1.2
"""Fixtures of the whole suite: the embedded stack, started once for all processes when the first test asks for it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from deploy.embedded import Addresses
from tests.stack import StackBroker, Wanted, ask
from tests.world.world import World

BROKER = pytest.StashKey[StackBroker]()
BROKER_ADDRESS = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """The main process holds the broker; a worker is told where it is."""
    given: dict[str, str] | None = getattr(config, "workerinput", None)
    if given is None:
        broker = config.stash[BROKER] = StackBroker()
        config.stash[BROKER_ADDRESS] = broker.address
    else:
        config.stash[BROKER_ADDRESS] = given["broker"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where the broker is."""
    node.workerinput["broker"] = node.config.stash[BROKER_ADDRESS]  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the stack with the run."""
    if (broker := config.stash.get(BROKER, None)) is not None:
        broker.stop()


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """Name of this process: main, or gw0, gw1, …"""
    given: dict[str, str] = getattr(request.config, "workerinput", {})
    return given.get("workerid", "main")


@pytest.fixture(scope="session")
def addresses(pytestconfig: pytest.Config, worker: str) -> Addresses:
    """This process's database and buckets on the embedded stack, migrated; shared by its tests."""
    answer = ask(pytestconfig.stash[BROKER_ADDRESS], Wanted(worker, f"worker_{worker}"))
    assert answer is not None
    return answer


@pytest.fixture
def fresh_addresses(pytestconfig: pytest.Config, worker: str) -> Iterator[Addresses]:
    """A migrated database of one test's own, on this process's buckets."""
    broker, name = pytestconfig.stash[BROKER_ADDRESS], f"test_{uuid4().hex}"
    answer = ask(broker, Wanted(worker, name))
    assert answer is not None
    yield answer
    ask(broker, Wanted(worker, name, is_done=True))


@pytest.fixture(scope="module")
def module_addresses(pytestconfig: pytest.Config, worker: str) -> Iterator[Addresses]:
    """A migrated database of one module's own: its journal fits one world's store."""
    broker, name = pytestconfig.stash[BROKER_ADDRESS], f"module_{uuid4().hex}"
    answer = ask(broker, Wanted(worker, name))
    assert answer is not None
    yield answer
    ask(broker, Wanted(worker, name, is_done=True))


@pytest.fixture
def world(fresh_addresses: Addresses) -> Iterator[World]:
    """A vault and its surroundings, nothing published yet."""
    world = World(fresh_addresses)
    yield world
    world.close()
