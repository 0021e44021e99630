# SPDX-License-Identifier: EUPL-1.2
"""The log under chance: any growth, any proof, any tampering."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import CryptoError, JournalError
from crypto.merkle import (
    Tile,
    consistency_proof,
    grow,
    inclusion_proof,
    root_from_tiles,
    split_bundle,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

STEPS = st.lists(st.integers(1, 300), min_size=1, max_size=6)


def grown(steps: list[int]) -> tuple[list[bytes], dict[Tile, bytes]]:
    """A log that grew by these steps, and its tiles."""
    stored: dict[Tile, bytes] = {}
    leaves: list[bytes] = []
    for step in steps:
        added = [(len(leaves) + place).to_bytes(4, "big") for place in range(step)]
        stored |= grow(stored.__getitem__, len(leaves), added)
        leaves += added
    return leaves, stored


@given(STEPS, st.data())
def test_any_leaf_of_any_log_is_proved(steps: list[int], data: st.DataObject) -> None:
    leaves, stored = grown(steps)
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))

    proof = inclusion_proof(stored.__getitem__, index=index, size=size)

    root = root_from_tiles(stored.__getitem__, size)
    assert root == tree_hash(leaves)
    verify_inclusion(leaves[index], proof, index=index, size=size, root=root)


@given(STEPS, st.data())
def test_any_log_begins_with_any_of_its_pasts(steps: list[int], data: st.DataObject) -> None:
    leaves, stored = grown(steps)
    old = data.draw(st.integers(0, len(leaves)))

    proof = consistency_proof(stored.__getitem__, old_size=old, new_size=len(leaves))

    verify_consistency(proof, old=(old, tree_hash(leaves[:old])), new=(len(leaves), tree_hash(leaves)))


@given(STEPS, st.data())
def test_a_log_with_any_entry_changed_continues_no_past_that_held_it(steps: list[int], data: st.DataObject) -> None:
    leaves, _ = grown(steps)
    old = data.draw(st.integers(1, len(leaves)))
    place = data.draw(st.integers(0, old - 1))
    changed = [*leaves[:place], b"changed", *leaves[place + 1 :]]
    stored = grow(dict[Tile, bytes]().__getitem__, 0, changed)
    proof = consistency_proof(stored.__getitem__, old_size=old, new_size=len(leaves))

    with pytest.raises(JournalError):
        verify_consistency(proof, old=(old, tree_hash(leaves[:old])), new=(len(leaves), tree_hash(changed)))


@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.integers(0, 200), st.integers(0, 200), st.binary()
)
def test_chance_proves_nothing(proof: list[bytes], index: int, size: int, leaf: bytes) -> None:
    with pytest.raises(JournalError):
        verify_inclusion(leaf, proof, index=index, size=size, root=bytes(32))
    with pytest.raises(JournalError):
        verify_consistency(proof, old=(index, bytes(32)), new=(size, bytes([1]) * 32))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_bundle_or_refused_with_a_type(data: bytes) -> None:
    try:
        assert sum(len(leaf) + 2 for leaf in split_bundle(data)) == len(data)
    except CryptoError as error:
        assert error.code == "format"  # noqa: PT017 - either answer will do
