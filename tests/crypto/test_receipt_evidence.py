# SPDX-License-Identifier: EUPL-1.2
"""A receipt with what lies beside it, checked alone: each check refused once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.deposit import Receipt, Verdict, Withdrawal, WithdrawalRecord
from crypto.errors import (
    CryptoError,
    ManifestError,
    PolicyError,
    SignatureError,
    TimestampError,
    UnprovenTimestampError,
)
from crypto.manifest import Document, documents_tag, tag_key
from crypto.receipt_evidence import ReceiptEvidence, check_receipt, require_chain, require_documents
from crypto.statement import Kind
from tests.crypto import test_deposit as deposits
from tests.crypto.procedure import VAULT, Told
from tests.crypto.test_closing_rules import amended
from tests.world import pki

SECRET = bytes(range(32))
LISTED = (Document("prix.txt", 3, bytes(32)),)
TOLD = Told()
RECORD = replace(
    deposits.RECORD,
    policy_hash=TOLD.policy.hash,
    documents_tag=documents_tag(tag_key(SECRET, deposits.RECORD.envelope_id), LISTED),
)


def receipt() -> bytes:
    """A receipt with tokens of both authorities."""
    tokens = tuple(one.token(RECORD.imprint) for one in TOLD.authorities())
    ruling = replace(deposits.RULING, tokens=tokens, judged_by=TOLD.policy.hash)
    return Receipt(RECORD, ruling).statement.signed_by(VAULT).note


def evidence(**changes: object) -> ReceiptEvidence:
    """What lies beside it."""
    whole = ReceiptEvidence(
        policies=(TOLD.signed().note,),
        anchors=tuple(anchor.der for anchor in pki.time_anchors()),
        revocation=tuple(one.evidence() for one in TOLD.authorities()),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_receipt_in_order_is_checked() -> None:
    checked = check_receipt(receipt(), evidence())

    assert checked.record == RECORD
    assert checked.judged_by == TOLD.policy
    assert len(checked.tokens) == 2
    beside = evidence()
    assert ReceiptEvidence.decode(beside.encode()) == beside


def test_the_checkers_own_trust_list_comes_first() -> None:
    assert check_receipt(receipt(), evidence(anchors=()), anchors=pki.time_anchors()).tokens
    with pytest.raises(UnprovenTimestampError):
        check_receipt(receipt(), evidence(), anchors=[pki.anchor("foreign")])


def test_a_withdrawal_is_checked_as_one() -> None:
    record = WithdrawalRecord(TOLD.policy.hash, 1, RECORD.envelope_id, RECORD.bidder, RECORD.last_byte_at)
    tokens = tuple(one.token(record.imprint) for one in TOLD.authorities())
    ruling = replace(deposits.RULING, tokens=tokens, judged_by=TOLD.policy.hash, verdict=Verdict.LATE)
    note = Withdrawal(record, ruling).statement.signed_by(VAULT).note

    assert check_receipt(note, evidence(), kind=Kind.WITHDRAWAL).record == record


@pytest.mark.proves("ACK-03")
@pytest.mark.parametrize(
    ("beside", "error"),
    [
        ({"policies": ()}, PolicyError),
        ({"revocation": ()}, TimestampError),
        ({"anchors": ()}, UnprovenTimestampError),
        ({"policies": (TOLD.policy.statement.signed_by(VAULT).note,)}, SignatureError),
    ],
)
def test_what_is_missing_beside_a_receipt_is_named(beside: dict[str, object], error: type[CryptoError]) -> None:
    with pytest.raises(error):
        check_receipt(receipt(), evidence(**beside))


def test_a_receipt_that_the_vault_did_not_sign_is_refused() -> None:
    unsigned = Receipt(RECORD, replace(deposits.RULING, judged_by=TOLD.policy.hash))
    stranger = TOLD.signer(TOLD.holders.custodians[0])

    with pytest.raises(SignatureError):
        check_receipt(unsigned.statement.signed_by(stranger).note, evidence())


def test_policies_are_one_chain_from_epoch_0() -> None:
    following = amended(TOLD.policy)
    signed = TOLD.signed(following, [*TOLD.holders.custodians[:2], *TOLD.holders.gates])

    assert require_chain([TOLD.signed().note, signed.note]) == (TOLD.policy, following)
    with pytest.raises(PolicyError):
        require_chain([signed.note])
    with pytest.raises(PolicyError):
        require_chain([TOLD.signed().note, TOLD.signed().note])


@pytest.mark.proves("T45", "T46")
def test_a_record_is_about_its_documents_under_its_secret_alone() -> None:
    require_documents(RECORD, LISTED, secret=SECRET)

    for record, listed, secret in (
        (RECORD, LISTED, bytes(32)),
        (RECORD, (replace(LISTED[0], size=4),), SECRET),
        (replace(RECORD, documents_tag=None), LISTED, SECRET),
    ):
        with pytest.raises(ManifestError):
            require_documents(record, listed, secret=secret)


def test_a_token_over_another_record_is_refused() -> None:
    other = replace(RECORD, last_byte_at=RECORD.last_byte_at + timedelta(seconds=1))
    tokens = tuple(one.token(RECORD.imprint) for one in TOLD.authorities())
    ruling = replace(deposits.RULING, tokens=tokens, judged_by=TOLD.policy.hash)

    with pytest.raises(TimestampError):
        check_receipt(Receipt(other, ruling).statement.signed_by(VAULT).note, evidence())
