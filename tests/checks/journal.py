# SPDX-License-Identifier: EUPL-1.2
"""The journal as a log: rows, leaves, places, tiles, signed heads, and the proof of what was acknowledged.

Rules
  1. Each leaf is that of its row's own event and salt; places run from 0 without gap, in the order of the rows.
  2. Each signed head is the tree over the leaves before it; tiles, bundles and heads in the store are those, byte for
     byte. A head in the store that no row knows covers placed rows only: its process was killed before the commit.
  3. What a receipt, a notice or a withdrawal names stands under the newest head, once it is placed.
  4. An entry of a closed box names its procedure; one of an open box names nothing.
"""

from collections.abc import Iterator
from itertools import pairwise

from crypto.checkpoint import LogProof, read_checkpoint
from crypto.deposit import Receipt, Registration, Withdrawal
from crypto.errors import CryptoError
from crypto.events import BATCH, leaf_data
from crypto.merkle import Tile, entry_bundle, grow, inclusion_proof, root_from_tiles
from tests.checks.stored import Finding, Stored, Told
from vault.envelopes import PUBLIC_AFTER
from vault.errors import VaultError
from vault.journal import NO_PROCEDURE
from vault.store.names import CHECKPOINTS, checkpoint_name, tile_name


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    placed = sorted((one for one in stored.told if one.row.position is not None), key=lambda one: one.row.position or 0)
    yield from _leaves(stored)
    yield from _places(stored, placed)
    leaves = [one.row.leaf for one in placed]
    derived = _derived(stored, leaves)
    yield from _heads(stored, leaves, derived)
    yield from _tiles(stored, leaves, derived)
    yield from _proofs(stored)
    yield from _names(stored)


def _leaves(stored: Stored) -> Iterator[Finding]:
    for one in stored.told:
        if one.facts and one.event and leaf_data(one.event, one.facts.salt) != one.row.leaf:
            yield Finding("leaf-of-another-event", f"journal row {one.seq}")


def _places(stored: Stored, placed: list[Told]) -> Iterator[Finding]:
    for place, one in enumerate(placed):
        if one.row.position != place:
            yield Finding("gap-in-the-log", f"journal row {one.seq} has place {one.row.position}, not {place}")
            return
    if len(placed) % BATCH:
        yield Finding("log-not-padded", f"{len(placed)} placed rows")
    ends = [0, *(row.size for row in stored.checkpoints), len(placed)]
    for start, end in pairwise(ends):
        rows = [one.seq for one in placed[start:end]]
        if rows != sorted(rows):
            yield Finding("log-out-of-order", f"places {start} to {end}")


def _derived(stored: Stored, leaves: list[bytes]) -> dict[Tile, bytes]:
    """The tiles that these heads over these leaves make."""
    tiles: dict[Tile, bytes] = {}
    for start, end in pairwise([0, *(row.size for row in stored.checkpoints)]):
        tiles.update(grow(tiles.__getitem__, start, leaves[start:end]))
    return tiles


def _heads(stored: Stored, leaves: list[bytes], tiles: dict[Tile, bytes]) -> Iterator[Finding]:
    verifier = stored.works.service_keys.journal.verifier
    for row in stored.checkpoints:
        where = f"head of {row.size}"
        try:
            said = read_checkpoint(row.note, journal=verifier)
        except CryptoError as error:
            yield Finding("head-not-signed", f"{where}: {error}")
            continue
        is_whole = said.size == row.size <= len(leaves)
        if not is_whole or not said.root == row.root == root_from_tiles(tiles.__getitem__, row.size):
            yield Finding("head-of-another-tree", where)
        if _object(stored, checkpoint_name(row.size)) != row.note:
            yield Finding("head-not-in-the-store", where)
    known = {checkpoint_name(row.size) for row in stored.checkpoints}
    for name in stored.objects:
        if name.startswith(CHECKPOINTS) and name not in known and int(name.removeprefix(CHECKPOINTS)) != len(leaves):
            yield Finding("head-without-row", name)


