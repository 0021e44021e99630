# SPDX-License-Identifier: EUPL-1.2
"""The audit face: the journal's head and tiles, for auditors and operators only."""

import pytest

from api.auth import Role
from crypto.checkpoint import read_checkpoint
from crypto.merkle import Tile, leaf_hash, root_from_tiles, split_bundle
from tests.api.depositing import Site
from tests.world.world import service_keys
from vault import sequencer


def get(opened_site: Site, path: str, role: Role = Role.AUDITOR) -> bytes:
    """What lies at a path of the journal."""
    answer = opened_site.http.get(f"/v1/journal/{path}", headers=opened_site.bearer(role))
    assert answer.status_code == 200, path
    return answer.content


NO_TILES = ("9/000", "0/999", "0/0", "0/..000", "0/000.p/256", "64/000", "entries/x", "")


@pytest.mark.parametrize("path", NO_TILES)
def test_there_is_no_such_tile(opened_site: Site, path: str) -> None:
    answer = opened_site.http.get(f"/v1/journal/tile/{path}", headers=opened_site.bearer(Role.AUDITOR))
    assert answer.status_code == 404


@pytest.mark.proves("T47")
@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_the_size_of_the_journal_is_shown_to_auditors_and_operators_alone(opened_site: Site, path: str) -> None:
    for role in set(Role) - {Role.AUDITOR, Role.OPERATOR}:
        assert opened_site.http.get(f"/v1/journal/{path}", headers=opened_site.bearer(role)).status_code == 403
    assert opened_site.http.get(f"/v1/journal/{path}").status_code == 401


@pytest.mark.proves("LOG-03", "LOG-04")
def test_an_outsider_computes_the_signed_root_from_the_tiles_served(opened_site: Site) -> None:
    sequencer.publish(opened_site.world.works)
    head = read_checkpoint(get(opened_site, "checkpoint", Role.OPERATOR), journal=service_keys().journal.verifier)
    assert root_from_tiles(lambda tile: get(opened_site, tile.path), head.size) == head.root


@pytest.mark.proves("LOG-04")
def test_the_entries_served_are_the_leaves_of_the_tiles(opened_site: Site) -> None:
    sequencer.publish(opened_site.world.works)
    head = read_checkpoint(get(opened_site, "checkpoint"), journal=service_keys().journal.verifier)
    tile = Tile(0, 0, min(256, head.size))
    leaves = split_bundle(get(opened_site, tile.entries_path))
    assert b"".join(leaf_hash(leaf) for leaf in leaves) == get(opened_site, tile.path)
