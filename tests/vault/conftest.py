# SPDX-License-Identifier: EUPL-1.2
"""Fixtures of the vault's tests: a world of one test's own."""

from collections.abc import Iterator

import pytest

from deploy.embedded import Addresses
from tests.world.world import World


@pytest.fixture
def open_world(world: World) -> World:
    """The same, with a procedure of two boxes that takes deposits; 1 of 2 custodians, so that it is quickly made."""
    world.publish(world.draft(k=1, n=2))
    return world


@pytest.fixture(scope="module")
def shared_world(module_addresses: Addresses) -> Iterator[World]:
    """A world that the tests of a module share, for those that leave nothing another would trip over."""
    world = World(module_addresses)
    world.publish(world.draft(k=1, n=2))
    yield world
    world.close()
