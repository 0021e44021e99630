# SPDX-License-Identifier: EUPL-1.2
"""Bucket, dump, key store, roots, keys in a thief's or the operator's hands: what each gains, what nobody does."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from crypto.deposit import DepositRecord
from crypto.encoding import to_millis
from crypto.errors import WrapError
from crypto.events import EventKind
from crypto.header import MAGIC
from crypto.manifest import Document, documents_tag, tag_key
from crypto.policy import Part
from crypto.statement import Kind
from crypto.wraps import WrapKind
from tests.attacks import attacker
from tests.second import opener
from tests.second.form import label
from tests.vault import convening, depositing
from tests.vault.depositing import CANARY, DOCUMENTS, NAME, announce
from tests.world.world import ACME, PLATFORM, ZENITH, World
from vault import envelopes, receiving
from vault.deposit.announcement import Piece
from vault.deposit.journey import deposit
from vault.envelopes import Kept
from vault.errors import TimeUnproven
from vault.lifecycle import EnvelopeState
from vault.models import Envelope, JournalRow
from vault.store.names import key_name, object_name

BID: dict[str, str | bytes] = {"price": CANARY, "name": NAME, "bidder": ACME, "SIRET": ACME.removeprefix("siret:")}


@pytest.mark.proves("T1", "CONF-02", "CONF-03")
def test_attack_T1_a_stolen_bucket_shows_no_bid_no_name_no_bidder_and_no_mark(open_world: World) -> None:
    given = depositing.send(open_world, depositing.request(open_world))
    record = depositing.receipt_of(given).record

    found = attacker.search(
        depositing.stored(open_world).items(),
        BID
        | {
            "mark": MAGIC,
            "id": record.envelope_id,
            "digest": record.file_hash,
            "procedure": open_world.procedure.bytes,
        },
    )

    assert found == set()


@pytest.mark.proves("T1")
def test_attack_T1_sizes_in_a_bucket_tell_a_padded_length_and_how_many_hold_keys(world: World) -> None:
    sizes: list[int] = []
    for custodians in (2, 2, 3):
        world.publish(world.draft(k=1, n=custodians))
        length = 40_000 + 17 * len(sizes)
        sizes.append(depositing.kept(world, world.deposit(documents={"a.pdf": bytes(length)}).id).facts.length)

    assert sizes[0] == sizes[1]
    assert 1000 < sizes[2] - sizes[1] < 1500  # one custodian's slot: said in docs/threats.md


@pytest.mark.proves("T2", "CONF-02", "CONF-03", "LOG-06")
def test_attack_T2_a_stolen_dump_shows_neither_bidder_nor_digest_nor_time(open_world: World) -> None:
    open_world.time.clock.now += timedelta(milliseconds=1_234_567)  # a moment that nothing public has
    given = depositing.send(open_world, depositing.request(open_world))
    record = depositing.receipt_of(given).record
    digests = {"file": record.file_hash, "header": record.header_hash, "tag": record.documents_tag or b""}

    found = depositing.dump(open_world)

    assert attacker.search([("dump", found)], BID | digests) == set()
    for moment in (record.first_byte_at, record.last_byte_at):
        assert to_millis(moment).to_bytes(8, "big") not in found
        assert moment.isoformat()[:19].encode() not in found
    with open_world.works.open() as work:
        row = work.session.get_one(Envelope, UUID(bytes=record.envelope_id))
        assert (row.procedure_id, row.box_number, row.bidder) == (None, None, None)
        entries = work.session.exec(select(JournalRow).where(JournalRow.bucket == row.bucket)).all()
        assert entries
        assert {entry.procedure_id for entry in entries} == {None}


@pytest.mark.proves("T2", "T48")
def test_attack_T2_procedures_due_in_one_week_have_one_bucket_and_one_lock(world: World) -> None:
    found = set()
    for _ in range(2):
        world.publish(world.draft(k=1, n=1))
        kept = depositing.kept(world, world.deposit().id)
        facts = world.store.head(object_name(kept.facts.object_id.bytes), kept.facts.version_id)
        found.add((kept.row.bucket, facts.lock_until))

    assert len(found) == 1
    [(_, lock_until)] = found
    assert lock_until is not None
    assert (lock_until.weekday(), lock_until.hour) == (0, 0)
    assert lock_until >= world.deadline + timedelta(days=90)


@pytest.mark.proves("T2", "CONF-03")
def test_attack_T2_rows_name_procedure_and_bidder_only_after_the_closing(open_world: World) -> None:
    open_world.deposit(ACME)
    before = list(_rows(open_world))
    open_world.after_settle()

    open_world.close_box()

    assert [(row.procedure_id, row.bidder) for row in before] == [(None, None)]
    assert [(row.procedure_id, row.bidder) for row in _rows(open_world)] == [(open_world.procedure, ACME)]


@pytest.mark.proves("T3", "CONF-01", "KEY-05")
def test_attack_T3_the_operator_counts_and_measures_and_opens_nothing(open_world: World) -> None:
    for bidder in (ACME, ZENITH):
        open_world.deposit(bidder, dict(DOCUMENTS))

    seen = list(_of_the_operator(open_world))

    # What is gained: how many, of whom, when, how long within the padding.
    assert {one.facts.bidder for one in seen} == {ACME, ZENITH}
    assert len({one.facts.length for one in seen}) == 1
    assert all(DepositRecord.decode(one.facts.record).last_byte_at == open_world.now for one in seen)
    # What is not: any byte of a bid, with root, gate's root, both stores and the database.
    assert attacker.search([("facts", one.facts.encode()) for one in seen], {"price": CANARY, "name": NAME}) == set()
    for one in seen:
        with pytest.raises(AssertionError):  # the second opener's way to say: too few shares
            opener.open_envelope(_inner(open_world, one), _gate_master(open_world))
    with pytest.raises(TimeUnproven):
        open_world.close_box()


@pytest.mark.proves("T6")
def test_attack_T6_k_custodians_with_the_operator_of_the_only_gate_read_early_and_nothing_tells_of_it(
    open_world: World,
) -> None:
    given = open_world.deposit(ACME, dict(DOCUMENTS))
    told = len(depositing.events(open_world))
    custodian = open_world.custodians[0].master
    masters = {**_gate_master(open_world), custodian.kid: bytes(custodian._master)}

    opened = opener.open_envelope(_inner(open_world, depositing.kept(open_world, given.id)), masters)

    assert (opened.bidder, opened.documents) == (ACME, dict(DOCUMENTS))
    assert len(depositing.events(open_world)) == told
    assert depositing.kept(open_world, given.id).state is EnvelopeState.SEALED
    # The level on the receipt is what says so beforehand: S1 promises nothing against them.
    assert depositing.receipt_of(given.acknowledgement).ruling.level == receiving.SEALED_BY_VAULT


@pytest.mark.proves("T56")
def test_attack_T56_key_store_root_and_bucket_taken_in_mid_upload_read_nothing(open_world: World) -> None:
    taken: list[tuple[str, bytes]] = []

    class Watched(depositing.Body):
        def __iter__(self) -> Iterator[Piece]:
            for piece in super().__iter__():
                yield piece
                taken.extend(open_world.key_store.keys.items())

    request = depositing.request(open_world)
    pieces = depositing.body(open_world).pieces
    given = deposit(open_world.works, request, Watched(pieces, open_world.clock))
    inner = _inner(open_world, depositing.kept(open_world, request.envelope_id))

    assert given.kind is Kind.RECEIPT
    assert inner.startswith(MAGIC)
    assert attacker.search([("inner", inner)], BID) == set()
    # No file key and no opening seed: nothing that opens an inner layer.
    allowed = {WrapKind.PROCEDURE, WrapKind.OBJECT, WrapKind.GATE_SEED, WrapKind.INDEX}
    assert {int(name.split("/")[0]) for name, _ in taken} <= allowed


@pytest.mark.proves("T46", "DEP-08")
def test_attack_T46_a_price_is_not_found_from_what_is_kept(shared_world: World) -> None:
    form = {"prix.txt": b"42\n"}
    request = depositing.request(shared_world, announce(form))
    record = depositing.receipt_of(depositing.send(shared_world, request, form)).record
    known = [
        ("dump", depositing.dump(shared_world)),
        ("receipt", record.encode()),
        *depositing.stored(shared_world).items(),
    ]
    guessed = {
        f"{name} of {price!r}": digest for price in (b"41\n", b"42\n", b"43\n") for name, digest in _digests(price)
    }

    # Whoever guesses the price right still finds nothing to hold it against, but for the secret.
    assert attacker.search(known, dict(guessed)) == set()
    assert record.documents_tag not in {_tag(bytes(32), record.envelope_id, b"42\n"), *guessed.values()}
    assert record.documents_tag == _tag(bytes(request.secret), record.envelope_id, b"42\n")


@pytest.mark.proves("T61")
def test_attack_T61_the_opening_of_one_box_gives_no_match_in_another_under_the_same_secret(open_world: World) -> None:
    form = {"prix.txt": b"42\n"}
    request = depositing.request(open_world, announce(form))
    record = depositing.receipt_of(depositing.send(open_world, request, form)).record
    second = replace(request, envelope_id=uuid4(), part=Part.FINANCIAL)
    shut = depositing.receipt_of(depositing.send(open_world, second, form)).record
    open_world.after_settle()
    open_world.close_box(1)
    open_world.open_boxes(1, by=1)

    shown = opener.open_envelope(
        _inner(open_world, depositing.kept(open_world, request.envelope_id)), _all_masters(open_world)
    )

    assert shown.tag_key == tag_key(request.secret, record.envelope_id)  # what the opening gives away
    listed = [Document("prix.txt", 3, hashlib.sha256(b"42\n").digest())]
    assert documents_tag(shown.tag_key, listed) == record.documents_tag
    assert documents_tag(shown.tag_key, listed) != shut.documents_tag


@pytest.mark.proves("T50", "CONF-09")
@pytest.mark.parametrize("step", ["before the closing", "after the offer"])
def test_attack_T50_wraps_swapped_between_objects_open_nothing_of_them_and_the_others_open(
    open_world: World, step: str
) -> None:
    first, second, third = (open_world.deposit(one) for one in (ACME, ZENITH, "other:third"))
    names = [_wrap_name(open_world, one.id) for one in (first, second)]
    open_world.after_settle()
    if step == "before the closing":
        _swap(open_world, *names)
    open_world.close_box(1)
    opening_id = open_world.offer(1)
    if step == "after the offer":
        _swap(open_world, *names)
    open_world.contribute(opening_id, open_world.custodians[0])

    assert open_world.advance(opening_id)

    for one in (first, second):
        with pytest.raises(WrapError):
            open_world.works.keys.object(open_world.procedure, depositing.kept(open_world, one.id).facts.object_id)
    assert list(open_world.opened()) == [third.id]
    assert [depositing.kept(open_world, one.id).state for one in (first, second)] == [EnvelopeState.FAILED] * 2
    assert len(convening.events(open_world, EventKind.ENVELOPE_FAILED)) == 2


@pytest.mark.proves("T50")
@pytest.mark.parametrize("kind", [WrapKind.PROCEDURE, WrapKind.GATE_SEED])
def test_attack_T50_a_wrap_put_in_the_place_of_another_kind_is_refused(open_world: World, kind: WrapKind) -> None:
    given = open_world.deposit(ACME)
    procedure = open_world.procedure
    open_world.key_store.keys[_wrap_name(open_world, given.id)] = open_world.key_store.get(
        key_name(kind, procedure.bytes)
    )
    object_id = depositing.kept(open_world, given.id).facts.object_id

    with pytest.raises(WrapError):
        open_world.works.keys.object(procedure, object_id)


def _rows(world: World) -> list[Envelope]:
    with world.works.open() as work:
        return list(work.session.exec(select(Envelope)))


def _of_the_operator(world: World) -> list[Kept]:
    """Whoever has root key, key store and database reads the rows' facts of a week."""
    buckets = [world.works.keys.bucket(PLATFORM, world.deadline)]
    with world.works.open() as work:
        return list(envelopes.in_week(world.works, work, procedure=world.procedure, platform=PLATFORM, buckets=buckets))


