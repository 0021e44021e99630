# SPDX-License-Identifier: EUPL-1.2
"""An opened procedure behind the API, small and quickly made."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from api.auth import Actor, Role
from deploy.embedded import Addresses
from tests.api.depositing import Site
from tests.conftest import BROKER_ADDRESS
from tests.stack import Wanted, ask
from tests.world.world import ACME, BUYER, SIRET, ZENITH, World

OWNER = Actor(subject=BUYER.subject, role=Role.BUYER, organisation=SIRET)
STRANGER = Actor(subject="buyer@elsewhere", role=Role.BUYER, organisation="21670482500019")


@contextmanager
def own_database(config: pytest.Config, worker: str) -> Iterator[Addresses]:
    """A database that some tests share and no others: its journal fits one world's store."""
    broker, name = config.stash[BROKER_ADDRESS], f"own_{uuid4().hex}"
    addresses = ask(broker, Wanted(worker, name))
    assert isinstance(addresses, Addresses)
    yield addresses
    ask(broker, Wanted(worker, name, is_done=True))


@contextmanager
def opened(addresses: Addresses) -> Iterator[Site]:
    """One procedure of two boxes: one opened, one closed and never opened."""
    world = World(addresses)
    try:
        world.publish(world.draft(k=1, n=2))
        world.deposit(ACME)
        world.deposit(ZENITH)
        world.after_settle(1)
        world.close_box(1)
        world.close_box(2)
        world.open_boxes(1, by=1)
        yield Site(world)
    finally:
        world.close()
