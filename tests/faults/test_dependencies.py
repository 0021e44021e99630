# SPDX-License-Identifier: EUPL-1.2
"""Each journey meets each fault of each part that it needs, and shows what the table says; then all is well again.

A share of the cells runs with every test; all of them in the long tests.
"""

from collections.abc import Iterator
from datetime import timedelta
from zlib import crc32

import pytest

from deploy.embedded import Addresses
from tests.checks import check_everything
from tests.faults.dependencies import EXPECTED, rows
from tests.faults.outages import OUTAGES, Dependency, Fault, StagedWorld
from tests.faults.paths import JOURNEYS, NOTICE, WENT_WELL, Journey, Stage

SHARE, OTHERS = 5, 30  # of so many cells that stop a journey, and of so many others, one runs with every test
REST = timedelta(seconds=61)  # an authority that failed is asked first again; revocation data is fetched anew
FAULTS = [(dependency, fault, journey) for dependency, fault in OUTAGES for journey in Journey]


def _is_short(dependency: Dependency, fault: Fault, journey: Journey) -> bool:
    """A share that stays the same, whatever is added to the table."""
    share = SHARE if journey in EXPECTED[dependency, fault].seen else OTHERS
    return crc32(f"{dependency}/{fault}/{journey}".encode()) % share == 0


CELLS = [pytest.param(*cell, marks=[] if _is_short(*cell) else [pytest.mark.long]) for cell in FAULTS]


@pytest.fixture
def staged(fresh_addresses: Addresses) -> Iterator[StagedWorld]:
    world = StagedWorld(fresh_addresses)
    yield world
    world.close()


@pytest.mark.proves("LOG-07", "OPS-03", "T40")
@pytest.mark.parametrize(("dependency", "fault", "journey"), CELLS)
def test_a_journey_meets_a_fault_as_the_table_says(
    staged: StagedWorld, dependency: Dependency, fault: Fault, journey: Journey
) -> None:
    expected, (_, outage), (lead, act) = EXPECTED[dependency, fault], OUTAGES[dependency, fault], JOURNEYS[journey]
    stage = Stage(staged)
    lead(stage)

    with outage(staged):
        seen = act(stage)

    assert seen == expected.seen.get(journey, WENT_WELL)
    staged.time.clock.now += REST
    if seen != WENT_WELL and journey not in expected.stays:
        assert act(stage) == WENT_WELL
    check_everything(staged.works, but=expected.kept)


def test_the_table_has_a_line_for_every_part_and_fault() -> None:
    assert set(EXPECTED) == set(OUTAGES)
    assert len(rows()) == len(OUTAGES)
    assert {dependency for dependency, _ in OUTAGES} == set(Dependency)


def test_every_part_stops_some_journey_and_every_journey_is_stopped_by_some_part() -> None:
    for dependency in Dependency:
        assert any(line.seen for (part, _), line in EXPECTED.items() if part is dependency)
    assert {journey for line in EXPECTED.values() for journey in line.seen} == set(Journey)


def test_a_dead_authority_makes_no_deposit_fail() -> None:
    words = {EXPECTED[Dependency.BOTH, fault].seen[Journey.DEPOSIT] for fault in Fault}

    assert words == {NOTICE}
