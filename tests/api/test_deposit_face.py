# SPDX-License-Identifier: EUPL-1.2
"""The deposit face over HTTP: what a platform sends and gets, what strangers get, and every bad input."""

import re
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from api.auth import Actor, Role
from crypto.statement import Kind, parse_note
from tests.api.depositing import Envelope, Site, slug
from tests.api.multipart import Sent, announcement, body, end, part
from tests.world.world import ZENITH


@pytest.mark.proves("DEP-07", "ACK-01")
def test_a_deposit_gets_a_receipt_and_its_repeat_the_same_bytes(site: Site) -> None:
    envelope = Envelope(site)
    first = envelope.put()
    again = envelope.put()

    assert (first.status_code, first.headers["bidvault-statement"]) == (201, "receipt")
    assert again.content == first.content
    assert parse_note(first.content, Kind.RECEIPT).note == first.content
    told = envelope.ask().json()
    assert (told["state"], told["receipt"].encode()) == ("sealed", first.content)


@pytest.mark.proves("DEP-07", "T44")
def test_five_equal_requests_at_once_get_one_receipt(site: Site) -> None:
    envelope = Envelope(site)
    with ThreadPoolExecutor(5) as pool:
        answers = [future.result() for future in [pool.submit(envelope.put) for _ in range(5)]]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.proves("T45")
@pytest.mark.parametrize("change", ["byte", "order", "secret"])
def test_other_content_under_the_same_id_is_refused(site: Site, change: str) -> None:
    envelope = Envelope(site, documents=(Sent("a", b"1"), Sent("b", b"2")))
    assert envelope.put().status_code == 201

    other = Envelope(site, id=envelope.id, secret=envelope.secret, documents=envelope.documents)
    if change == "byte":
        other.documents = (Sent("a", b"3"), Sent("b", b"2"))
    elif change == "order":
        other.documents = (Sent("b", b"2"), Sent("a", b"1"))
    else:
        other.secret = bytes(32)
    answer = other.put()

    assert (answer.status_code, slug(answer)) == (409, "other-content")


def test_somebody_elses_id_cannot_be_used(site: Site) -> None:
    envelope = Envelope(site)
    assert envelope.put().status_code == 201
    answer = Envelope(site, id=envelope.id, secret=envelope.secret, bidder=ZENITH).put()

    assert (answer.status_code, slug(answer)) == (409, "id-taken")


def test_strangers_others_and_unknown_ids_get_the_same_bytes(site: Site) -> None:
    envelope = Envelope(site)
    assert envelope.put().status_code == 201
    foreign = Actor(subject="other", role=Role.PLATFORM, platform="other")
    asked = [Envelope(site).ask(tail=tail) for tail in ("", "/evidence", "/proof")]
    asked += [Envelope(site, id=envelope.id, bidder=ZENITH).ask(tail=tail) for tail in ("", "/evidence", "/proof")]
    asked += [envelope.ask(who=foreign), Envelope(site).ask("DELETE"), envelope.ask("DELETE", who=foreign)]
    asked += [
        Envelope(site, id=envelope.id, lot="2").ask(),
        Envelope(site, id=envelope.id, procedure=uuid4()).ask(),
        envelope.ask(tail="/proof"),
    ]

    assert {answer.status_code for answer in asked} == {404}
    assert len({answer.content for answer in asked}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in asked}) == 1


@pytest.mark.proves("ACK-02", "TIME-05")
def test_while_no_authority_answers_the_notice_comes_at_once_and_the_receipt_later(site: Site) -> None:
    envelope = Envelope(site)
    site.world.time.line.is_cut = True
    try:
        first, again = envelope.put(), envelope.put()
    finally:
        site.world.time.line.is_cut = False

    assert (first.status_code, first.headers["bidvault-statement"]) == (202, "registration")
    assert again.content == first.content
    assert parse_note(first.content, Kind.REGISTRATION).note == first.content
    later = envelope.put()
    assert (later.status_code, later.headers["bidvault-statement"]) == (201, "receipt")


