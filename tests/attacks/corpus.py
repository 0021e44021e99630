# SPDX-License-Identifier: EUPL-1.2
"""One good specimen of everything that is read from outside, and what reads it: to be damaged, seeded, by thousands.

Rules
  1. What is read is one encoding: a reader that accepts damaged bytes gives them back as they were given (another
     value), or the bytes are authenticated and nothing but a refusal may come.
  2. Damage is blind, or knows CBOR and repairs lengths and base64 around it, so that it arrives where it is aimed.

Left to others: the damage itself (tests.attacks.damage), counting and judging (tests.attacks.test_corpus).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Protocol

from crypto.bid_key import BidKey
from crypto.bundle import MAGIC as BUNDLE_MAGIC
from crypto.bundle import BundleReader, write_bundle
from crypto.certificates import RevocationEvidence, chain_to_anchor, make_anchor, read_anchors
from crypto.checkpoint import LogProof, read_checkpoint
from crypto.closings import EnvelopeList
from crypto.deposit import Withdrawal
from crypto.encoding import u32
from crypto.errors import CryptoError
from crypto.header import MAGIC, PREFIX_SIZE, decode_header
from crypto.hpke import KemKey
from crypto.keys.file import open_key_file, read_key_file
from crypto.manifest import Manifest
from crypto.merkle import consistency_proof, grow, split_bundle, verify_consistency
from crypto.pades import read_attachments
from crypto.policy import read_card_file, require_in_force, write_card_file
from crypto.reader import EnvelopeReader, bytes_reader
from crypto.receipt_evidence import ReceiptEvidence
from crypto.sealing import recover_file_key
from crypto.slots import open_slot
from crypto.statement import Kind, Statement, Verifier, parse_note, parse_signed_note, parse_text
from crypto.stream import CobDecryptor, CobEncryptor
from crypto.timestamp import VerifiedTimestamp, build_request, judge_token, token_certificates, token_of
from crypto.wraps import WrapKind, unwrap, wrap
from tests.attacks.damage import damaged, pieces, rewritten
from tests.crypto import test_ceremony as said
from tests.crypto import test_checkpoint as heads
from tests.crypto import test_deposit as deposits
from tests.crypto.holders import BIDDER, head_of
from tests.crypto.procedure import VAULT, Told
from tests.crypto.test_key_file import QUICK
from tests.crypto.test_merkle import _nothing, leaves
from tests.crypto.test_pades import signed
from tests.world import pki
from tests.world.authority import SimulatedAuthority

PLANTED = b"PLANTED: the price is 41 998.00 EUR. " * 2000  # what no refusal may let out
IMPRINT = bytes(range(32))


@dataclass(frozen=True)
class Specimen:
    """Good bytes and their reader.

    Attributes:
        name: what it is.
        good: what its reader accepts.
        read: reads; gives the one encoding of what it read, or None where the bytes are authenticated as a whole.
        payload: the CBOR inside, for damage that knows it; empty where there is none.
        around: puts a damaged payload back where it was, lengths and base64 repaired.
    """

    name: str
    good: bytes = field(repr=False)
    read: Callable[[bytes], bytes | None]
    payload: bytes = field(default=b"", repr=False)
    around: Callable[[bytes], bytes] = bytes

    def damages(self, seed: int, count: int) -> Iterator[bytes]:
        """So many damaged forms, the same for one seed."""
        rng = Random(f"{self.name} {seed}")
        for number in range(count):
            if self.payload and number % 2:
                yield self.around(rewritten(self.payload, rng))
            else:
                yield damaged(self.good, rng)


class Encoded(Protocol):
    """A value that has bytes."""

    def encode(self) -> bytes: ...


def decoded(value: Encoded, data: bytes) -> Encoded:
    """What the value's class decodes."""
    decode: Callable[[bytes], Encoded] = type(value).decode  # type: ignore[attr-defined]
    return decode(data)


def _value(name: str, value: Encoded) -> Specimen:
    """A value whose class decodes what it encodes."""
    data = value.encode()
    return Specimen(name, data, lambda given: decoded(value, given).encode(), data)


def _told_values() -> Iterator[Specimen]:
    values: dict[str, Encoded] = {
        "closing": replace(said.CLOSING, decision=bytes(32)),
        "opening": said.OPENING,
        "contribution": said.CONTRIBUTION,
        "keyed": said.KEYED,
        "minutes": said.MINUTES,
        "rehearsal": said.REHEARSAL,
        "decision": said.DECISION,
        "list of envelopes": EnvelopeList((said.ONE, said.TWO)),
        "list entry": said.ONE,
        "deposit record": deposits.RECORD,
        "withdrawal record": deposits.WITHDRAWN,
        "receipt": deposits.RECEIPT,
        "withdrawal": Withdrawal(deposits.WITHDRAWN, deposits.RULING),
        "notice": deposits.NOTICE,
        "event": deposits.EVENT,
        "revocation evidence": _authority().evidence(),
        "receipt's evidence": _receipt_evidence(),
        "manifest": Manifest(BIDDER, bytes(32), _reader().manifest.documents),
        "policy": _told().policy,
    }
    for name, value in values.items():
        yield _value(name, value)


