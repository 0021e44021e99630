# SPDX-License-Identifier: EUPL-1.2
"""Records, notices, receipts, withdrawals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crypto.deposit import (
    MAX_RECORD,
    DepositRecord,
    Receipt,
    Registration,
    Ruling,
    Service,
    Verdict,
    Withdrawal,
    WithdrawalRecord,
)
from crypto.encoding import Cbor, decode, encode, sha256
from crypto.errors import FormatError
from crypto.events import Event, EventKind
from crypto.policy import Mode
from crypto.statement import Kind

MOMENT = datetime(2026, 12, 1, 16, 59, 59, 999000, tzinfo=UTC)
RECORD = DepositRecord(
    policy_hash=bytes(32),
    box=1,
    envelope_id=bytes(16),
    mode=Mode.SERVER,
    header_hash=sha256(b"header"),
    file_hash=sha256(b"file"),
    length=3630,
    bidder="siret:21350238800019",
    first_byte_at=MOMENT - timedelta(seconds=1),
    last_byte_at=MOMENT,
    documents_tag=sha256(b"tag"),
)
WITHDRAWN = WithdrawalRecord(bytes(32), 1, bytes(16), "siret:21350238800019", MOMENT)
EVENT = Event(EventKind.ENVELOPE_SEALED, MOMENT, bytes(16), RECORD.imprint, b"\x01")
SERVICE = Service("Coffre", "1 place de la Mairie", "+33 2 00 00 00 00")
RULING = Ruling(
    verdict=Verdict.IN_TIME,
    reason="stamped-before-deadline",
    committed_at=MOMENT + timedelta(seconds=1),
    tokens=(b"\x30\x00", b"\x30\x01\x00"),
    level=1,
    event=EVENT,
    salt=bytes(32),
    service=SERVICE,
    judged_by=sha256(b"policy"),
)
RECEIPT = Receipt(RECORD, RULING)
NOTICE = Registration(RECORD, MOMENT, EVENT, bytes(32), SERVICE)


def test_what_is_written_is_read() -> None:
    assert DepositRecord.decode(RECORD.encode()) == RECORD
    assert WithdrawalRecord.decode(WITHDRAWN.encode()) == WITHDRAWN
    assert Receipt.decode(RECEIPT.encode()) == RECEIPT
    assert Withdrawal.decode(Withdrawal(WITHDRAWN, RULING).encode()) == Withdrawal(WITHDRAWN, RULING)
    assert Registration.decode(NOTICE.encode()) == NOTICE


def test_each_has_its_kind() -> None:
    assert RECEIPT.statement.kind is Kind.RECEIPT
    assert Withdrawal(WITHDRAWN, RULING).statement.kind is Kind.WITHDRAWAL
    assert NOTICE.statement.kind is Kind.REGISTRATION


@pytest.mark.proves("TIME-03")
def test_what_is_stamped_is_the_records_bytes() -> None:
    assert RECORD.imprint == sha256(RECORD.encode())
    assert WITHDRAWN.imprint == sha256(WITHDRAWN.encode())
    assert replace(RECORD, length=3631).imprint != RECORD.imprint


@pytest.mark.proves("TIME-01", "TIME-02")
def test_first_and_last_byte_are_kept_to_the_millisecond() -> None:
    read = DepositRecord.decode(RECORD.encode())

    assert (read.first_byte_at, read.last_byte_at) == (MOMENT - timedelta(seconds=1), MOMENT)


@pytest.mark.proves("T46", "CONF-03")
def test_a_record_holds_no_digest_of_a_plaintext_and_no_name() -> None:
    assert sha256(b"42\n") not in RECORD.encode()
    assert set(DepositRecord.__dataclass_fields__) == {
        "policy_hash",
        "box",
        "envelope_id",
        "mode",
        "header_hash",
        "file_hash",
        "length",
        "bidder",
        "first_byte_at",
        "last_byte_at",
        "documents_tag",
    }


@pytest.mark.proves("T47")
def test_a_receipt_tells_no_place_in_the_journal() -> None:
    value = decode(RECEIPT.encode(), limit=65_536)

    assert isinstance(value, dict)
    assert sorted(value) == list(range(1, 11))
    assert not {"index", "size", "checkpoint"} & set(Ruling.__dataclass_fields__)


def test_only_the_vaults_own_seal_needs_a_tag() -> None:
    by_bidder = replace(RECORD, mode=Mode.CLIENT, documents_tag=None)

    assert DepositRecord.decode(by_bidder.encode()) == by_bidder
    with pytest.raises(FormatError):
        DepositRecord.decode(replace(RECORD, documents_tag=None).encode())


UNFIT: dict[str, DepositRecord] = {
    "box 0": replace(RECORD, box=0),
    "box 4097": replace(RECORD, box=4097),
    "an id of another size": replace(RECORD, envelope_id=bytes(15)),
    "nothing sealed": replace(RECORD, length=0),
    "more than 1 TiB": replace(RECORD, length=(1 << 40) + 1),
    "a bidder of 201 bytes": replace(RECORD, bidder="x" * 201),
    "a bidder with a control": replace(RECORD, bidder="x\ny"),
    "last byte before the first": replace(RECORD, last_byte_at=MOMENT - timedelta(seconds=2)),
    "a tag of another size": replace(RECORD, documents_tag=bytes(31)),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_record_out_of_bounds_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        DepositRecord.decode(UNFIT[name].encode())


def test_the_largest_record_is_within_its_size() -> None:
    largest = replace(RECORD, bidder="x" * 200, length=1 << 40, box=4096)

    assert len(largest.encode()) < MAX_RECORD


UNFIT_RULINGS: dict[str, Ruling] = {
    "no token": replace(RULING, tokens=()),
    "nine tokens": replace(RULING, tokens=(b"\x30",) * 9),
    "a token too long": replace(RULING, tokens=(bytes(32 * 1024 + 1),)),
    "level 4": replace(RULING, level=4),
    "a salt of another size": replace(RULING, salt=bytes(16)),
    "a service with controls": replace(RULING, service=replace(SERVICE, address="a\x00")),
}


@pytest.mark.parametrize("name", UNFIT_RULINGS)
def test_a_receipt_out_of_bounds_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        Receipt.decode(Receipt(RECORD, UNFIT_RULINGS[name]).encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update({2: 0}),
        lambda value: value.update({2: 4}),
        lambda value: value.update({11: 1}),
        lambda value: value.update({1: RECORD.encode()}),
        lambda value: value.update({9: ["name", "address"]}),
        lambda value: value.pop(10),
    ],
)
def test_a_receipt_in_another_form_is_refused(change: Callable[[dict[int, Cbor]], None]) -> None:
    value = decode(RECEIPT.encode(), limit=65_536)
    assert isinstance(value, dict)
    change(value)

    with pytest.raises(FormatError):
        Receipt.decode(encode(value))


def test_a_deposits_record_is_no_withdrawals() -> None:
    with pytest.raises(FormatError):
        Withdrawal.decode(RECEIPT.encode())
    with pytest.raises(FormatError):
        WithdrawalRecord.decode(RECORD.encode())
