# SPDX-License-Identifier: EUPL-1.2
"""Data rolled back: what refuses, and how everything that was acknowledged is found again (T52, T64, OPS-04).

A box goes its whole way once; each test puts back a database and a key store of two different moments, beside the store
as it is at a third, and goes on from there to the minutes. After each recovery everything stored is derived again.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from crypto.errors import CryptoError
from crypto.wraps import WrapKind
from deploy.embedded import Addresses
from tests.checks import check_everything
from tests.vault.recovering import ORDER, Stage, Story, price_of
from vault import sequencer
from vault.envelopes import find
from vault.errors import RolledBack
from vault.gate import told
from vault.recovery import Done, Lost, require_nothing_lost
from vault.store.names import key_name

NOW_DATABASE_KEYS = [  # a day of each: the store's, the database's, the key store's
    (Stage.DEPOSITED, Stage.PUBLISHED, Stage.DEPOSITED),
    (Stage.RECEIVED, Stage.DEPOSITED, Stage.RECEIVED),
    (Stage.LISTED, Stage.RECEIVED, Stage.RECEIVED),
    (Stage.ACCEPTED, Stage.PUBLISHED, Stage.ACCEPTED),
    (Stage.CLOSED, Stage.LISTED, Stage.RECEIVED),
    (Stage.OFFERED, Stage.CLOSED, Stage.OFFERED),
    (Stage.CONTRIBUTED, Stage.CONTRIBUTED, Stage.CLOSED),
    (Stage.RELEASED, Stage.RECEIVED, Stage.RELEASED),
    (Stage.KEYED, Stage.DEPOSITED, Stage.OFFERED),
    (Stage.OPENED, Stage.KEYED, Stage.CLOSED),
    (Stage.OPENED, Stage.OPENED, Stage.RELEASED),
    (Stage.OPENED, Stage.CLOSED, Stage.DEPOSITED),
]
EVERY_DAY = [
    (now, database, keys)
    for now, database, keys in product(ORDER[1:], ORDER, ORDER)
    if ORDER.index(database) <= ORDER.index(now) >= ORDER.index(keys)
]


@pytest.fixture(scope="module")
def story(module_addresses: Addresses) -> Iterator[Story]:
    """A box that was opened; each test puts back what it needs of it."""
    story = Story(module_addresses)
    story.play()
    yield story
    story.world.close()


@pytest.mark.parametrize(("now", "database", "keys"), NOW_DATABASE_KEYS)
@pytest.mark.proves("T64", "OPS-04")
def test_attack_T64_rolled_back_to_any_two_days_every_deposit_and_box_is_found_again(
    story: Story, now: Stage, database: Stage, keys: Stage
) -> None:
    _recover_and_finish(story, now, database, keys)


@pytest.mark.long
@pytest.mark.parametrize(("now", "database", "keys"), EVERY_DAY)
@pytest.mark.proves("T64", "OPS-04")
def test_attack_T64_rolled_back_to_every_pair_of_days_every_deposit_and_box_is_found_again(
    story: Story, now: Stage, database: Stage, keys: Stage
) -> None:
    _recover_and_finish(story, now, database, keys)


def _recover_and_finish(story: Story, now: Stage, database: Stage, keys: Stage) -> None:
    """What is there is opened; what has no key any more is named, and nothing else is."""
    story.be_at(now, database=database, keys=keys)
    there = story.there(now)
    readable = {bidder for bidder in there if story.has_key(bidder, keys)}

    found = story.recover()

    assert {(one.kind, one.subject) for one in found.lost} == {
        (Lost.OBJECT_KEY, str(story.ids[bidder])) for bidder in there - readable
    }
    check_everything(story.world.works, but=() if readable == there else LOST_KEY_WORDS)
    story.finish()
    check_everything(story.world.works, but=() if readable == there else LOST_KEY_WORDS)
    assert story.opened() == {bidder: price_of(bidder) for bidder in readable}


LOST_KEY_WORDS: tuple[str, ...] = ()