def _tiles(stored: Stored, leaves: list[bytes], tiles: dict[Tile, bytes]) -> Iterator[Finding]:
    for tile, hashes in tiles.items():
        if _object(stored, tile_name(tile.path)) != hashes:
            yield Finding("tile-not-as-derived", tile.path)
        if tile.level == 0:
            bundle = entry_bundle(leaves[tile.index * 256 : tile.index * 256 + tile.width])
            if _object(stored, tile_name(tile.entries_path)) != bundle:
                yield Finding("bundle-not-as-derived", tile.entries_path)


def _proofs(stored: Stored) -> Iterator[Finding]:
    """Rule 3, from the stored tiles alone, as an auditor would."""
    places = {one.row.leaf: one.row.position for one in stored.told}
    head = stored.checkpoints[-1] if stored.checkpoints else None
    for where, leaf in _acknowledged(stored):
        if leaf not in places:
            yield Finding("acknowledged-not-in-the-journal", where)
            continue
        place = places[leaf]
        if head is None or place is None or place >= head.size:
            continue
        try:
            hashes = inclusion_proof(
                lambda tile: _object(stored, tile_name(tile.path)) or b"", index=place, size=head.size
            )
            LogProof(place, tuple(hashes), head.note).verify(leaf, journal=stored.works.service_keys.journal.verifier)
        except (CryptoError, VaultError, ValueError) as error:
            yield Finding("acknowledged-not-provable", f"{where}: {error}")


def _acknowledged(stored: Stored) -> Iterator[tuple[str, bytes]]:
    for kept in stored.envelopes.values():
        if kept.facts.receipt:
            ruling = Receipt.decode(kept.facts.receipt).ruling
            yield f"receipt of {kept.id}", leaf_data(ruling.event, ruling.salt)
        if kept.facts.registration:
            notice = Registration.decode(kept.facts.registration)
            yield f"notice of {kept.id}", leaf_data(notice.event, notice.salt)
        if kept.facts.withdrawal:
            ruling = Withdrawal.decode(kept.facts.withdrawal).ruling
            yield f"withdrawal of {kept.id}", leaf_data(ruling.event, ruling.salt)


def _names(stored: Stored) -> Iterator[Finding]:
    """Rule 4."""
    public = {(row.procedure_id, row.number) for row in stored.boxes.values() if row.state in PUBLIC_AFTER}
    for one in stored.told:
        if one.event is None or one.facts is None or one.event.procedure == NO_PROCEDURE.bytes:
            continue
        named = one.row.procedure_id
        if named is not None and named.bytes != one.event.procedure:
            yield Finding("entry-names-another-procedure", f"journal row {one.seq}")
        if named is None and any(
            procedure.bytes == one.event.procedure and number == one.facts.box for procedure, number in public
        ):
            yield Finding("entry-of-a-closed-box-hidden", f"journal row {one.seq}, {one.event.kind.value}")
        if named is not None and _is_of_open_deposits(stored, one):
            yield Finding("entry-of-an-open-box-shown", f"journal row {one.seq}, {one.event.kind.value}")


def _is_of_open_deposits(stored: Stored, one: Told) -> bool:
    if one.facts is None or one.event is None or not one.event.kind.value.startswith(("deposit.", "envelope.")):
        return False
    box = next(
        (
            row
            for row in stored.boxes.values()
            if (row.procedure_id, row.number) == (one.row.procedure_id, one.facts.box)
        ),
        None,
    )
    return box is not None and box.state not in PUBLIC_AFTER


def _object(stored: Stored, name: str) -> bytes | None:
    """What lies under a name that is written once; None where nothing does, or something was laid over it."""
    versions = stored.objects.get(name, ())
    if len(versions) != 1 or versions[0].is_marker:
        return None
    return stored.works.store.get_range(name, versions[0].version_id, offset=0, size=versions[0].size)
