# SPDX-License-Identifier: EUPL-1.2
"""The depositor's client against a real server: what it refuses to believe, what it tries again, what it keeps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from api.client import (
    BadDocument,
    DepositClient,
    MultipartBody,
    Noticed,
    Order,
    Proved,
    Refused,
    Source,
    Unreachable,
    Unsound,
)
from crypto.deposit import DepositRecord, Verdict
from crypto.policy import Part
from tests.api.depositing import Site
from tests.api.frame import serving
from tests.world import pki
from tests.world.world import ACME, ZENITH


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    """The site on a loopback socket."""
    with serving(cast("FastAPI", site.http.app)) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Between(httpx2.BaseTransport):
    """A wire that a test may cut, delay and rewrite.

    Attributes:
        cuts: how many requests are lost on the way there.
        busy: how many are answered with 503.
        lies: what becomes of an answer.
    """

    cuts: int = 0
    busy: int = 0
    lies: Callable[[httpx2.Request, bytes], bytes] = lambda _request, content: content
    wire: httpx2.HTTPTransport = field(default_factory=httpx2.HTTPTransport)
    asked: int = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.cuts:
            self.cuts -= 1
            raise httpx2.ConnectError("the wire is cut")
        answer = self.wire.handle_request(request)
        content = self.lies(request, answer.read())
        if self.busy:  # the vault did its part; its answer got lost behind a proxy
            self.busy -= 1
            return httpx2.Response(503)
        return httpx2.Response(answer.status_code, content=content)

    def close(self) -> None:
        self.wire.close()


@pytest.fixture
def between() -> Between:
    return Between()


@pytest.fixture
def client(site: Site, url: str, between: Between) -> Iterator[DepositClient]:
    token = site.bearer()["Authorization"].removeprefix("Bearer ")
    http = httpx2.Client(base_url=url, transport=between)
    with DepositClient(url, token, http=http, attempts=4, patience=timedelta(seconds=20)) as client:
        yield client


@pytest.fixture
def order(site: Site, tmp_path: Path) -> Order:
    """Two documents on disk, for the world's technical box."""
    (tmp_path / "prix.txt").write_bytes(b"42\n")
    (tmp_path / "plan.pdf").write_bytes(b"%PDF-1.7 " * 300_000)
    names = {"dossier/plan – façade.pdf": "plan.pdf", "prix.txt": "prix.txt"}
    sources = tuple(Source.read(tmp_path / file, path) for path, file in names.items())
    return Order(site.world.procedure, "1", Part.TECHNICAL, ACME, sources)


@pytest.mark.proves("DEP-18")
def test_an_empty_and_a_missing_document_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()

    for name in ("empty.txt", "missing.txt", "."):
        with pytest.raises(BadDocument):
            Source.read(tmp_path / name, name)


def test_two_documents_with_one_name_are_refused_before_anything_is_sent(order: Order) -> None:
    with pytest.raises(BadDocument):
        MultipartBody((*order.sources, order.sources[0]))


@pytest.mark.proves("DEP-08")
def test_a_document_that_changes_while_it_is_sent_is_refused(client: DepositClient, order: Order) -> None:
    order.sources[1].file.write_bytes(b"43\n")

    with pytest.raises(Refused) as caught:
        client.deposit(order)

    assert caught.value.problem.endswith("body-mismatch")
    order.sources[1].file.write_bytes(b"42")
    with pytest.raises(BadDocument):
        client.deposit(order)


def test_a_refusal_is_told_at_once_as_the_server_said_it(client: DepositClient, order: Order, between: Between) -> None:
    with pytest.raises(Refused) as caught:
        client.deposit(replace(order, bidder="siret:1"))

    assert between.asked == 1
    assert caught.value.status == 422
    assert "Bidder" in str(caught.value)
    with pytest.raises(Refused) as missing:
        client.deposit(replace(order, procedure=uuid4()))
    assert missing.value.status == 404


@pytest.mark.proves("DEP-07")
def test_a_deposit_goes_through_cut_wires_and_lost_answers_once(
    client: DepositClient, order: Order, between: Between
) -> None:
    between.cuts, between.busy = 1, 2
    sent: list[int] = []

    given = client.deposit(order, progress=sent.append)

    assert isinstance(given, Proved)
    assert sum(sent) == order.size
    assert client.deposit(order) == given
    assert client.receipt(order) == given


