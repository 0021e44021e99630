# SPDX-License-Identifier: EUPL-1.2
"""The code gives the bytes that the protocol prints (protocol §7)."""

import hashlib

from crypto.algorithms import SLOT_SIZE
from crypto.encoding import sha256
from crypto.header import EnvelopeKind, Header, Secrets, decode_header
from crypto.hpke import KemKey
from crypto.keys.file import MasterKey
from crypto.manifest import Document, Manifest, padded_length, tag_key
from crypto.policy import Role
from crypto.sealing import (
    BodySealer,
    EnvelopeReader,
    bytes_reader,
    file_key,
    object_context,
    open_slot,
    read_head,
    recover_file_key,
    seal_whole,
)
from crypto.shares import split
from crypto.stream import CobDecryptor, CobEncryptor
from crypto.wraps import WrapKind, unwrap, wrap
from tests.vectors import protocol


def first(data: bytes | bytearray) -> str:
    """The first 16 bytes, as the protocol prints digests and keys."""
    return data[:16].hex()


def header() -> Header:
    """The protocol's header."""
    return decode_header(protocol.FRAMED_HEADER)


def sealer() -> BodySealer:
    """Seals the protocol's envelope."""
    key = file_key(Secrets(bytearray(protocol.CUSTODIANS_SECRET), bytearray(protocol.GATES_SECRET)))
    envelope_tag_key = tag_key(protocol.DEPOSIT_SECRET, protocol.ENVELOPE_ID)
    return BodySealer(header(), key, bidder=protocol.BIDDER, envelope_tag_key=envelope_tag_key, salt=protocol.SALT)


def test_a_master_gives_the_printed_keys() -> None:
    custodian = MasterKey(Role.CUSTODIAN, protocol.CUSTODIAN_MASTER)

    assert KemKey(bytes.fromhex(protocol.XWING_SEED)).public == custodian.kem.public
    assert first(sha256(custodian.kem.public)) == protocol.KEM_DIGEST
    assert first(custodian.sig) == protocol.SIGNING_PUBLIC
    assert custodian.kid.hex() == protocol.CUSTODIAN_KID
    assert MasterKey(Role.GATE, protocol.GATE_MASTER).kid.hex() == protocol.GATE_KID


def test_the_printed_seed_expands_as_printed() -> None:
    expanded = hashlib.shake_256(bytes.fromhex(protocol.XWING_SEED)).hexdigest(96)

    assert expanded.startswith("ba8ef9b1b5faef25")
    assert expanded.endswith("ff03ad1e")


def test_a_secret_splits_into_the_printed_shares() -> None:
    shares = split(protocol.CUSTODIANS_SECRET, 2, 3, coefficients=[protocol.counting(0x60, 32)])

    assert [share[32] for share in shares] == [1, 2, 3]
    assert all(share.hex().startswith(printed) for share, printed in zip(shares, protocol.SHARES, strict=True))


def test_the_header_has_the_printed_hashes() -> None:
    read = header()

    assert read.policy_hash == protocol.POLICY_HASH
    assert (read.box, read.envelope_id, read.kind) == (1, protocol.ENVELOPE_ID, EnvelopeKind.BID)
    assert first(read.core.hash) == protocol.CORE_HASH
    assert first(read.hash) == protocol.HEADER_HASH
    assert first(read.groups[0].slots[0].commit) == protocol.CUSTODIAN_COMMIT
    assert len(read.groups[0].slots[0].sealed) == SLOT_SIZE


def test_the_printed_slots_open_with_the_masters() -> None:
    custodian = MasterKey(Role.CUSTODIAN, protocol.CUSTODIAN_MASTER)
    gate = MasterKey(Role.GATE, protocol.GATE_MASTER)

    one = open_slot(header(), custodian.kid, custodian.kem, kind=EnvelopeKind.BID)
    other = open_slot(header(), gate.kid, gate.kem, kind=EnvelopeKind.BID)

    assert one == protocol.CUSTODIANS_SECRET + b"\x01"
    assert other == protocol.GATES_SECRET + b"\x01"