def _framed(name: str, kind: Kind, payload: bytes, read: Callable[[bytes], bytes | None]) -> Specimen:
    """Two unsigned lines around a payload."""
    return Specimen(name, Statement(kind, payload).note, read, payload, lambda given: Statement(kind, given).note)


def _files() -> Iterator[Specimen]:
    card = write_card_file(_told().policy.groups[0].cards[0])
    yield _framed(
        "card file",
        Kind.CARD,
        parse_text(card, Kind.CARD).payload,
        lambda given: write_card_file(read_card_file(given)),
    )
    key = _told().holders.custodians[0].seal_into_file("passphrase", strength=QUICK)
    yield _framed("key file", Kind.KEY, parse_text(key, Kind.KEY).payload, _read_key_file)
    yield Specimen("key file, opened", key, lambda given: _none(_open_key_file(given)))
    bid_key = BidKey(bytes(32), 1, bytes(16), bytes(32), bytes(32), 5000, bytes(32))
    yield Specimen("bid key", bid_key.encode(), lambda given: BidKey.decode(given).encode())
    vkey = _told().policy.statement_vkey.encode()
    yield Specimen(
        "verification key", vkey, lambda given: Verifier.parse(given.decode("latin-1")).vkey.encode("latin-1")
    )


def _read_key_file(data: bytes) -> bytes:
    return _same(data, read_key_file(data))


def _open_key_file(data: bytes) -> object:
    """Opened only where it asks for little: what a damaged file may ask for is bounded, not small."""
    strength = read_key_file(data).strength
    if strength != QUICK:
        raise CryptoError("asks for more work than this test gives")
    return open_key_file(data, "passphrase")


def _notes() -> Iterator[Specimen]:
    signed_policy = _told().signed()
    yield Specimen("signed policy", signed_policy.note, _in_force, signed_policy.payload, _signed_policy)
    checkpoint = heads.head().signed_by(heads.JOURNAL)
    yield Specimen("checkpoint", checkpoint, _read_checkpoint)
    proof = heads.proof(extra=b"extra").encode()
    yield Specimen("proof file", proof, _read_proof)


def _read_checkpoint(data: bytes) -> bytes:
    """A note may carry a signature line twice, or others' lines: the text is what is signed."""
    read_checkpoint(data, journal=heads.JOURNAL.verifier)
    return parse_signed_note(data).note


def _in_force(data: bytes) -> bytes:
    statement = parse_note(data, Kind.POLICY)
    require_in_force(statement)
    return statement.note


def _signed_policy(payload: bytes) -> bytes:
    """A damaged payload signed by whoever signs such things: the decoder alone stands against it."""
    return Statement(Kind.POLICY, payload).signed_by(VAULT).note


def _read_proof(data: bytes) -> bytes | None:
    proof = LogProof.decode(data)
    proof.verify(heads.LEAVES[40], journal=heads.JOURNAL.verifier)
    return proof.encode()


def _log() -> Iterator[Specimen]:
    bundle = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves(64))
    yield Specimen(
        "bundle of entries",
        bundle,
        lambda given: b"".join(len(one).to_bytes(2, "big") + one for one in split_bundle(given)),
    )
    hashes = consistency_proof(grow(_nothing, 0, heads.LEAVES).__getitem__, old_size=37, new_size=100)
    yield Specimen("consistency proof", b"".join(hashes), _verify_consistency)


def _verify_consistency(data: bytes) -> None:
    hashes = [data[place : place + 32] for place in range(0, len(data), 32)]
    verify_consistency(hashes, old=(37, heads.head(37).root), new=(100, heads.head().root))


def _sealed() -> Iterator[Specimen]:
    whole = _envelope()
    framed = head_of(whole).header.framed
    header = framed[PREFIX_SIZE:]
    yield Specimen("header", framed, lambda given: decode_header(given).framed, header, _with_prefix)
    yield Specimen("envelope", whole, _open_envelope, header, lambda given: _with_prefix(given) + whole[len(framed) :])
    yield Specimen("body", _body(), _open_body)
    holder = _told().holders.custodians[0]
    yield Specimen(
        "wrap", _wrapped(), lambda given: _none(unwrap(bytes(32), given, kind=WrapKind.OBJECT, id16=bytes(16)))
    )
    yield Specimen("slot", _slot(), lambda given: _open_slot(given, holder.kem))


def _with_prefix(header: bytes) -> bytes:
    return MAGIC + bytes.fromhex("00010001") + u32(len(header)) + header


def _open_envelope(data: bytes) -> None:
    """All that an opening does with an envelope whose file key is known."""
    reader = EnvelopeReader(bytes_reader(data), len(data), _file_key())
    reader.check(BIDDER)


