# SPDX-License-Identifier: EUPL-1.2
"""Deposits that are refused: on their announcement, in their body, by their id. Nothing is kept but the attempt."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid1

import pytest

from crypto.algorithms import SECRET_SIZE
from crypto.errors import AlreadySealedError
from crypto.events import EventKind
from crypto.header import MAGIC
from crypto.policy import Part
from tests.vault import depositing
from tests.vault.depositing import DOCUMENTS, NAME, announce
from tests.world.world import BUYER, ZENITH, World
from vault import procedures
from vault.deposit.announcement import AnnouncedDocument, DepositRequest
from vault.deposit.journey import deposit
from vault.errors import (
    BodyBroken,
    BodyMismatch,
    CallerError,
    DepositLimitReached,
    IdTaken,
    InvalidInput,
    NotFound,
    OtherContent,
    StoreFull,
    TooLarge,
    WrongState,
)
from vault.lifecycle import ProcedureState
from vault.models import Procedure

GIB = 1024**3


def refused(world: World, request: DepositRequest, error: type[Exception]) -> Exception:
    """Refuse a request on its announcement: no byte of its body is asked for, no object and no row is made."""
    body = depositing.body(world)
    before = depositing.envelope_ids(world)
    with pytest.raises(error) as caught:
        deposit(world.works, request, body)
    assert body.taken == 0
    assert depositing.envelope_ids(world) == before
    return caught.value


@pytest.mark.proves("DEP-04", "LOG-02", "T47")
@pytest.mark.parametrize(
    "other",
    [{"procedure": UUID(int=7)}, {"lot": "2"}, {"lot": "1\0"}, {"part": Part.IDENTITY}, {"platform": "elsewhere"}],
    ids=["procedure", "lot", "lot with a zero", "part", "platform"],
)
def test_a_place_that_is_not_there_for_a_platform_is_not_found(shared_world: World, other: dict[str, object]) -> None:
    refused(shared_world, replace(depositing.request(shared_world), **other), NotFound)  # type: ignore[arg-type]

    if "platform" not in other:
        assert depositing.events(shared_world, EventKind.ACCESS_REFUSED)


def test_a_procedure_that_is_not_published_is_not_found(world: World) -> None:
    world.procedure = procedures.draft(world.works, BUYER, world.draft(k=1, n=2))

    refused(world, depositing.request(world), NotFound)


@pytest.mark.parametrize("state", [ProcedureState.ARCHIVED, ProcedureState.CANCELLED])
def test_a_procedure_that_has_ended_takes_nothing(open_world: World, state: ProcedureState) -> None:
    with open_world.works.open() as work:
        work.session.get_one(Procedure, open_world.procedure).state = state

    refused(open_world, depositing.request(open_world), WrongState)


@pytest.mark.proves("DEP-04", "LOG-02")
@pytest.mark.parametrize(
    "bidder",
    [
        "",
        "siret:",
        "siret:2135023880001",
        "siret:21350238800018",
        "siret:2135023880001９",
        "SIRET:21350238800019",
        "vat:",
        "vat:fr12",
        "vat:FR" + "1" * 40,
        "other:",
        "other: ",
        "other:" + "x" * 200,
        "other:a\nb",
        "other:a\u202eb",
        "21350238800019",
        "iban:FR7630006000011234567890189",
    ],
)
def test_a_bidder_that_names_nobody_is_refused(shared_world: World, bidder: str) -> None:
    error = refused(shared_world, depositing.request(shared_world, bidder=bidder), InvalidInput)

    assert isinstance(error, InvalidInput)
    assert error.field == "Bidder"


@pytest.mark.parametrize("secret", [b"", bytes(SECRET_SIZE - 1), bytes(SECRET_SIZE + 1)])
def test_a_deposit_secret_has_32_bytes(shared_world: World, secret: bytes) -> None:
    refused(shared_world, depositing.request(shared_world, secret=secret), InvalidInput)


@pytest.mark.proves("T47")
def test_an_id_that_tells_a_time_is_refused(shared_world: World) -> None:
    refused(shared_world, depositing.request(shared_world, envelope_id=uuid1()), InvalidInput)


@pytest.mark.proves("DEP-17")
@pytest.mark.parametrize(
    "paths",
    [
        ("",),
        ("/etc/passwd",),
        ("../prix.txt",),
        ("a/../b",),
        ("a//b",),
        ("a/./b",),
        ("a\\b",),
        ("a\x00b",),
        ("a\nb",),
        ("a\u202etxt.exe",),
        ("x" * 256,),
        ("/".join(["x" * 250] * 5),),
        ("a/",),
        ("prix.txt", "prix.txt"),
        ("prix.txt", "PRIX.TXT"),
        (unicodedata.normalize("NFC", "é.txt"), unicodedata.normalize("NFD", "é.txt")),
    ],
    ids=repr,
)
def test_a_hostile_name_is_refused_before_a_byte_is_read(shared_world: World, paths: tuple[str, ...]) -> None:
    documents = tuple(AnnouncedDocument(path, 3) for path in paths)

    refused(shared_world, depositing.request(shared_world, documents), InvalidInput)


@pytest.mark.proves("DEP-18")
@pytest.mark.parametrize("sizes", [(), (0,), (5, 0), (-1,)])
def test_an_empty_deposit_and_an_empty_document_are_refused(shared_world: World, sizes: tuple[int, ...]) -> None:
    documents = tuple(AnnouncedDocument(f"{place}.txt", size) for place, size in enumerate(sizes))

    refused(shared_world, depositing.request(shared_world, documents), InvalidInput)


@pytest.mark.proves("DEP-04", "LOG-02")
@pytest.mark.parametrize(
    ("sizes", "what"),
    [((11 * GIB,), "document"), ((6 * GIB, 6 * GIB), "envelope"), ((1,) * 2001, "documents")],
    ids=["document", "envelope", "documents"],
)
def test_what_passes_a_limit_is_refused_with_the_limit(shared_world: World, sizes: tuple[int, ...], what: str) -> None:
    documents = tuple(AnnouncedDocument(f"{place}.bin", size) for place, size in enumerate(sizes))

    request = depositing.request(shared_world, documents)

    error = refused(shared_world, request, TooLarge)

    assert isinstance(error, TooLarge)
    assert error.what == what
    assert error.limit < error.announced
    [(state, facts)] = depositing.tried(shared_world, request.envelope_id)
    assert (state, facts.outcome) == ("failed", "too-large")
    assert depositing.events(shared_world, EventKind.DEPOSIT_REFUSED)[-1].data == b"too-large"


@pytest.mark.proves("DEP-04")
def test_a_bidder_has_a_limit_of_deposits_in_a_box_and_a_repeat_is_not_one(world: World) -> None:
    world.works = replace(world.works, settings=world.works.settings.model_copy(update={"max_deposits": 2}))
    world.publish(world.draft(k=1, n=2))
    first = depositing.request(world)
    given = depositing.send(world, first)
    depositing.send(world, depositing.request(world))

    refused(world, depositing.request(world), DepositLimitReached)

    assert depositing.send(world, first).note == given.note
    depositing.send(world, depositing.request(world, bidder=ZENITH))
    depositing.send(world, depositing.request(world, part=Part.FINANCIAL))


def test_a_deposit_without_room_in_the_store_is_refused_before_its_first_byte(open_world: World) -> None:
    open_world.store.room = 100_000

    refused(open_world, depositing.request(open_world), StoreFull)


Change = Callable[[depositing.Body], depositing.Body]


def _cut(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=body.pieces[:-1])


def _shorter(body: depositing.Body) -> depositing.Body:
    number, last = body.pieces[-1]
    return replace(body, pieces=(*body.pieces[:-1], (number, last[:-1])))


def _longer(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=(*body.pieces, (body.pieces[-1][0], b"x")))


def _swapped(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=(body.pieces[-1], *body.pieces[:-1]))


def _third(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=(*body.pieces, (2, b"x")))


def _broken(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=body.pieces[:1], breaks_with=BodyBroken("the connection was cut"))


def _empty(body: depositing.Body) -> depositing.Body:
    return replace(body, pieces=())


@pytest.mark.proves("DEP-08", "LOG-02", "CONF-02")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_cut, BodyBroken),
        (_shorter, BodyMismatch),
        (_longer, BodyMismatch),
        (_swapped, BodyMismatch),
        (_third, BodyMismatch),
        (_broken, BodyBroken),
        (_empty, BodyMismatch),
    ],
    ids=["cut", "shorter", "longer", "swapped", "third", "broken", "empty"],
)
def test_a_body_that_is_not_as_announced_leaves_nothing_but_its_attempt(
    shared_world: World, change: Change, error: type[CallerError]
) -> None:
    request = depositing.request(shared_world)
    before = (depositing.envelope_ids(shared_world), depositing.stored_names(shared_world))

    with pytest.raises(error) as caught:
        deposit(shared_world.works, request, change(depositing.body(shared_world)))

    assert (depositing.envelope_ids(shared_world), depositing.stored_names(shared_world)) == before
    [(state, facts)] = depositing.tried(shared_world, request.envelope_id)
    assert (state, facts.outcome) == ("failed", caught.value.code)
    kinds = [event.kind for event in depositing.events(shared_world)][-2:]
    assert kinds == [EventKind.DEPOSIT_STARTED, EventKind.DEPOSIT_REFUSED]


@pytest.mark.proves("DEP-08")
def test_a_bit_that_flips_on_the_way_is_refused_with_the_documents_name(shared_world: World) -> None:
    announced = announce()
    request = depositing.request(shared_world, (announced[0], replace(announced[1], sha256=bytes(32))))

    with pytest.raises(BodyMismatch) as caught:
        depositing.send(shared_world, request)

    assert caught.value.path == NAME
    assert request.envelope_id not in depositing.envelope_ids(shared_world)


@pytest.mark.proves("T36")
def test_attack_T36_a_sealed_envelope_is_not_sealed_again(shared_world: World) -> None:
    documents = {"bid.tvse": MAGIC + bytes(5000)}

    request = depositing.request(shared_world, announce(documents))

    with pytest.raises(AlreadySealedError):
        depositing.send(shared_world, request, documents)

    assert request.envelope_id not in depositing.envelope_ids(shared_world)


@pytest.mark.proves("T45", "DEP-07")
@pytest.mark.parametrize("how", ["byte", "order", "secret", "name", "fewer"])
def test_attack_T45_an_id_takes_no_other_content(shared_world: World, how: str) -> None:
    first = depositing.request(shared_world)
    given = depositing.send(shared_world, first)
    documents = dict(DOCUMENTS)
    again = first
    if how == "byte":
        documents[NAME] = documents[NAME][:-1] + b"!"
    elif how == "order":
        documents = dict(reversed(documents.items()))
    elif how == "name":
        documents = {path.upper(): content for path, content in documents.items()}
    elif how == "fewer":
        del documents[NAME]
    else:
        again = replace(first, secret=bytes(SECRET_SIZE))

    with pytest.raises(OtherContent):
        depositing.send(shared_world, replace(again, documents=announce(documents)), documents)

    assert depositing.send(shared_world, first).note == given.note


@pytest.mark.proves("T26", "T47", "T49", "LOG-02")
def test_attack_T26_an_id_that_cannot_be_used_is_refused_alike_whoever_holds_it(open_world: World) -> None:
    mine = depositing.request(open_world)
    depositing.send(open_world, mine)
    withdrawn = depositing.request(open_world)
    depositing.send(open_world, withdrawn)
    open_world.withdraw(mine.envelope_id)  # and nothing later than it
    open_world.withdraw(withdrawn.envelope_id)
    rival = depositing.request(open_world, bidder=ZENITH)
    depositing.send(open_world, rival)

    answers = [
        str(refused(open_world, one, IdTaken))
        for one in (
            withdrawn,
            replace(rival, bidder=mine.bidder),
            replace(rival, bidder=mine.bidder, part=Part.FINANCIAL),
            replace(rival, part=Part.FINANCIAL),
        )
    ]

    assert len(set(answers)) == 1
    codes = [event.data for event in depositing.events(open_world, EventKind.DEPOSIT_REFUSED)]
    assert codes == [b"id-taken"] * 4