def test_a_server_that_is_away_for_good_is_unreachable(client: DepositClient, order: Order, between: Between) -> None:
    between.cuts = 99

    with pytest.raises(Unreachable):
        client.deposit(order)

    assert between.asked == 4


@pytest.mark.proves("ACK-01", "ACK-03")
def test_a_checked_receipt_says_who_for_whom_what_and_when(client: DepositClient, order: Order) -> None:
    given = client.deposit(order)

    assert isinstance(given, Proved)
    record, policy = given.checked.record, given.checked.policy
    assert isinstance(record, DepositRecord)
    assert (record.bidder, policy.buyer, policy.reference) == (ACME, "Ville de Rennes", "2026-MP-017")
    assert given.checked.ruling.verdict is Verdict.IN_TIME
    assert given.checked.tokens[0].imprint == record.imprint


def _flip(_request: httpx2.Request, content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes((content[middle] ^ 1,)) + content[middle + 1 :]


def _evidence(request: httpx2.Request, content: bytes) -> bytes:
    return _flip(request, content) if request.url.path.endswith("/evidence") else content


def _nothing(_request: httpx2.Request, _content: bytes) -> bytes:
    return b""


@pytest.mark.proves("ACK-03")
@pytest.mark.parametrize("lie", [_flip, _evidence, _nothing])
def test_a_receipt_or_evidence_changed_on_the_way_is_not_believed(
    client: DepositClient, order: Order, between: Between, lie: Callable[[httpx2.Request, bytes], bytes]
) -> None:
    between.lies = lie

    with pytest.raises(Unsound):
        client.deposit(order)


@pytest.mark.proves("ACK-03")
def test_anothers_receipt_is_not_believed(client: DepositClient, order: Order, between: Between) -> None:
    rival = replace(order, bidder=ZENITH, envelope_id=uuid4())
    theirs = client.deposit(rival)
    assert isinstance(theirs, Proved)

    def swap(request: httpx2.Request, _content: bytes) -> bytes:
        return theirs.evidence if request.url.path.endswith("/evidence") else theirs.note

    between.lies = swap

    with pytest.raises(Unsound):
        client.deposit(order)
    with pytest.raises(Unsound):
        client.withdraw(procedure=order.procedure, lot="1", envelope_id=order.envelope_id, bidder=ACME)


@pytest.mark.proves("ACK-03")
def test_under_a_trust_list_of_ones_own_other_roots_are_not_believed(site: Site, url: str, order: Order) -> None:
    token = site.bearer()["Authorization"].removeprefix("Bearer ")

    with DepositClient(url, token, anchors=pki.time_anchors()) as client:
        assert isinstance(client.deposit(order), Proved)
    with DepositClient(url, token, anchors=(pki.anchor("foreign"),)) as client, pytest.raises(Unsound):
        client.deposit(order)


@pytest.mark.proves("ACK-02", "TIME-05")
def test_a_notice_is_given_while_no_authority_answers_and_the_receipt_fetched_later(
    site: Site, client: DepositClient, order: Order
) -> None:
    time = site.world.time
    time.a.silent = time.b.silent = True
    notice = client.deposit(order)
    assert isinstance(notice, Noticed)
    assert client.receipt(order) is None
    time.a.silent = time.b.silent = False

    given = client.deposit(order)

    assert isinstance(given, Proved)
    assert given.checked.record == notice.registration.record
    assert client.state(order).registration == notice.note.decode()


def test_a_withdrawal_is_checked_like_a_receipt(client: DepositClient, order: Order) -> None:
    mine = replace(order, bidder="other:Société des Âges & Cie")
    client.deposit(mine)

    proved = client.withdraw(procedure=mine.procedure, lot=mine.lot, envelope_id=mine.envelope_id, bidder=mine.bidder)

    assert proved.checked.ruling.verdict is Verdict.IN_TIME
    assert client.state(mine).state == "withdrawn"
    with pytest.raises(Refused):
        client.deposit(mine)
