# SPDX-License-Identifier: EUPL-1.2
"""A procedure that did not go smoothly exports, and its package is sound all the same."""

from pathlib import Path

import pytest

from crypto.ceremony import Contribution, share_info
from crypto.hpke import seal
from crypto.statement import Kind
from deploy.embedded import Addresses
from retention.export import export
from retention.formats.bagit import stream_tar
from retention.verification import Outcome, Wanted, read_trust, verify
from tests.retention.breaking import broken
from tests.retention.opened import write_trust
from tests.vault.convening import amended, later
from tests.world.world import ACME, BUYER, PLATFORM, World
from vault.opening import contributing, due, offer


def contribute_wrongly(world: World, opening_id: bytes) -> None:
    """The first custodian hands in a share that is none."""
    bad = world.custodians[0]
    with world.works.open() as work:
        key = due.opening_of(due.row_of(work, opening_id)).opening_key
    sealed = seal(key, share_info(Kind.CONTRIBUTION, opening_id, bad.master.kid), bytes(33))
    said = Contribution(opening_id, bad.master.kid, sealed).statement(Kind.CONTRIBUTION)
    note = said.signed_by(bad.holder.signer).note
    contributing.contribute(world.works, PLATFORM, opening_id, note=note, person=bad.person)


@pytest.mark.proves("ARC-08")
def test_amended_abandoned_and_wrongly_contributed_to(fresh_addresses: Addresses, tmp_path: Path) -> None:
    world = World(fresh_addresses)
    world.publish(world.draft(k=2, n=3))
    world.deposit(ACME)
    policy = amended(world, later(world), by=2)
    for one in world.custodians[:3]:
        assert one.memory is not None
        one.amend(policy.statement.signed_by(one.holder.signer).note)
    world.after_settle(1)
    world.close_box(1)
    world.close_box(2)
    first = world.offer(1)
    world.contribute(first, world.custodians[1])
    offer.abandon(world.works, PLATFORM, first)
    second = world.offer(1)
    contribute_wrongly(world, second)
    for one in world.custodians[1:3]:
        world.contribute(second, one)
    assert world.advance(second)

    tar = tmp_path / "package.tar"
    tar.write_bytes(b"".join(stream_tar(export(world.works, BUYER, world.procedure))))
    world.close()
    report = verify(Wanted(tar), read_trust(write_trust(tmp_path / "trust")))
    assert broken(report) == {}
    assert report.outcome is Outcome.SOUND