def test_the_secrets_give_the_printed_file_key() -> None:
    key = file_key(Secrets(bytearray(protocol.CUSTODIANS_SECRET), bytearray(protocol.GATES_SECRET)))

    assert first(key) == protocol.FILE_KEY


def test_the_envelope_seals_to_the_printed_file() -> None:
    one = sealer()

    sealed = seal_whole(one, protocol.DOCUMENTS)

    assert (len(sealed), first(sha256(sealed))) == (protocol.FILE_SIZE, protocol.FILE_DIGEST)
    assert first(one.prefix[len(protocol.FRAMED_HEADER) + 24 :]) == protocol.COMMITMENT
    assert first(tag_key(protocol.DEPOSIT_SECRET, protocol.ENVELOPE_ID)) == protocol.TAG_KEY
    assert first(one.documents_tag) == protocol.DOCUMENTS_TAG
    assert one.sealed_length == protocol.FILE_SIZE


def test_the_plaintext_is_the_printed_one() -> None:
    sealed = seal_whole(sealer(), protocol.DOCUMENTS)
    key = file_key(Secrets(bytearray(protocol.CUSTODIANS_SECRET), bytearray(protocol.GATES_SECRET)))
    decryptor = CobDecryptor(key, header().body_context)

    plain = decryptor.update(sealed[len(protocol.FRAMED_HEADER) :]) + decryptor.finish()

    assert (len(plain), first(sha256(plain))) == (1024, protocol.PLAINTEXT_DIGEST)


def test_the_manifest_has_the_printed_size() -> None:
    documents = tuple(Document(path, len(data), sha256(data)) for path, data in protocol.DOCUMENTS)

    data = Manifest(protocol.BIDDER, bytes(32), documents).encode()

    assert len(data) == protocol.MANIFEST_SIZE
    assert padded_length(3, len(data)) == 1024


def test_the_printed_file_opens_with_both_holders() -> None:
    sealed = seal_whole(sealer(), protocol.DOCUMENTS)
    custodian = MasterKey(Role.CUSTODIAN, protocol.CUSTODIAN_MASTER)
    gate = MasterKey(Role.GATE, protocol.GATE_MASTER)
    shares = {key.kid: open_slot(header(), key.kid, key.kem, kind=EnvelopeKind.BID) for key in (custodian, gate)}

    key = recover_file_key(read_head(bytes_reader(sealed)), shares)

    reader = EnvelopeReader(bytes_reader(sealed), len(sealed), key)
    assert [document.path for document in reader.check(protocol.BIDDER)] == ["prix.txt", "a/b.txt"]
    assert b"".join(reader.read("prix.txt")) == b"42\n"


def test_a_wrap_is_the_printed_one() -> None:
    parent, key, place = protocol.CUSTODIAN_MASTER, protocol.OBJECT_KEY, protocol.ENVELOPE_ID

    wrapped = wrap(parent, key, kind=WrapKind.OBJECT, id16=place, nonce=protocol.WRAP_NONCE)

    assert wrapped[:12] == protocol.WRAP_NONCE
    assert first(wrapped[12:]) == protocol.WRAP_BEHIND_NONCE
    assert unwrap(parent, wrapped, kind=WrapKind.OBJECT, id16=place) == key


def test_the_outer_layer_is_the_printed_one() -> None:
    sealed = seal_whole(sealer(), protocol.DOCUMENTS)
    outer = CobEncryptor(protocol.OBJECT_KEY, object_context(protocol.ENVELOPE_ID), protocol.SALT)

    kept = outer.head + outer.update(sealed) + outer.finish()

    assert (len(kept), first(sha256(kept))) == (protocol.OBJECT_SIZE, protocol.OBJECT_DIGEST)