def _inner(world: World, kept: Kept) -> bytes:
    """The sealed envelope under the outer layer, which the operator's root takes off."""
    facts = kept.facts
    key = bytes(world.works.keys.object(world.procedure, facts.object_id))
    stored = b"".join(world.store.stream(object_name(facts.object_id.bytes), facts.version_id))
    return opener.unseal(key, label("object") + facts.object_id.bytes, stored)


def _gate_master(world: World) -> dict[bytes, bytes]:
    """The gate's seed, which the operator of the gate unwraps, by its kid."""
    gate = world.works.gate.keys
    seed = world.works.keys.get(WrapKind.GATE_SEED, world.procedure, parent=gate.root)
    return {gate.get(world.procedure).kid: seed}


def _all_masters(world: World) -> dict[bytes, bytes]:
    custodians = {one.master.kid: bytes(one.master._master) for one in world.custodians}
    return {**custodians, **_gate_master(world)}


def _digests(content: bytes) -> list[tuple[str, bytes]]:
    algorithms = ("sha256", "sha512", "sha1", "md5", "sha3_256")
    return [(name, hashlib.new(name, content).digest()) for name in algorithms]


def _tag(secret: bytes, envelope_id: bytes, content: bytes) -> bytes:
    listed = [Document("prix.txt", len(content), hashlib.sha256(content).digest())]
    return documents_tag(tag_key(secret, envelope_id), listed)


def _wrap_name(world: World, envelope_id: UUID) -> str:
    return key_name(WrapKind.OBJECT, depositing.kept(world, envelope_id).facts.object_id.bytes)


def _swap(world: World, one: str, other: str) -> None:
    keys = world.key_store.keys
    keys[one], keys[other] = keys[other], keys[one]