def _open_body(data: bytes) -> None:
    """A stream in pieces: what leaves before a refusal is the beginning of what was sealed, never another byte."""
    decryptor = CobDecryptor(bytes(32), b"context")
    left = bytearray()
    try:
        for piece in pieces(Random(len(data)), data):
            left += decryptor.update(piece)
        left += decryptor.finish()
    finally:
        assert PLANTED.startswith(bytes(left))


def _open_slot(sealed: bytes, key: KemKey) -> None:
    header = head_of(_envelope()).header
    group = header.groups[0]
    slots = (replace(group.slots[0], sealed=sealed), *group.slots[1:])
    damaged_header = replace(header, groups=(replace(group, slots=slots), *header.groups[1:]))
    open_slot(damaged_header, slots[0].kid, key, kind=header.kind)


def _time() -> Iterator[Specimen]:
    tsa = _authority()
    token, evidence, anchors = tsa.token(IMPRINT), tsa.evidence(), pki.time_anchors()
    request = build_request(IMPRINT)
    leaf = pki.certificate("tsa-a")
    yield Specimen("token", token, lambda given: judge_token(given, IMPRINT, anchors=anchors, evidence=evidence).token)
    yield Specimen("token's certificates", token, lambda given: _same(given, token_certificates(given)))
    yield Specimen("authority's answer", tsa.answer(request.der), lambda given: _same(given, token_of(given, request)))
    yield Specimen("anchor", pki.certificate("time-root-a"), lambda given: make_anchor(given).der)
    yield Specimen("anchors as PEM", pki.anchors_pem("a", "b"), lambda given: _same(given, read_anchors(given)))
    yield Specimen("certificate of a chain", leaf, lambda given: chain_to_anchor([given], anchors=anchors)[0])
    yield Specimen(
        "OCSP answer",
        evidence.ocsps[0],
        lambda given: _same(given, _judge_with(token, RevocationEvidence(evidence.certificates, (given,)))),
    )
    revocations = pki.revocation_list("a", at=said.MOMENT)
    yield Specimen(
        "CRL", revocations, lambda given: _same(given, _judge_with(token, RevocationEvidence((), (), (given,))))
    )


def _judge_with(token: bytes, evidence: RevocationEvidence) -> VerifiedTimestamp:
    return judge_token(token, IMPRINT, anchors=pki.time_anchors(), evidence=evidence)


def _prints() -> Iterator[Specimen]:
    yield Specimen("PDF", signed(), lambda given: _same(given, read_attachments(given)))


def _bundles() -> Iterator[Specimen]:
    told = _told()
    sealed = told.seal()
    closed = told.closed([sealed])
    whole = b"".join(write_bundle(told.head(closed, told.supplementary(told.seal())), [sealed.framed, b""]))
    first = len(BUNDLE_MAGIC) + 4
    size = int.from_bytes(whole[first - 4 : first], "big")
    frame, rest = whole[first : first + size], whole[first + size :]
    yield Specimen("bundle", whole, _read_bundle, frame, lambda given: BUNDLE_MAGIC + u32(len(given)) + given + rest)


def _read_bundle(data: bytes) -> bytes:
    reader = BundleReader(io.BytesIO(data))
    return b"".join(write_bundle(reader.head, list(reader.headers())))


def specimens() -> tuple[Specimen, ...]:
    """Everything that is read from outside."""
    return tuple(
        one for source in (_told_values, _files, _notes, _log, _sealed, _time, _prints, _bundles) for one in source()
    )


def _none(_value: object) -> bytes | None:
    """Authenticated as a whole: there is no other value that may be accepted."""
    return None


def _same(given: bytes, _read: object) -> bytes:
    """Of a form that others defined and that we do not write: what was given."""
    return given


@cache
def _told() -> Told:
    return Told()


@cache
def _authority() -> SimulatedAuthority:
    return SimulatedAuthority("a", lambda: said.MOMENT)


def _receipt_evidence() -> ReceiptEvidence:
    anchors = tuple(anchor.der for anchor in pki.time_anchors())
    return ReceiptEvidence((_told().signed().note,), anchors, (_authority().evidence(),))


@cache
def _envelope() -> bytes:
    return _told().holders.seal((("offre/prix.csv", PLANTED),))


@cache
def _file_key() -> bytes:
    head, holders = head_of(_envelope()), _told().holders
    return bytes(recover_file_key(head, holders.shares(head, (*holders.custodians[:2], holders.gates[0]))))


def _reader() -> EnvelopeReader:
    return EnvelopeReader(bytes_reader(_envelope()), len(_envelope()), _file_key())


@cache
def _body() -> bytes:
    encryptor = CobEncryptor(bytes(32), b"context")
    return bytes(encryptor.head + encryptor.update(PLANTED) + encryptor.finish())


@cache
def _wrapped() -> bytes:
    return wrap(bytes(32), bytes(range(32)), kind=WrapKind.OBJECT, id16=bytes(16))


def _slot() -> bytes:
    return head_of(_envelope()).header.groups[0].slots[0].sealed
