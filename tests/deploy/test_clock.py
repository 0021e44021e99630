# SPDX-License-Identifier: EUPL-1.2
"""A vault whose clock is off does not start, and says what to do; nobody keeps it from starting alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.authorities import AuthorityAddresses, write_trust
from deploy.clock import reference, require_right_clock
from deploy.conformance import Reference
from deploy.embedded import Addresses
from tests.world.world import World
from vault.errors import CannotStart
from vault.settings import Authority


@pytest.fixture(scope="module")
def one_world(module_addresses: Addresses) -> Iterator[World]:
    """Nothing is written here, so one will do."""
    world = World(module_addresses)
    yield world
    world.close()


@pytest.fixture
def world(one_world: World) -> Iterator[World]:
    yield one_world
    one_world.clock.ahead = one_world.time.a.ahead = timedelta()
    one_world.time.a.silent = one_world.time.b.silent = False


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (timedelta(days=1), r"24\.0 hours ahead of 2 time authorities.*Set it right"),
        (-timedelta(days=1), r"24\.0 hours behind 2 time authorities.*Set it right"),
        (timedelta(seconds=61), "61 s ahead of"),
    ],
)
def test_a_clock_that_is_off_is_no_clock_to_start_with(world: World, ahead: timedelta, says: str) -> None:
    world.clock.ahead = ahead

    with pytest.raises(CannotStart, match=says):
        require_right_clock(world.works)


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=59), -timedelta(seconds=59)])
def test_a_clock_that_is_right_enough_starts(world: World, ahead: timedelta) -> None:
    world.clock.ahead = ahead

    require_right_clock(world.works)


def test_one_authority_that_lies_keeps_no_vault_from_starting(world: World) -> None:
    world.time.a.ahead = timedelta(days=1)

    require_right_clock(world.works)


def test_authorities_that_are_silent_keep_no_vault_from_starting(world: World) -> None:
    world.time.a.silent = world.time.b.silent = True

    require_right_clock(world.works)


def test_one_authority_alone_accuses_nobody(world: World) -> None:
    world.time.a.silent = True
    world.clock.ahead = timedelta(days=1)

    require_right_clock(world.works)


def test_a_store_is_judged_by_the_time_of_the_authorities(authorities: AuthorityAddresses, tmp_path: Path) -> None:
    write_trust(authorities, tmp_path)
    anchors = sorted(tmp_path.glob("time-*.pem"))
    named = [
        Authority(name=one.name, url=one.address, anchor=anchor)
        for one, anchor in zip(authorities.time, anchors, strict=True)
    ]

    found = reference(named)

    assert found.says.startswith("the time authorities, from which this machine's clock is 0.")
    assert abs(found.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_without_authorities_it_is_said_that_nobody_checked() -> None:
    assert reference([]).says == Reference().says == "this machine's clock, which nobody checked"
