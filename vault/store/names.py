# SPDX-License-Identifier: EUPL-1.2
"""How things in the stores are named: no name tells a procedure, a bidder or a time (protocol 3.10, 4.12).

Tiles keep the paths of C2SP tlog-tiles, so that an auditor's tool can read them; `tile_name` only puts the prefix.
"""

ID_BYTES = 16

OBJECTS = "o/"
CHECKPOINTS = "checkpoint/"
TILES = "tile/"
TEXTS = "text/"
PRINTS = "print/"
CHECKS = "check/"
MIRRORS = "mirror/"


def object_name(object_id: bytes) -> str:
    """Name of a sealed envelope; the id is random and is not the envelope's."""
    return OBJECTS + _id_hex(object_id)


def key_name(kind: int, key_id: bytes) -> str:
    """Name of a wrapped key in the key store: `<kind>/<id hex>`, kinds as protocol 2.6 numbers them."""
    return f"{int(kind)}/{_id_hex(key_id)}"


def key_kind_prefix(kind: int) -> str:
    """What all keys of one kind begin with; the slash keeps 1 apart from 10."""
    return f"{int(kind)}/"


def key_id(name: str) -> bytes:
    """The id in a key's name."""
    return bytes.fromhex(name.rpartition("/")[2])


def checkpoint_name(size: int) -> str:
    """Name of the signed checkpoint of a tree of `size` leaves; zero-filled, so the last by name is the largest."""
    return f"{CHECKPOINTS}{size:020d}"


def mirror_name(number: int) -> str:
    """Name of one copy of rows; zero-filled, so that names sort as numbers do."""
    return f"{MIRRORS}{number:020d}"


def tile_name(path: str) -> str:
    """Name of a tile by its C2SP path, which begins with `tile/`."""
    return path if path.startswith(TILES) else TILES + path


def text_name(digest: bytes) -> str:
    """Name of a policy, list or statement kept under the SHA-256 of its bytes, so recovery can adopt it."""
    return TEXTS + digest.hex()


def print_name(print_id: bytes) -> str:
    """Name of a stored print (PDF)."""
    return PRINTS + _id_hex(print_id)


def _id_hex(value: bytes) -> str:
    if len(value) != ID_BYTES:
        message = f"an id has {ID_BYTES} bytes, not {len(value)}"
        raise ValueError(message)
    return value.hex()
