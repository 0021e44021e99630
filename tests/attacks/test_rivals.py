# SPDX-License-Identifier: EUPL-1.2
"""What a depositor learns of others: nothing. Fifty rivals look like none, in answers, in work done and in time."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import sqrt
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import event

from api.probes import probes
from crypto.deposit import Receipt, Withdrawal
from crypto.events import EventKind
from crypto.statement import Kind, parse_note
from tests.api.depositing import Envelope, Site
from tests.api.multipart import Sent
from tests.figures import record
from tests.vault import depositing
from tests.world.world import ACME, ZENITH, World
from vault import sequencer
from vault.deposit import own
from vault.envelopes import Depositor, Wanted
from vault.errors import NotFound

RIVALS = 50
UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Seen:
    """What one act shows its caller, and what it made the vault do."""

    answers: list[object] = field(default_factory=list)
    statements: list[tuple[str, int]] = field(default_factory=list)  # and the rows that each read or wrote
    stores: list[str] = field(default_factory=list)


@contextmanager
def watched(world: World, seen: Seen) -> Iterator[None]:
    """Note every statement with its rows, and everything the stores are asked."""

    def note(_connection: object, cursor: object, statement: str, *_rest: object) -> None:
        seen.statements.append((statement, int(getattr(cursor, "rowcount", -1))))

    def tell(what: str, *, is_done: bool) -> None:
        if is_done:
            seen.stores.append(what.split("/", maxsplit=1)[0])

    event.listen(world.engines[0], "after_cursor_execute", note)
    world.store.watch = world.key_store.watch = tell
    try:
        yield
    finally:
        event.remove(world.engines[0], "after_cursor_execute", note)
        world.store.watch = world.key_store.watch = None


def shape(answer: httpx2.Response) -> object:
    """An answer without what is drawn by chance or told by the clock: ids, salts, signatures, times."""
    text = UUID_TEXT.sub("<id>", answer.text)
    kind = answer.headers.get("bidvault-statement")
    if kind in ("receipt", "withdrawal"):
        return answer.status_code, kind, sorted(answer.headers), _facts(Kind(kind), text.encode())
    if answer.headers["content-type"].startswith("application/vnd"):
        return answer.status_code, len(text) // 2048
    try:
        told = json.loads(text)
    except ValueError:
        return answer.status_code, sorted(answer.headers), text
    members = {name: value for name, value in told.items() if name not in ("id", "instance", "last_byte_at")}
    for name in ("receipt", "withdrawal"):
        if members.get(name):
            members[name] = _facts(Kind(name), members[name].encode())
    return answer.status_code, sorted(answer.headers), members


def _facts(kind: Kind, note: bytes) -> object:
    said = (Receipt if kind is Kind.RECEIPT else Withdrawal).decode(parse_note(note, kind).payload)
    ruling = said.ruling
    return type(said).__name__, ruling.verdict, ruling.reason, ruling.level, len(ruling.tokens), ruling.event.kind


def live(site: Site, bidder: str) -> Seen:
    """A depositor's whole life: deposit, repeat, mistakes, looks, guesses at others' ids, withdrawal, and again."""
    mine = Envelope(site, bidder=bidder)
    wrong = replace(mine, secret=bytes(32))
    guess = Envelope(site, bidder=bidder, id=uuid4())
    large = Envelope(site, bidder=bidder, documents=(Sent("a", b"x" * 10),) * 2500)
    empty = Envelope(site, bidder=bidder, documents=())
    procedure = f"/v1/procedures/{site.world.procedure}"
    elsewhere = ("/livez", "/v1/limits", "/metrics", "/v1/journal/checkpoint", procedure, f"{procedure}/envelopes")
    seen = Seen()
    with watched(site.world, seen):
        acts: list[Callable[[], httpx2.Response]] = [
            *(mine.put, mine.put, wrong.put, mine.ask, guess.ask, large.put, empty.put),
            *(lambda: mine.ask(tail="/evidence"), lambda: mine.ask(tail="/proof")),
            *(lambda: guess.ask(tail="/evidence"), lambda: guess.ask("DELETE")),
            *(lambda: mine.ask("DELETE"), mine.ask, mine.put, lambda: mine.ask("DELETE")),
            *(partial(site.http.get, path, headers=site.bearer()) for path in elsewhere),
        ]
        for act in acts:
            seen.answers.append(shape(act()))
            seen.statements.append(("— next act —", 0))
    return seen


def rivals(site: Site, count: int = RIVALS) -> None:
    """Rivals in the same box: deposits, repeats, withdrawals."""
    for number in range(count):
        one = Envelope(site, bidder=f"other:rival {number:03}")
        assert one.put().status_code == 201
        if number % 5 == 0:
            assert one.ask("DELETE").status_code == 200


@pytest.mark.proves("T47")
def test_attack_T47_fifty_rivals_look_like_none_in_every_answer_and_in_the_work_that_it_took(site: Site) -> None:
    live(site, "other:to warm up")
    alone = live(site, "other:prober one")
    rivals(site)
    sequencer.publish(site.world.works)

    beside = live(site, "other:prober two")

    assert beside.answers == alone.answers
    assert beside.statements == alone.statements
    assert beside.stores == alone.stores


@pytest.mark.proves("T47")
def test_attack_T47_an_envelope_is_told_to_its_depositor_and_is_nothing_to_anyone_else(open_world: World) -> None:
    given = open_world.deposit(ACME)
    mine = Wanted(Depositor("default", ACME), open_world.procedure, "1", given.id)
    strangers = (
        replace(mine, depositor=Depositor("default", ZENITH)),
        replace(mine, lot="2"),
        replace(mine, procedure=uuid4()),
        replace(mine, depositor=Depositor("elsewhere", ACME)),
        replace(mine, envelope_id=uuid4()),
    )

    answers = [_answer(open_world, one) for one in strangers]

    told = own.tell(open_world.works, mine)
    assert told.receipt == given.acknowledgement.note
    assert len({text for each in answers for text in each}) == 1
    refused = depositing.events(open_world, EventKind.ACCESS_REFUSED)
    assert len(refused) + 3 >= 3 * len(strangers)  # what another platform asks is journaled under its own key


@pytest.mark.proves("T47")
def test_attack_T47_whoever_asks_for_readiness_sets_nothing_off_that_tells_of_a_deposit(site: Site) -> None:
    seen = Seen()
    asked = probes(site.world.works)
    Envelope(site).put()
    with site.world.works.open() as work:
        before = sequencer.latest(work)

    with watched(site.world, seen):
        for probe in asked:
            probe.check()

    with site.world.works.open() as work:
        assert sequencer.latest(work) == before
    assert [text for text, _ in seen.statements if not text.startswith("SELECT")] == []
    assert seen.stores == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.proves("T47")
def test_attack_T47_neither_a_deposit_nor_a_look_takes_longer_beside_rivals(site: Site) -> None:
    rivals(site, 200)
    tries, slower = 300, {"deposit": 0, "look": 0}
    for number in range(tries):
        pair = [("technical", f"other:crowd {number}"), ("financial", f"other:alone {number}")]
        spent = {part: _timed(site, part, bidder) for part, bidder in (pair if number % 2 else pair[::-1])}
        for act in slower:
            slower[act] += spent["technical"][act] > spent["financial"][act]

    # Interleaved pairs: whatever else the machine does strikes both alike. Four standard deviations of a fair coin.
    for act, times in slower.items():
        record(f"of {tries} pairs, a {act} that took longer beside 200 rivals than alone", times)
        assert abs(times - tries / 2) < 4 * sqrt(tries) / 2


def _timed(site: Site, part: str, bidder: str) -> dict[str, float]:
    mine = Envelope(site, bidder=bidder, part=part)
    began = time.perf_counter()
    assert mine.put().status_code == 201
    deposited = time.perf_counter()
    assert mine.ask().status_code == 200
    return {"deposit": deposited - began, "look": time.perf_counter() - deposited}


def _answer(world: World, stranger: Wanted) -> list[str]:
    told = []
    for ask in (own.tell, own.evidence, own.position):
        with pytest.raises(NotFound) as caught:
            ask(world.works, stranger)
        told.append(f"{type(caught.value).__name__} {caught.value}")
    return told
