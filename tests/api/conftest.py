# SPDX-License-Identifier: EUPL-1.2
"""Fixtures of the API's tests: a site over a world that a module shares."""

from collections.abc import Iterator

import pytest

from deploy.embedded import Addresses
from tests.api.depositing import Site
from tests.api.desk import desk, url
from tests.api.exported import opened, own_database
from tests.world.world import World


@pytest.fixture(scope="module")
def site(module_addresses: Addresses) -> Iterator[Site]:
    """The API over a vault with a published procedure; tests of a module leave nothing another would trip over."""
    world = World(module_addresses)
    world.publish(world.draft(k=1, n=2))
    yield Site(world)
    world.close()


@pytest.fixture(scope="session")
def opened_site(pytestconfig: pytest.Config, worker: str) -> Iterator[Site]:
    """The API over an opened procedure with a database of its own; tests only look at it."""
    with own_database(pytestconfig, worker) as own, opened(own) as made:
        yield made


__all__ = ["desk", "opened_site", "site", "url"]
