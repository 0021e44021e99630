# SPDX-License-Identifier: EUPL-1.2
"""Readiness of a real vault: each part that breaks turns it red, by name and with the reason."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from api.probes import probes
from api.services import NotWell
from tests.api.depositing import Envelope, Site
from tests.world.authority import SimulatedAuthority
from vault import sequencer
from vault.work import Works, connect


def findings(works: Works) -> dict[str, str]:
    """The broken parts, by name."""
    found = {}
    for probe in probes(works):
        try:
            probe.check()
        except NotWell as error:
            found[probe.name] = str(error)
    return found


def test_a_vault_that_is_well_is_ready(site: Site) -> None:
    assert Envelope(site).put().status_code == 201
    assert findings(site.world.works) == {}


@pytest.fixture
def authorities(site: Site) -> Iterator[list[SimulatedAuthority]]:
    """Both authorities, right again afterwards."""
    both = [site.world.time.a, site.world.time.b]
    yield both
    for authority in both:
        authority.ahead = timedelta()


@pytest.mark.parametrize("ahead", [timedelta(seconds=-70), timedelta(hours=1)])
def test_a_clock_more_than_a_minute_off_is_red_until_it_is_right_again(
    site: Site, authorities: list[SimulatedAuthority], ahead: timedelta
) -> None:
    probe = next(probe for probe in probes(site.world.works) if probe.name == "clock")
    for authority in authorities:
        authority.ahead = ahead
    Envelope(site).put()
    with pytest.raises(NotWell, match=f"{abs(ahead).total_seconds():.0f} s away"):
        probe.check()

    for authority in authorities:
        authority.ahead = timedelta()
    site.world.time.clock.advance(timedelta(minutes=2))

    probe.check()


def test_one_lying_authority_does_not_turn_a_right_clock_red(site: Site, authorities: list[SimulatedAuthority]) -> None:
    authorities[0].ahead = timedelta(hours=5)
    Envelope(site).put()

    assert "clock" not in findings(site.world.works)


def test_a_store_that_does_not_lock_or_answer_is_red(site: Site) -> None:
    site.world.store.fail("require_lock")

    assert set(findings(site.world.works)) == {"store"}


def test_a_database_that_is_away_is_red_and_so_is_the_journal(site: Site) -> None:
    away = replace(
        site.world.works, engine=connect("postgresql+psycopg://nobody@127.0.0.1:9/nowhere?connect_timeout=1")
    )

    assert set(findings(away)) == {"database", "journal"}


def test_a_journal_that_nobody_publishes_is_red_after_a_minute_and_green_once_it_goes_on(site: Site) -> None:
    (probe,) = (one for one in probes(site.world.works) if one.name == "journal")
    Envelope(site).put()
    probe.check()
    site.world.time.clock.advance(timedelta(seconds=61))

    with pytest.raises(NotWell, match="advance"):
        probe.check()

    sequencer.publish(site.world.works)
    probe.check()
