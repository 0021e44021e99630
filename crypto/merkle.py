# SPDX-License-Identifier: EUPL-1.2
"""The Merkle log: tree hash, proofs made and checked, tiles (RFC 6962; C2SP tlog-tiles).

Rules
  1. Leaves and nodes are hashed apart (00, 01), so no node passes for a leaf.
  2. Proofs and roots are computed from tiles that are read on demand: O(log n) tiles, whatever the log's size.
  3. A proof is accepted only if it has exactly the hashes that its sizes ask for.
  4. A full tile is 256 hashes; a partial one is named by its width; empty tiles do not exist.

Left to others: events and leaves (crypto.events), checkpoints and proof files (crypto.checkpoint),
writing tiles in order (vault.sequencer).
"""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crypto.algorithms import HASH_SIZE
from crypto.errors import FormatError, JournalError
from crypto.events import BATCH, Event, EventKind, dummy_leaf, leaf_data

__all__ = [
    "BATCH",
    "Event",
    "EventKind",
    "ReadTile",
    "Tile",
    "consistency_proof",
    "dummy_leaf",
    "entry_bundle",
    "grow",
    "inclusion_proof",
    "leaf_data",
    "leaf_hash",
    "node_hash",
    "root_from_tiles",
    "split_bundle",
    "tree_hash",
    "verify_consistency",
    "verify_inclusion",
]

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_SIZE = 2**63 - 1
MAX_LEVEL = 63  # C2SP tlog-tiles
_GROUP = 1000  # C2SP tlog-tiles: an index is written in groups of three digits
EMPTY_ROOT = hashlib.sha256().digest()


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile of hashes: its level, its index within the level, its width (256 when full)."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not (0 <= self.level <= MAX_LEVEL and self.index >= 0 and 1 <= self.width <= TILE_WIDTH):
            raise JournalError("there is no such tile")

    @property
    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]`."""
        return f"tile/{self.level}/{_index_path(self.index, self.width)}"

    @property
    def entries_path(self) -> str:
        """`tile/entries/<N>[.p/<W>]`: the bundle of leaves under a tile of level 0."""
        return f"tile/entries/{_index_path(self.index, self.width)}"


ReadTile = Callable[[Tile], bytes]
"""Gives the bytes of exactly that tile (32 × width), or raises; a full tile may stand for a partial one."""


def leaf_hash(leaf: bytes) -> bytes:
    """H(00 ‖ leaf data)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """H(01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of leaf data; of none, the hash of nothing."""
    return root_of_hashes([leaf_hash(leaf) for leaf in leaves])


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """MTH of leaf hashes."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) - len(level) % 2 :]
    return level[0]


def verify_inclusion(leaf: bytes, proof: Sequence[bytes], *, index: int, size: int, root: bytes) -> None:
    """Check that leaf data stands at `index` of the tree of `size` with this root.

    Raises:
        JournalError: it does not, or the proof has not exactly the hashes it must have.
    """
    if not 0 <= index < size:
        raise JournalError("the place lies outside the tree")
    _require_hashes(proof)
    inner = (index ^ (size - 1)).bit_length()
    border = (index >> inner).bit_count()
    if len(proof) != inner + border:
        raise JournalError(f"{len(proof)} hashes where {inner + border} are needed")
    node = leaf_hash(leaf)
    for height, sibling in enumerate(proof[:inner]):
        node = node_hash(sibling, node) if index >> height & 1 else node_hash(node, sibling)
    for sibling in proof[inner:]:
        node = node_hash(sibling, node)
    if node != root:
        raise JournalError("the entry is not in the tree")


def verify_consistency(proof: Sequence[bytes], *, old: tuple[int, bytes], new: tuple[int, bytes]) -> None:
    """Check that the tree `old` (size, root) is the beginning of the tree `new`.

    Raises:
        JournalError: it is not: something was removed, edited or reordered.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    _require_hashes(proof)
    if not 0 <= old_size <= new_size:
        raise JournalError("the newer tree is smaller")
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected:
            raise JournalError("the trees differ")
        return
    ranges = list(_subproof(old_size, 0, new_size, is_whole=True))
    if len(proof) != len(ranges):
        raise JournalError(f"{len(proof)} hashes where {len(ranges)} are needed")
    known = dict(zip(ranges, proof, strict=True))
    if old_size & (old_size - 1) == 0:
        known[0, old_size] = old_root  # a node of the newer tree, so it is no part of the proof
    if (_root_of(0, old_size, known), _root_of(0, new_size, known)) != (old_root, new_root):
        raise JournalError("the newer tree does not begin with the older one")


def inclusion_proof(read_tile: ReadTile, *, index: int, size: int) -> list[bytes]:
    """Hashes that lead from one leaf to the root of the tree of `size` (leaf's sibling first)."""
    if not 0 <= index < size:
        raise JournalError("the place lies outside the tree")
    reader = _Reader(read_tile, size)
    return [reader.hash_of(low, high) for low, high in _path(index, 0, size)]


def consistency_proof(read_tile: ReadTile, *, old_size: int, new_size: int) -> list[bytes]:
    """Hashes that show the tree of `old_size` to be the beginning of that of `new_size`."""
    if not 0 <= old_size <= new_size:
        raise JournalError("the newer tree is smaller")
    if old_size in (0, new_size):
        return []
    reader = _Reader(read_tile, new_size)
    return [reader.hash_of(low, high) for low, high in _subproof(old_size, 0, new_size, is_whole=True)]


def root_from_tiles(read_tile: ReadTile, size: int) -> bytes:
    """The root of the tree of `size`."""
    return EMPTY_ROOT if size == 0 else _Reader(read_tile, size).hash_of(0, size)


def grow(read_tile: ReadTile, size: int, leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """The tiles that appending leaf data to a tree of `size` makes new, full and partial, lower levels first.

    Only the rightmost tiles of the old tree are read. Partial tiles are those of the new size.
    """
    grown: dict[Tile, bytes] = {}
    start, added = size, [leaf_hash(leaf) for leaf in leaves]
    level = 0
    while added:
        begin = start - start % TILE_WIDTH
        known = read_tile(Tile(level, start // TILE_WIDTH, start % TILE_WIDTH)) if start % TILE_WIDTH else b""
        hashes = _split(known, start % TILE_WIDTH) + added
        for offset in range(0, len(hashes), TILE_WIDTH):
            chunk = hashes[offset : offset + TILE_WIDTH]
            grown[Tile(level, (begin + offset) // TILE_WIDTH, len(chunk))] = b"".join(chunk)
        full = len(hashes) // TILE_WIDTH
        added = [root_of_hashes(hashes[i * TILE_WIDTH : (i + 1) * TILE_WIDTH]) for i in range(full)]
        start, level = start // TILE_WIDTH, level + 1
    return grown


def entry_bundle(leaves: Sequence[bytes]) -> bytes:
    """Leaves of one level-0 tile as served beside it: each after its length as u16."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def split_bundle(data: bytes) -> list[bytes]:
    """Leaves of an entry bundle; FormatError when cut or too long."""
    leaves: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if position + 2 > len(data) or end > len(data) or len(leaves) == TILE_WIDTH:
            raise FormatError("a bundle of entries is cut or too long")
        leaves.append(data[position + 2 : end])
        position = end
    return leaves


class _Reader:
    """Hashes of aligned and right-edge ranges of one tree, from its tiles, each read once."""

    def __init__(self, read_tile: ReadTile, size: int) -> None:
        self._size = size
        self._hashes = functools.cache(lambda tile: _split(read_tile(tile), tile.width))

    def hash_of(self, low: int, high: int) -> bytes:
        """MTH(D[low:high]) where the range is a node of the tree."""
        length = high - low
        if length & (length - 1):  # at the right edge: not a power of two, split as the tree does
            middle = low + _split_point(length)
            return node_hash(self.hash_of(low, middle), self.hash_of(middle, high))
        level, rest = divmod(length.bit_length() - 1, TILE_HEIGHT)
        start, width = low >> (level * TILE_HEIGHT), 1 << rest
        tile = self._tile(level, start // TILE_WIDTH)
        place = start % TILE_WIDTH
        return root_of_hashes(self._hashes(tile)[place : place + width])

    def _tile(self, level: int, index: int) -> Tile:
        complete = self._size >> (level * TILE_HEIGHT)
        return Tile(level, index, min(TILE_WIDTH, complete - index * TILE_WIDTH))


def _split_point(size: int) -> int:
    """The largest power of two below `size` (RFC 6962's k)."""
    return 1 << ((size - 1).bit_length() - 1)


def _path(index: int, low: int, high: int) -> Iterator[tuple[int, int]]:
    """Ranges of an inclusion proof, leaf's sibling first (RFC 6962 2.1.1)."""
    if high - low == 1:
        return
    middle = low + _split_point(high - low)
    if index < middle:
        yield from _path(index, low, middle)
        yield middle, high
    else:
        yield from _path(index, middle, high)
        yield low, middle


def _subproof(old_size: int, low: int, high: int, *, is_whole: bool) -> Iterator[tuple[int, int]]:
    """Ranges of a consistency proof (RFC 6962 2.1.2)."""
    if old_size == high:
        if not is_whole:
            yield low, high
        return
    middle = low + _split_point(high - low)
    if old_size <= middle:
        yield from _subproof(old_size, low, middle, is_whole=is_whole)
        yield middle, high
    else:
        yield from _subproof(old_size, middle, high, is_whole=False)
        yield low, middle


def _root_of(low: int, high: int, known: Mapping[tuple[int, int], bytes]) -> bytes:
    """MTH(D[low:high]) from known nodes that make it up."""
    if (low, high) in known:
        return known[low, high]
    middle = low + _split_point(high - low)
    return node_hash(_root_of(low, middle, known), _root_of(middle, high, known))


def _split(data: bytes, width: int) -> list[bytes]:
    if len(data) not in (width * HASH_SIZE, TILE_WIDTH * HASH_SIZE):
        raise JournalError("a tile has not the size that its name says")
    return [data[i : i + HASH_SIZE] for i in range(0, width * HASH_SIZE, HASH_SIZE)]


def _require_hashes(proof: Sequence[bytes]) -> None:
    if any(len(one) != HASH_SIZE for one in proof):
        raise JournalError("a proof is made of 32-byte hashes")


def _index_path(index: int, width: int) -> str:
    groups = [f"{index % _GROUP:03d}"]
    while index >= _GROUP:
        index //= _GROUP
        groups.insert(0, f"x{index % _GROUP:03d}")
    return "/".join(groups) + (f".p/{width}" if width < TILE_WIDTH else "")
