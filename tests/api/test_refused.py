# SPDX-License-Identifier: EUPL-1.2
"""Whoever is refused leaves an entry, whatever the reason; and a million refusals leave few."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import col, select

from api.auth import Role
from crypto.events import Event, EventKind
from deploy.embedded import Addresses
from tests.api.depositing import Envelope, Site, slug
from tests.api.multipart import Sent, body, part
from tests.world.world import World
from vault.hidden import reveal
from vault.journal import STATE, TABLE
from vault.models import JournalRow
from vault.rows import JournalFacts
from vault.tally import FULL
from vault.work import connect

Ask = Callable[[Site], httpx2.Response]


@pytest.fixture
def fresh(fresh_addresses: Addresses) -> Iterator[Site]:
    """A site of one test's own: its counts begin with it."""
    world = World(fresh_addresses)
    yield Site(world)
    world.close()


def told(site: Site) -> list[Event]:
    """Every event of the journal, whatever its key."""
    works = site.world.works
    with works.open() as work:
        rows = work.session.exec(select(JournalRow).order_by(col(JournalRow.seq))).all()
    events = []
    for row in rows:
        is_of_none = row.procedure_id is None and not row.bucket
        key = works.keys.platform_facts(row.platform) if is_of_none else works.keys.facts(site.world.procedure)
        facts = JournalFacts.decode(reveal(key, row.facts, table=TABLE, row_id=row.seq or 0, state=STATE))
        events.append(Event.decode(facts.event))
    return events


def text(event: Event) -> str:
    return (event.data or b"").decode()


def get(path: str, role: Role | None) -> Ask:
    return lambda site: site.http.get(path, headers=site.bearer(role) if role else {})


def put(content: bytes | None = None, **headers: str) -> Ask:
    return lambda site: Envelope(site).put(content=content, headers=headers)


REFUSED: dict[str, tuple[Ask, int, str]] = {
    "no token": (get("/v1/procedures", None), 401, "unauthenticated GET /v1/procedures"),
    "no token for a deposit": (
        put(Authorization=""),
        401,
        "unauthenticated PUT /v1/procedures/{procedure}/lots/{lot}/envelopes/{envelope}",
    ),
    "a wrong role": (get("/v1/procedures", Role.PLATFORM), 403, "role-not-allowed GET /v1/procedures"),
    "an id that is none": (
        get("/v1/procedures/x/boxes/1/closing", Role.BUYER),
        422,
        "invalid-input GET /v1/procedures/{procedure}/boxes/{box}/closing",
    ),
    "an unknown opening": (
        get(f"/v1/openings/{'0' * 64}", Role.AUDITOR),
        404,
        "not-found GET /v1/openings/{opening}",
    ),
    "a body that is too long": (
        lambda site: site.http.post("/v1/procedures", headers=site.bearer(Role.BUYER), content=bytes(25 * 1024 * 1024)),
        413,
        "too-many-bytes POST /v1/procedures",
    ),
    "an announcement that is none": (put(body([], announced=b"{}")), 422, "announcement-refused"),
    "an empty announcement": (put(body([], announced=b"[]")), 422, "announcement-refused"),
    "no announcement first": (put(part("document", b"x")), 400, "body-malformed"),
    "another type": (put(b"{}", **{"Content-Type": "application/json"}), 415, "not-multipart"),
    "a secret that is none": (put(None, **{"Deposit-Secret": "!"}), 422, "invalid-input"),
    "a body broken off at once": (put(b""), 400, "body-broken"),
    "an empty document": (lambda site: Envelope(site, documents=(Sent("a", b""),)).put(), 422, "announcement-refused"),
    "a lot that is not there": (lambda site: Envelope(site, lot="9").put(), 404, "not-found"),
    "a bidder that is none": (lambda site: Envelope(site, bidder="acme").put(), 422, "invalid-input"),
}


@pytest.mark.proves("LOG-01", "LOG-02")
@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_is_one_entry(site: Site, case: str) -> None:
    ask, status, said = REFUSED[case]
    before = len(told(site))

    answer = ask(site)

    (entry,) = told(site)[before:]
    assert answer.status_code == status, answer.text
    assert text(entry) == said
    assert entry.kind in {EventKind.ACCESS_REFUSED, EventKind.DEPOSIT_REFUSED}


@pytest.mark.proves("LOG-01", "LATE-03")
def test_a_deposit_without_its_form_is_an_attempt_of_its_box(site: Site) -> None:
    before = len(told(site))

    put(body([], announced=b"nonsense"))(site)

    (entry,) = told(site)[before:]
    assert entry.kind is EventKind.DEPOSIT_REFUSED
    assert entry.procedure == site.world.procedure.bytes


@pytest.mark.proves("LOG-01", "LOG-06")
def test_an_entry_names_the_token_by_its_digest_and_nothing_that_was_sent(site: Site) -> None:
    bearer = site.bearer(Role.PLATFORM)
    before = len(told(site))

    site.http.get(f"/v1/procedures/{uuid4()}/boxes/77/closing", headers=bearer)

    (entry,) = told(site)[before:]
    assert entry.subject == sha256(bearer["Authorization"].removeprefix("Bearer ").encode()).digest()
    assert "77" not in text(entry)


@pytest.mark.proves("T54", "LOG-02")
def test_strangers_who_knock_for_ever_leave_few_entries(fresh: Site) -> None:
    for number in range(300):
        assert fresh.http.get(f"/v1/openings/{number:064}", headers={}).status_code == 401

    entries = [text(one) for one in told(fresh)]
    assert len(entries) == FULL + 2
    assert entries[-1] == "unauthenticated GET /v1/openings/{opening} #256"


@pytest.mark.proves("LOG-07")
def test_a_refusal_stands_while_the_journal_cannot_be_written_and_is_told_after(fresh: Site) -> None:
    world = fresh.world
    away = replace(world.works, engine=connect("postgresql+psycopg://nobody@127.0.0.1:9/none"))

    for works in (away, replace(away, engine=world.engines[0])):
        world.works = works
        assert slug(Site(world).http.get("/v1/procedures")) == "unauthenticated"

    assert [text(one) for one in told(fresh)] == ["unauthenticated GET /v1/procedures #2"]
