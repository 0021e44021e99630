# SPDX-License-Identifier: EUPL-1.2
"""Deposits that are taken: what is kept, what is not, what the receipt says, and the same again."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from crypto.deposit import DepositRecord, Verdict
from crypto.encoding import to_millis
from crypto.errors import CommitmentError, ManifestError, SignatureError
from crypto.events import EventKind, leaf_data
from crypto.manifest import Document
from crypto.policy import Part
from crypto.receipt_evidence import ReceiptEvidence, check_receipt, require_documents
from crypto.sealing import object_context
from crypto.statement import Kind, parse_note, require_signers
from crypto.stream import CobDecryptor
from tests.vault import depositing
from tests.vault.depositing import CANARY, DOCUMENTS, NAME
from tests.world.world import ACME, ZENITH, World
from vault import receiving
from vault.deposit import own
from vault.deposit.journey import deposit
from vault.envelopes import Depositor, Wanted
from vault.errors import NotFound
from vault.lifecycle import EnvelopeState, Reason
from vault.models import BoxRow, Envelope, JournalRow
from vault.procedures import LotDraft, PartDraft
from vault.store.names import object_name

SECOND = timedelta(seconds=1)


def documents_of(documents: dict[str, bytes]) -> tuple[Document, ...]:
    return tuple(Document(path, len(one), hashlib.sha256(one).digest()) for path, one in documents.items())


def wanted(world: World, envelope_id: UUID, bidder: str = ACME, **other: object) -> Wanted:
    return replace(Wanted(Depositor("default", bidder), world.procedure, "1", envelope_id), **other)  # type: ignore[arg-type]


@pytest.mark.proves("CONF-09")
def test_a_stored_envelope_does_not_open_in_anothers_place(shared_world: World) -> None:
    facts = [depositing.kept(shared_world, shared_world.deposit(bidder).id).facts for bidder in (ACME, ZENITH)]
    keys = [shared_world.works.keys.object(shared_world.procedure, one.object_id) for one in facts]
    swapped = b"".join(shared_world.store.stream(object_name(facts[1].object_id.bytes), facts[1].version_id))

    for key, context in ((keys[0], facts[0].object_id), (keys[0], facts[1].object_id), (keys[1], facts[0].object_id)):
        with pytest.raises(CommitmentError):
            CobDecryptor(key, object_context(context.bytes)).update(swapped)


@pytest.mark.proves("ACK-01", "ACK-02", "TIME-01", "TIME-02")
def test_a_receipt_has_the_five_mentions_and_says_what_was_received_when(shared_world: World) -> None:
    request = depositing.request(shared_world)
    begun = shared_world.now
    given = depositing.send(shared_world, request)
    evidence = own.evidence(shared_world.works, wanted(shared_world, request.envelope_id))

    checked = check_receipt(given.note, ReceiptEvidence.decode(evidence))

    record, ruling, policy = checked.record, checked.ruling, checked.policy
    assert isinstance(record, DepositRecord)
    assert record.bidder == request.bidder  # 1. who deposited
    assert (policy.siret, policy.buyer) == ("21350238800019", "Ville de Rennes")  # 2. the buyer
    assert (policy.reference, policy.title) == ("2026-MP-017", "Rénovation de la piscine")  # 3. the consultation
    assert begun <= record.first_byte_at <= record.last_byte_at <= ruling.committed_at  # 4. date and time
    require_documents(record, documents_of(dict(DOCUMENTS)), secret=bytes(request.secret))  # 5. the documents
    assert (ruling.verdict, ruling.reason) == (Verdict.IN_TIME, Reason.STAMPED_BEFORE_DEADLINE)
    assert ruling.service.name
    assert ruling.level == receiving.SEALED_BY_VAULT
    assert policy.box(record.box).lot == "1"
    [(state, attempt)] = depositing.tried(shared_world, request.envelope_id)
    assert (state, attempt.t_first) == ("done", to_millis(record.first_byte_at))


@pytest.mark.proves("ACK-01", "ACK-03")
def test_a_receipt_for_other_documents_or_from_elsewhere_is_refused(shared_world: World) -> None:
    request = depositing.request(shared_world)
    given = depositing.send(shared_world, request)
    evidence = ReceiptEvidence.decode(own.evidence(shared_world.works, wanted(shared_world, request.envelope_id)))
    record = depositing.receipt_of(given).record

    with pytest.raises(ManifestError):
        require_documents(record, documents_of({**DOCUMENTS, NAME: CANARY + b"0"}), secret=bytes(request.secret))
    with pytest.raises(ManifestError):
        require_documents(record, documents_of(dict(DOCUMENTS)), secret=bytes(32))
    other = shared_world.deposit(ZENITH).acknowledgement.note
    forged = replace(parse_note(given.note, Kind.RECEIPT), signatures=parse_note(other, Kind.RECEIPT).signatures)
    with pytest.raises(SignatureError):
        check_receipt(forged.note, evidence)


def test_a_test_deployment_promises_nothing(world: World) -> None:
    world.works = replace(world.works, settings=world.works.settings.model_copy(update={"is_development": True}))
    world.publish(world.draft(k=1, n=1))

    receipt = depositing.receipt_of(depositing.send(world, depositing.request(world)))

    assert receipt.ruling.level == receiving.TEST_ONLY


@pytest.mark.proves("DEP-07")
def test_the_same_deposit_again_gives_the_same_receipt_and_keeps_nothing_more(open_world: World) -> None:
    request = depositing.request(open_world)
    first = depositing.send(open_world, request)
    objects = depositing.stored_names(open_world)

    for block in (999, 1 << 20):
        assert deposit(open_world.works, request, depositing.body(open_world, block=block)) == first
    open_world.works = open_world.start()
    assert depositing.send(open_world, request) == first

    assert depositing.stored_names(open_world) == objects
    assert depositing.envelope_ids(open_world) == {request.envelope_id}
    assert len(depositing.events(open_world, EventKind.ENVELOPE_SEALED)) == 1
    assert len(depositing.events(open_world, EventKind.DEPOSIT_STARTED)) == 4


@pytest.mark.proves("T44", "DEP-07")
def test_attack_t44_five_at_once_make_one_envelope_and_one_receipt(open_world: World) -> None:
    request = depositing.request(open_world)

    with ThreadPoolExecutor(5) as pool:
        given = list(pool.map(lambda _: depositing.send(open_world, request), range(5)))

    assert len({one.note for one in given}) == 1
    assert depositing.envelope_ids(open_world) == {request.envelope_id}
    assert len(depositing.events(open_world, EventKind.ENVELOPE_SEALED)) == 1
    assert {state for state, _ in depositing.tried(open_world, request.envelope_id)} == {"done"}


@pytest.mark.proves("DEP-09", "DEP-10", "LATE-01")
def test_a_later_deposit_in_time_replaces_and_a_late_one_does_not(open_world: World) -> None:
    three = [open_world.deposit(ACME).id for _ in range(3)]
    late = open_world.deposit(ACME, at=open_world.deadline + 10 * SECOND).id
    open_world.after_settle()

    open_world.close_box(1)

    assert open_world.listed(1) == [three[-1]]
    states = [depositing.kept(open_world, one).state for one in (*three, late)]
    assert states == [EnvelopeState.SUPERSEDED, EnvelopeState.SUPERSEDED, EnvelopeState.LISTED, EnvelopeState.LATE]


@pytest.mark.proves("DEP-11", "DEP-12")
def test_more_than_a_hundred_lots_and_parts_each_have_their_own_box_and_keys(world: World) -> None:
    cards = (world.custodians[0].card_file,)
    due = world.now + timedelta(days=1)
    lots = tuple(
        LotDraft(str(number), f"Lot {number}", (PartDraft(Part.TECHNICAL, due, cards, 1),)) for number in range(1, 102)
    )
    common = LotDraft("all", "Tous les lots", (PartDraft(Part.APPLICATION, due, cards, 1),))
    world.publish(world.draft(lots=(common, *lots)))

    given = [world.deposit(lot="all", part=Part.APPLICATION)]
    given += [world.deposit(lot=lot) for lot in ("1", "50", "101")]

    facts = [depositing.kept(world, one.id).facts for one in given]
    assert [one.box for one in facts] == [1, 2, 51, 102]
    keys = [bytes(world.works.keys.object(world.procedure, one.object_id)) for one in facts]
    assert len(set(keys)) == len(keys)
    headers = {DepositRecord.decode(one.record).header_hash for one in facts}
    assert len(headers) == len(facts)


@pytest.mark.proves("DEP-13", "DEP-14")
def test_unsigned_documents_of_any_kind_are_taken(shared_world: World) -> None:
    espd = b'<?xml version="1.0"?><QualificationApplicationResponse/>'

    given = shared_world.deposit(documents={"espd.xml": espd, "offre.pdf": b"%PDF-1.4 unsigned", "x": b"\x00"})

    assert given.acknowledgement.kind is Kind.RECEIPT


@pytest.mark.proves("DEP-17")
def test_unusual_names_survive_as_they_are(shared_world: World) -> None:
    names = ("Évaluation – e\u0301te\u0301.pdf", "报价.pdf", ".profile", "a b/c;d'e\"f", "x" * 255, "-rf", "%2e%2e")

    given = shared_world.deposit(documents=dict.fromkeys(names, b"1"))

    assert given.acknowledgement.kind is Kind.RECEIPT


@pytest.mark.proves("TIME-01", "TIME-06", "ACK-04", "LATE-01", "T9")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (timedelta(milliseconds=-1), Verdict.IN_TIME),
        (timedelta(0), Verdict.IN_TIME),
        (timedelta(milliseconds=1), Verdict.REVIEW),
        (timedelta(seconds=1), Verdict.REVIEW),
        (timedelta(seconds=25), Verdict.LATE),
        (timedelta(seconds=29), Verdict.LATE),
        (timedelta(days=3), Verdict.LATE),
    ],
    ids=str,
)
def test_a_receipt_says_whether_the_last_byte_came_in_time(world: World, after: timedelta, verdict: Verdict) -> None:
    world.publish(world.draft(k=1, n=1))
    world.time.clock.now = world.deadline + after

    receipt = depositing.receipt_of(depositing.send(world, depositing.request(world)))

    assert receipt.ruling.verdict is verdict
    with world.works.open() as work:
        state = work.session.exec(select(Envelope.state)).one()
    expected = {1: EnvelopeState.SEALED, 2: EnvelopeState.LATE, 3: EnvelopeState.REVIEW}[verdict]
    assert state is expected


@pytest.mark.proves("LATE-01", "ACK-04")
def test_a_deposit_after_the_closing_has_a_receipt_and_stays_out_of_the_list(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()
    open_world.close_box(1)

    late = open_world.deposit(ZENITH)

    assert depositing.receipt_of(late.acknowledgement).ruling.verdict is Verdict.LATE
    assert late.id not in open_world.listed(1)
    row = depositing.kept(open_world, late.id).row
    assert (row.procedure_id, row.box_number, row.bidder) == (open_world.procedure, 1, ZENITH)


@pytest.mark.proves("LOG-01", "LOG-02")
def test_every_act_of_a_depositor_is_an_entry(open_world: World) -> None:
    first = depositing.request(open_world)
    depositing.send(open_world, first)
    open_world.withdraw(first.envelope_id)
    with pytest.raises(NotFound):
        own.tell(open_world.works, wanted(open_world, uuid4()))

    deposits = depositing.events(open_world)[-4:]

    assert [one.kind for one in deposits] == [
        EventKind.DEPOSIT_STARTED,
        EventKind.ENVELOPE_SEALED,
        EventKind.ENVELOPE_WITHDRAWN,
        EventKind.ACCESS_REFUSED,
    ]
    sealed = deposits[1]
    assert (sealed.data, sealed.subject) == (
        bytes((Verdict.IN_TIME,)),
        DepositRecord.decode(depositing.kept(open_world, first.envelope_id).facts.record).imprint,
    )
    assert all(earlier.at <= later.at for earlier, later in pairwise(deposits))


@pytest.mark.proves("T47", "ACK-03")
def test_the_place_in_the_journal_is_told_only_after_the_closing(open_world: World) -> None:
    given = open_world.deposit(ACME)
    before = own.tell(open_world.works, wanted(open_world, given.id))
    with pytest.raises(NotFound):
        own.position(open_world.works, wanted(open_world, given.id))
    open_world.after_settle()
    open_world.close_box(1)

    place = own.position(open_world.works, wanted(open_world, given.id))

    assert not before.is_provable
    assert own.tell(open_world.works, wanted(open_world, given.id)).is_provable
    ruling = depositing.receipt_of(given.acknowledgement).ruling
    with open_world.works.open() as work:
        entry = work.session.exec(select(JournalRow).where(JournalRow.position == place)).one()
    assert entry.leaf == leaf_data(ruling.event, ruling.salt)


def test_statements_are_signed_by_the_policys_statement_key(shared_world: World) -> None:
    given = shared_world.deposit()

    note = parse_note(given.acknowledgement.note, Kind.RECEIPT)

    assert require_signers(note, [shared_world.policy.vault_verifier], 1)


@pytest.mark.proves("T13", "CONF-06")
def test_a_box_row_that_was_edited_moves_no_deadline(open_world: World) -> None:
    with open_world.works.open() as work:
        for row in work.session.exec(select(BoxRow)):
            row.deadline += timedelta(days=9)
            row.not_before = row.due_at = row.deadline + timedelta(days=1)
    open_world.time.clock.now = open_world.deadline + timedelta(minutes=1)

    receipt = depositing.receipt_of(depositing.send(open_world, depositing.request(open_world)))

    assert receipt.ruling.verdict is Verdict.LATE
