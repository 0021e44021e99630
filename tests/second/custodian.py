# SPDX-License-Identifier: EUPL-1.2
"""A second tool of a custodian, written from docs/reference/statements.md alone; imports nothing of ours.

Rules
  1. It makes a contribution from the bundle, a master and a card's name; every check it makes the pages name.
"""

from dataclasses import dataclass
from io import BytesIO

import cbor2

from tests.second.form import SUITE, canonical, digest, label, private_key, public_key, read_note, write_note

ZEROS = bytes(33)
UNOPENED, ABSENT, LEFT_OUT = 1, 3, 4


@dataclass(frozen=True)
class Frame:
    """One section of a bundle."""

    section: int
    value: bytes


def frames_of(bundle: bytes) -> list[Frame]:
    """The frames of a bundle with their first value; refuses one that was cut."""
    stream = BytesIO(bundle)
    assert stream.readline() == b"bidvault/bundle/v1\n"
    read = []
    while size := stream.read(4):
        read.append(cbor2.loads(stream.read(int.from_bytes(size, "big"))))
    assert read.pop() == [10, sum(frame[0] == 9 for frame in read)]
    return [Frame(frame[0], frame[1]) for frame in read]


def contribute(bundle: bytes, *, kid: bytes, master: bytes) -> bytes:
    """The signed contribution to the opening of a bundle."""
    frames = frames_of(bundle)
    opening = read_note(next(frame.value for frame in frames if frame.section == 8))
    said = cbor2.loads(opening.payload)
    listed = [entry for frame in frames if frame.section == 3 for entry in cbor2.loads(frame.value)]
    headers = [frame.value for frame in frames if frame.section == 9]
    assert len(headers) == len(listed)
    left_out = set(said.get(7, []))
    shares, failures = [], []
    for index, (entry, framed) in enumerate(zip(listed, headers, strict=True)):
        share, reason = (ZEROS, LEFT_OUT) if index in left_out else _share(framed, entry, kid=kid, master=master)
        shares.append(share)
        if reason:
            failures.append([index, reason])
    info = label("contribution") + opening.id + kid
    sealed = SUITE.encrypt(b"".join(shares), public_key(said[4]), info=info)
    payload = {1: opening.id, 2: kid, 3: sealed, 4: failures}
    return write_note("contribution", payload, name=f"bidvault/custodian/{kid.hex()}", master=master)


def _share(framed: bytes, entry: list[bytes], *, kid: bytes, master: bytes) -> tuple[bytes, int]:
    if digest(framed) != entry[1]:
        return ZEROS, ABSENT
    header = cbor2.loads(framed[16:])
    core_hash = digest(canonical({key: header[key] for key in range(1, 6)}))
    role, _, slots = header[6][0]
    commit, slot = next((commit, slot) for holder, commit, slot in slots if holder == kid)
    info = label("slot") + core_hash + bytes([role]) + kid + commit
    return SUITE.decrypt(slot, private_key(master), info=info), 0
