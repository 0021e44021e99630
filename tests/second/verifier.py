# SPDX-License-Identifier: EUPL-1.2
"""A second checker of receipts, lists and journal entries, written from the reference pages; imports nothing of ours.

Rules
  1. Every check raises where it does not hold; what the pages do not say is not here.
  2. A token's signature is openssl's to judge; here its imprint and its time are read.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cbor2
from asn1crypto.cms import ContentInfo
from asn1crypto.tsp import TSTInfo

from tests.second.form import Note, canonical, digest, label, read_note, require_signed

PROMPT, TOLERANCE, ACCURACY = 30_000, 1_000, 1_000  # milliseconds
IN_TIME, LATE, REVIEW = 1, 2, 3


@dataclass(frozen=True)
class Receipt:
    """A receipt whose signature, tokens and verdict hold."""

    note: Note
    record: Mapping[int, bytes]
    payload: Mapping[int, object]
    journal_vkey: str


def check_receipt(note: bytes, evidence: bytes) -> Receipt:
    """The receipt by the evidence beside it: signature, imprint, verdict."""
    receipt = read_note(note)
    assert receipt.kind == "receipt"
    payload = cbor2.loads(receipt.payload)
    record = payload[1]
    policies = {digest(one.payload): cbor2.loads(one.payload) for one in map(read_note, cbor2.loads(evidence)[1])}
    judged = policies[payload[10]]
    assert record[1] in policies
    journal_vkey, statement_vkey = judged[12]
    require_signed(receipt, statement_vkey)
    stamped = [time_of(token, imprint=digest(canonical(record))) for token in payload[5]]
    deadline = next(box[3] for box in judged[9] if box[0] == record[2])
    assert payload[2] in (verdict(min(stamped), last=record[10], deadline=deadline), REVIEW)
    return Receipt(receipt, record, payload, journal_vkey)


def time_of(token: bytes, *, imprint: bytes) -> tuple[int, int, int]:
    """A token's earliest, own and latest time in milliseconds."""
    info: TSTInfo = ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == imprint
    at = round(info["gen_time"].native.timestamp() * 1000)
    given = info["accuracy"].native
    width = ACCURACY
    if given:
        micros = given["micros"] or 0
        width = (given["seconds"] or 0) * 1000 + (given["millis"] or 0) + -(-micros // 1000)
    return at - width, at, at + width


def verdict(stamped: tuple[int, int, int], *, last: int, deadline: int) -> int:
    """The table of the page."""
    lo, at, hi = stamped
    if hi <= deadline or (last <= deadline and at - last <= PROMPT):
        return IN_TIME
    return LATE if last > deadline + TOLERANCE and lo > deadline else REVIEW


def require_documents(receipt: Receipt, documents: Mapping[str, bytes], *, secret: bytes) -> None:
    """The receipt is about exactly these documents, in this order."""
    tag_key = hmac.digest(secret, label("tag-key") + receipt.record[3], hashlib.sha256)
    listed = canonical([[path, len(content), digest(content)] for path, content in documents.items()])
    assert hmac.digest(tag_key, label("documents") + listed, hashlib.sha256) == receipt.record[11]


def require_entry(receipt: Receipt, proof: bytes) -> None:
    """The receipt's entry is in the journal of the proof's checkpoint."""
    event = receipt.payload[7]
    assert isinstance(event, Mapping)
    assert event[1] == "envelope.sealed"
    assert event[4] == digest(canonical(receipt.record))
    assert event[5] == bytes([int(str(receipt.payload[2]))])
    salt = receipt.payload[8]
    assert isinstance(salt, bytes)
    leaf = digest(b"\0\1" + digest(label("entry") + salt + canonical(event)))
    head, _, checkpoint = proof.partition(b"\n\n")
    first, index, *path = [line for line in head.decode().split("\n") if not line.startswith("extra ")]
    assert first == "c2sp.org/tlog-proof@v1"
    note = read_note(checkpoint)
    require_signed(note, receipt.journal_vkey)
    _, size, root = note.text.removesuffix("\n").split("\n")
    hashes = [base64.b64decode(one, validate=True) for one in path]
    place = int(index.removeprefix("index "))
    assert climb(leaf, hashes, index=place, size=int(size)) == base64.b64decode(root)


def climb(leaf: bytes, path: Sequence[bytes], *, index: int, size: int) -> bytes:
    """The root that an audit path leads to (RFC 9162, 2.1.3.2)."""
    node, last, found = index, size - 1, leaf
    for beside in path:
        assert last > 0
        if node & 1 or node == last:
            found = digest(b"\1" + beside + found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = digest(b"\1" + found + beside)
        node, last = node >> 1, last >> 1
    assert last == 0
    return found


def require_listed(receipt: Receipt, *, closing: bytes, entries: bytes, vkey: str) -> None:
    """The envelope of a receipt is in the list of a closing, and the list is the closing's."""
    note = read_note(closing)
    require_signed(note, vkey)
    said, listed = cbor2.loads(note.payload), cbor2.loads(entries)
    assert (len(listed), tree([digest(b"\0" + canonical(one)) for one in listed])) == (said[3], said[4])
    assert [receipt.record[key] for key in (3, 5, 6, 7)] in listed


def tree(leaves: Sequence[bytes]) -> bytes:
    """The root of RFC 6962 over hashes of leaves."""
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return digest(b"\1" + tree(leaves[:left]) + tree(leaves[left:]))
