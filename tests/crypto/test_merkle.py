# SPDX-License-Identifier: EUPL-1.2
"""The log's hashes, proofs and tiles."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from crypto.errors import FormatError, JournalError
from crypto.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    ReadTile,
    Tile,
    consistency_proof,
    entry_bundle,
    grow,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_tiles,
    split_bundle,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots that RFC 6962 implementations share as test data (certificate-transparency).
SHARED = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
SHARED.append(bytes(range(0x60, 0x70)))
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def leaves(count: int) -> list[bytes]:
    """Leaf data that differ."""
    return [b"\x01" + sha256(number.to_bytes(4, "big")).digest() for number in range(count)]


def tiles(data: list[bytes]) -> ReadTile:
    """A store of the tiles of one tree."""
    stored = grow(_nothing, 0, data)
    return stored.__getitem__


def _nothing(tile: Tile) -> bytes:
    raise AssertionError(f"{tile} was read")


def direct(data: list[bytes]) -> bytes:
    """MTH as RFC 6962 defines it."""
    if not data:
        return sha256().digest()
    if len(data) == 1:
        return leaf_hash(data[0])
    k = 1
    while k * 2 < len(data):
        k *= 2
    return node_hash(direct(data[:k]), direct(data[k:]))


@pytest.mark.parametrize("size", ROOTS)
def test_the_shared_trees_have_their_roots(size: int) -> None:
    assert tree_hash(SHARED[:size]).hex() == ROOTS[size]


def test_the_tree_hash_is_the_defined_one() -> None:
    data = leaves(70)

    for size in range(71):
        assert tree_hash(data[:size]) == direct(data[:size])


@pytest.mark.proves("LOG-04", "ACK-03")
def test_every_leaf_of_every_small_tree_is_proved() -> None:
    data = leaves(40)
    for size in range(1, 41):
        read, root = tiles(data[:size]), tree_hash(data[:size])
        for index in range(size):
            proof = inclusion_proof(read, index=index, size=size)
            verify_inclusion(data[index], proof, index=index, size=size, root=root)


@pytest.mark.proves("LOG-03")
def test_every_small_tree_is_the_beginning_of_the_larger_ones() -> None:
    data = leaves(40)
    roots = [tree_hash(data[:size]) for size in range(41)]
    for new in range(1, 41):
        read = tiles(data[:new])
        for old in range(new + 1):
            proof = consistency_proof(read, old_size=old, new_size=new)
            verify_consistency(proof, old=(old, roots[old]), new=(new, roots[new]))


@pytest.mark.proves("LOG-03")
def test_no_leaf_is_proved_by_another_leafs_proof() -> None:
    data = leaves(11)
    read, root = tiles(data), tree_hash(data)
    proof = inclusion_proof(read, index=4, size=11)

    for leaf, index, size in ((data[5], 4, 11), (data[4], 5, 11), (data[4], 4, 8)):
        with pytest.raises(JournalError):
            verify_inclusion(leaf, proof, index=index, size=size, root=root)


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof[:-1],
        lambda proof: [*proof, bytes(32)],
        lambda proof: proof[::-1],
        lambda proof: [proof[0][:31], *proof[1:]],
        lambda proof: [bytes(32), *proof[1:]],
        lambda _: [],
    ],
)
def test_a_changed_proof_proves_nothing(change: Callable[[list[bytes]], list[bytes]]) -> None:
    data = leaves(11)
    read, root = tiles(data), tree_hash(data)

    with pytest.raises(JournalError):
        verify_inclusion(data[4], change(inclusion_proof(read, index=4, size=11)), index=4, size=11, root=root)
    with pytest.raises(JournalError):
        verify_consistency(
            change(consistency_proof(read, old_size=6, new_size=11)), old=(6, tree_hash(data[:6])), new=(11, root)
        )


@pytest.mark.proves("LOG-03", "T52")
@pytest.mark.parametrize("tamper", ["removed", "edited", "reordered", "cut"])
def test_a_log_that_was_tampered_with_does_not_continue_the_older_one(tamper: str) -> None:
    data = leaves(20)
    old = (13, tree_hash(data[:13]))
    tampered = {
        "removed": data[:5] + data[6:],
        "edited": [*data[:5], b"\x01" + bytes(32), *data[6:]],
        "reordered": [*data[:5], data[6], data[5], *data[7:]],
        "cut": data[:12],
    }[tamper]
    new = (len(tampered), tree_hash(tampered))

    with pytest.raises(JournalError):
        verify_consistency(consistency_proof(tiles(tampered), old_size=13, new_size=len(tampered)), old=old, new=new)


def test_the_same_size_has_the_same_root() -> None:
    one, other = tree_hash(leaves(3)), tree_hash(leaves(4)[1:])

    verify_consistency([], old=(3, one), new=(3, one))
    verify_consistency([], old=(0, EMPTY_ROOT), new=(3, one))
    for proof, old in (([], (3, other)), ([one], (3, one)), ([], (0, one)), ([one], (0, EMPTY_ROOT))):
        with pytest.raises(JournalError):
            verify_consistency(proof, old=old, new=(3, one))
    with pytest.raises(JournalError):
        verify_consistency([], old=(4, one), new=(3, one))


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_a_place_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(JournalError):
        inclusion_proof(_nothing, index=index, size=size)
    with pytest.raises(JournalError):
        verify_inclusion(b"", [], index=index, size=size, root=EMPTY_ROOT)


def test_a_larger_tree_is_no_beginning() -> None:
    with pytest.raises(JournalError):
        consistency_proof(_nothing, old_size=4, new_size=3)


# Tiles


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(63, 1000, 1), "tile/63/x001/000.p/1"),
    ],
)
def test_a_tile_has_its_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tile.entries_path == path.replace(f"tile/{tile.level}/", "tile/entries/")


@pytest.mark.parametrize("parts", [(0, 0, 0), (0, 0, 257), (64, 0, 1), (-1, 0, 1), (0, -1, 1)])
def test_there_is_no_other_tile(parts: tuple[int, int, int]) -> None:
    with pytest.raises(JournalError):
        Tile(*parts)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, {Tile(0, 0, 1)}),
        (256, {Tile(0, 0), Tile(1, 0, 1)}),
        (257, {Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1)}),
        (
            700,
            {Tile(0, 0), Tile(0, 1), Tile(0, 2, 188), Tile(1, 0, 2)},
        ),
    ],
)
def test_a_tree_of_a_size_has_these_tiles(size: int, expected: set[Tile]) -> None:
    assert set(grow(_nothing, 0, leaves(size))) == expected


def test_the_specifications_example_has_its_tiles() -> None:
    found = set(grow(_nothing, 0, [bytes(1)] * 70_000))

    assert len([tile for tile in found if tile.level == 0 and tile.width == TILE_WIDTH]) == 273
    assert {tile for tile in found if tile.width < TILE_WIDTH} == {Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)}


def test_growing_by_steps_gives_the_same_tiles() -> None:
    data = leaves(900)
    stored: dict[Tile, bytes] = {}
    size = 0
    for step in (1, 63, 64, 128, 1, 255, 256, 132):
        stored |= grow(stored.__getitem__, size, data[size : size + step])
        size += step
        assert root_from_tiles(stored.__getitem__, size) == tree_hash(data[:size])

    assert grow(_nothing, 0, data).items() <= stored.items()


def test_growing_reads_only_the_right_edge() -> None:
    data = leaves(700)
    stored = grow(_nothing, 0, data)
    read: list[Tile] = []

    def read_tile(tile: Tile) -> bytes:
        read.append(tile)
        return stored[tile]

    grow(read_tile, 700, leaves(64))
    assert read == [Tile(0, 2, 188)]
    assert grow(_nothing, 700, []) == {}


def test_a_proof_reads_few_tiles_whatever_the_size() -> None:
    data = leaves(70_000)
    stored = grow(_nothing, 0, data)
    read: set[Tile] = set()

    def read_tile(tile: Tile) -> bytes:
        read.add(tile)
        return stored[tile]

    proof = inclusion_proof(read_tile, index=12_345, size=70_000)

    verify_inclusion(data[12_345], proof, index=12_345, size=70_000, root=root_from_tiles(stored.__getitem__, 70_000))
    assert len(read) <= 5


def test_a_full_tile_stands_for_a_partial_one() -> None:
    data = leaves(300)
    later = grow(_nothing, 0, data)

    def read_tile(tile: Tile) -> bytes:
        return later[Tile(tile.level, tile.index)] if tile.index == 0 and tile.level == 0 else later[tile]

    assert root_from_tiles(read_tile, 200) == tree_hash(data[:200])


def test_a_tile_of_another_size_is_refused() -> None:
    with pytest.raises(JournalError):
        root_from_tiles(lambda _: bytes(64), 3)


def test_the_empty_tree_has_no_tile() -> None:
    assert root_from_tiles(_nothing, 0) == EMPTY_ROOT


def test_entries_of_a_tile_travel_as_a_bundle() -> None:
    data = leaves(64)

    assert split_bundle(entry_bundle(data)) == data
    assert split_bundle(b"") == []


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", entry_bundle([b""] * 257)])
def test_a_bundle_cut_or_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        split_bundle(data)