def test_an_envelope_is_withdrawn_by_its_depositor(site: Site) -> None:
    envelope = Envelope(site, bidder="other:withdraws")
    assert envelope.put().status_code == 201
    first, again = envelope.ask("DELETE"), envelope.ask("DELETE")

    assert (first.status_code, first.headers["bidvault-statement"]) == (200, "withdrawal")
    assert again.content == first.content
    assert envelope.ask().json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    ("change", "status", "slug_"),
    [
        ({"procedure": uuid4()}, 404, "not-found"),
        ({"lot": "9"}, 404, "not-found"),
        ({"lot": "x" * 33}, 422, "invalid-input"),
        ({"part": "financial", "lot": "2"}, 404, "not-found"),
        ({"part": "price"}, 422, "invalid-input"),
        ({"bidder": "siret:21350238800018"}, 422, "invalid-input"),
        ({"bidder": "atoll"}, 422, "invalid-input"),
        ({"secret": b"short"}, 422, "invalid-input"),
        ({"documents": (Sent("../x", b"1"),)}, 422, None),
        ({"documents": (Sent("a", b"1"), Sent("A", b"2"))}, 422, None),
    ],
)
def test_a_deposit_to_nowhere_or_without_its_form_is_refused(
    site: Site, change: dict[str, object], status: int, slug_: str | None
) -> None:
    envelope = Envelope(site)
    for name, value in change.items():
        setattr(envelope, name, value)
    answer = envelope.put()

    assert answer.status_code == status, answer.text
    assert slug_ is None or slug(answer) == slug_


@pytest.mark.parametrize("missing", ["Authorization", "Bidder", "Deposit-Secret"])
def test_a_missing_header_is_named(site: Site, missing: str) -> None:
    answer = Envelope(site).put(headers={missing: ""})

    assert answer.status_code == (401 if missing == "Authorization" else 422)
    assert missing == "Authorization" or missing.lower() in answer.text.lower()


@pytest.mark.proves("DEP-04", "DEP-18")
@pytest.mark.parametrize(
    ("content", "status", "slug_"),
    [
        (b"", 400, "body-broken"),
        (part("announcement", b"[]") + end(), 422, "announcement-refused"),
        (part("announcement", b'[{"path":"a","size":0}]') + end(), 422, "announcement-refused"),
        (part("announcement", b'[{"path":"a","size":99999999999}]') + b"--b0undary\r\n", 413, "too-large"),
        (part("announcement", announcement([Sent("a", b"11")])) + part("document", b"1") + end(), 422, "body-mismatch"),
        (part("announcement", announcement([Sent("a", b"1")])) + part("document", b"11") + end(), 422, "body-mismatch"),
        (part("announcement", announcement([Sent("a", b"1")])) + part("document", b"2") + end(), 422, "body-mismatch"),
        (body([Sent("a", b"1")])[:-9], 400, "body-broken"),
        (part("announcement", announcement([Sent("a", b"1")])) + end(), 400, "body-malformed"),
    ],
)
def test_a_wrong_body_is_refused_and_the_right_one_is_then_taken(
    site: Site, content: bytes, status: int, slug_: str
) -> None:
    envelope = Envelope(site)
    answer = envelope.put(content=content)

    assert (answer.status_code, slug(answer)) == (status, slug_), answer.text
    assert envelope.ask().status_code == 404
    assert envelope.put().status_code == 201


@pytest.mark.proves("T36")
def test_a_sealed_envelope_is_not_sealed_again(site: Site) -> None:
    answer = Envelope(site, documents=(Sent("a.tvse", bytes.fromhex("89545653450d0a1a") + bytes(40)),)).put()

    assert (answer.status_code, slug(answer)) == (422, "seal-refused")


@pytest.fixture
def held(site: Site) -> dict[str, object]:
    """What the holder of a receipt has."""
    envelope = Envelope(site)
    receipt = envelope.put().text
    evidence = envelope.ask(tail="/evidence")
    assert evidence.status_code == 200
    return envelope.held(receipt, evidence.content)


@pytest.mark.proves("ACK-03")
def test_the_print_of_a_receipt_is_made_from_what_its_holder_sends_back(site: Site, held: dict[str, object]) -> None:
    answer = site.http.post("/v1/receipts/pdf", json=held)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert re.search(rb"/SubFilter\s*/ETSI\.CAdES\.detached", answer.content)


@pytest.mark.parametrize("spoiled", ["receipt", "evidence", "documents", "deposit_secret", "language", "further"])
def test_a_print_of_anything_else_is_refused(site: Site, held: dict[str, object], spoiled: str) -> None:
    other = Envelope(site)
    other_receipt = other.put().text
    wrong: dict[str, object] = {
        "receipt": other_receipt,
        "evidence": "AAAA",
        "documents": [{"path": "prix.txt", "size": 1, "sha256": "00" * 32}],
        "deposit_secret": "AAAA",
        "language": "de",
        "further": 1,
    }
    answer = site.http.post("/v1/receipts/pdf", json={**held, spoiled: wrong[spoiled]})

    assert answer.status_code == 422
    assert slug(answer) in {"not-this-receipt", "invalid-input"}
    assert str(held["deposit_secret"]) not in answer.text
