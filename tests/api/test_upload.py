# SPDX-License-Identifier: EUPL-1.2
"""The pump between the event loop and a journey's thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from api.deposit.upload import BLOCK, BLOCKS, Body, Upload, Uploads
from api.errors import BodyMalformed, NotMultipart
from tests.api.multipart import CONTENT_TYPE, Sent, announcement, body, part
from vault.errors import BodyBroken, BodyMismatch, TooLarge

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Ticking:
    """A clock that moves one second each time it is read."""

    reads: int = 0

    def now(self) -> datetime:
        self.reads += 1
        return NOON + timedelta(seconds=self.reads)


@dataclass
class Wire:
    """A request body that counts what was asked of it, and can be cut or fall silent."""

    chunks: list[bytes]
    then: str = "end"
    taken: int = field(default=0)

    async def stream(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk
        if self.then == "cut":
            raise ClientDisconnect
        if self.then == "silence":
            await asyncio.Event().wait()


Journey = Callable[[Upload], object]


def collected(upload: Upload) -> list[bytes]:
    """A journey that reads everything."""
    documents = [b""] * len(upload.documents)
    for piece in upload.body:
        assert 0 < piece.data.nbytes <= BLOCK
        documents[piece.document] += piece.data.tobytes()
    return documents


def pumped(wire: Wire, journey: Journey, *, uploads: Uploads | None = None) -> object:
    """Run a journey in a thread of its own over this wire."""

    async def run() -> object:
        pump = uploads or Uploads(Ticking())
        async with pump.receive(CONTENT_TYPE, wire.stream()) as upload:
            return await asyncio.get_running_loop().run_in_executor(None, journey, upload)

    return asyncio.run(run())


def cut(data: bytes, size: int) -> list[bytes]:
    """The same bytes in pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 4096, 10**9])
def test_documents_arrive_in_order_whatever_the_pieces(size: int) -> None:
    documents = [Sent("a", b"alpha"), Sent("b", b"\r\n--b0undar"), Sent("c", bytes(range(256)) * 20)]

    assert pumped(Wire(cut(body(documents), size)), collected) == [sent.content for sent in documents]


@settings(max_examples=30, deadline=None)
@given(contents=st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=4), size=st.integers(1, 900))
def test_what_is_sent_is_what_arrives(contents: list[bytes], size: int) -> None:
    documents = [Sent(f"{number}.bin", content) for number, content in enumerate(contents)]

    assert pumped(Wire(cut(body(documents), size)), collected) == contents


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17])
def test_documents_longer_than_a_block_arrive_whole(length: int) -> None:
    content = bytes(range(251)) * (length // 251 + 1)
    sent = Sent("plans.zip", content[:length])

    assert pumped(Wire(cut(body([sent, Sent("b", b"b")]), 65536)), collected) == [sent.content, b"b"]


def test_many_small_documents_go_through_the_three_blocks() -> None:
    documents = [Sent(f"{number}.txt", b"%d" % number) for number in range(400)]

    assert pumped(Wire(cut(body(documents), 5000)), collected) == [sent.content for sent in documents]


@pytest.mark.proves("DEP-04")
def test_a_journey_may_refuse_before_a_byte_of_a_bid_is_read() -> None:
    first = part("announcement", announcement([Sent("plans.zip", b"x" * 10)]))
    wire = Wire([first + b"--b0undary\r\n", b"never read"])

    def refuse(upload: Upload) -> None:
        raise TooLarge("envelope", upload.documents[0].size, 1)

    with pytest.raises(TooLarge):
        pumped(wire, refuse)
    assert wire.taken == 1


def test_the_pump_waits_for_a_slow_journey() -> None:
    sent = Sent("plans.zip", bytes(8 * BLOCK))
    wire = Wire(cut(body([sent]), BLOCK))
    seen: list[int] = []

    def slow(upload: Upload) -> None:
        pieces = iter(upload.body)
        next(pieces)
        reached_rest.wait(timeout=30)
        seen.append(wire.taken)
        assert sum(piece.data.nbytes for piece in pieces) == 7 * BLOCK

    reached_rest = threading.Event()
    loop_turns = 0

    async def run() -> None:
        nonlocal loop_turns
        async with Uploads(Ticking()).receive(CONTENT_TYPE, wire.stream()) as upload:
            working = asyncio.get_running_loop().run_in_executor(None, slow, upload)
            before = -1
            while before != wire.taken:  # until the pump takes no more, though there is more
                before = wire.taken
                for _ in range(200):
                    await asyncio.sleep(0)
            reached_rest.set()
            await working

    asyncio.run(run())
    assert seen[0] <= BLOCKS + 2


def test_a_journey_that_dies_ends_the_pump() -> None:
    wire = Wire(cut(body([Sent("plans.zip", bytes(8 * BLOCK))]), BLOCK))

    def die(upload: Upload) -> None:
        next(upload.body)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pumped(wire, die)
    assert wire.taken < len(wire.chunks)


def test_a_journey_that_reads_nothing_ends_the_pump() -> None:
    assert pumped(Wire(cut(body([Sent("a", b"a")]), 10)), lambda upload: upload.documents[0].size) == 1


@pytest.mark.parametrize("then", ["cut", "end"])
def test_a_body_broken_off_anywhere_reaches_the_journey_as_one_typed_error(then: str) -> None:
    whole = body([Sent("a", b"alpha"), Sent("b", b"beta")])
    for length in range(0, len(whole) - 2, 3):
        with pytest.raises(BodyBroken):
            pumped(Wire([whole[:length]], then), collected)


def test_a_silent_client_is_waited_for_only_so_long() -> None:
    whole = body([Sent("a", b"alpha")])
    uploads = Uploads(Ticking(), silence=timedelta(milliseconds=20))

    with pytest.raises(BodyBroken):
        pumped(Wire([whole[:-20]], "silence"), collected, uploads=uploads)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"alp", BodyMismatch), (b"alphabet", BodyMismatch), (b"alpha\r\n--b0undary\rx", BodyMismatch)],
)
def test_a_document_of_another_length_reaches_the_journey(content: bytes, error: type[Exception]) -> None:
    data = part("announcement", announcement([Sent("a", b"alpha")])) + part("document", content) + b"--b0undary--\r\n"
    with pytest.raises(error):
        pumped(Wire(cut(data, 11)), collected)


def test_bytes_behind_the_end_reach_the_journey_in_place_of_the_end() -> None:
    with pytest.raises(BodyMalformed):
        pumped(Wire([body([Sent("a", b"alpha")]), b"more"]), collected)


def test_an_error_is_given_again_when_the_journey_asks_again() -> None:
    def stubborn(upload: Upload) -> int:
        faults = 0
        for _ in range(3):
            try:
                collected(upload)
            except BodyBroken:
                faults += 1
        return faults

    assert pumped(Wire([body([Sent("a", b"alpha")])[:-8]]), stubborn) == 3


def test_the_last_byte_is_timed_when_the_server_read_it() -> None:
    clock = Ticking()

    def journey(upload: Upload) -> datetime:
        with pytest.raises(RuntimeError):
            _ = upload.body.last_byte_at
        collected(upload)
        return upload.body.last_byte_at

    pieces = cut(body([Sent("a", b"alpha")]), 40)
    assert pumped(Wire(pieces), journey, uploads=Uploads(clock)) == NOON + timedelta(seconds=len(pieces))


@pytest.mark.proves("CONF-02")
def test_a_block_is_zeroed_once_the_journey_asks_for_the_next() -> None:
    def journey(upload: Upload) -> list[int]:
        blocks = list(upload.body.free)
        collected(upload)
        return [sum(block) for block in blocks]

    assert pumped(Wire(cut(body([Sent("a", b"\xff" * 3 * BLOCK)]), 65536)), journey) == [0] * BLOCKS


@pytest.mark.proves("CONF-02")
def test_blocks_are_zeroed_when_the_journey_dies_too() -> None:
    blocks: list[bytearray] = []

    def journey(upload: Upload) -> None:
        blocks.extend(upload.body.free)
        next(upload.body)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pumped(Wire(cut(body([Sent("a", b"\xff" * 4 * BLOCK)]), 65536)), journey)
    assert [sum(block) for block in blocks] == [0] * BLOCKS


def test_who_keeps_a_block_beyond_its_turn_is_told() -> None:
    def journey(upload: Upload) -> None:
        kept = [piece.data[:1] for piece in upload.body]
        raise AssertionError(kept)

    with pytest.raises(BufferError):
        pumped(Wire([body([Sent("a", b"alpha")])]), journey)


def test_those_beyond_the_places_wait_unread() -> None:
    async def run() -> tuple[int, int]:
        uploads = Uploads(Ticking(), at_once=1)
        whole = body([Sent("a", b"alpha")])
        first, second = Wire([whole]), Wire([whole])
        is_in, may_end = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with uploads.receive(CONTENT_TYPE, first.stream()):
                is_in.set()
                await may_end.wait()

        async def queue() -> None:
            async with uploads.receive(CONTENT_TYPE, second.stream()):
                pass

        holding = asyncio.create_task(hold())
        await is_in.wait()
        queueing = asyncio.create_task(queue())
        for _ in range(50):
            await asyncio.sleep(0)
        unread = second.taken
        may_end.set()
        await asyncio.gather(holding, queueing)
        return unread, second.taken

    assert asyncio.run(run()) == (0, 1)


def test_a_wrong_content_type_is_refused_before_the_body_is_asked_for() -> None:
    wire = Wire([b"x"])

    async def run() -> None:
        async with Uploads(Ticking()).receive("application/json", wire.stream()):
            raise AssertionError

    with pytest.raises(NotMultipart):
        asyncio.run(run())
    assert wire.taken == 0


def test_a_cancelled_request_frees_its_journey() -> None:
    whole = body([Sent("a", b"alpha")])
    ends: list[BaseException] = []

    def journey(upload: Upload) -> None:
        try:
            collected(upload)
        except BodyBroken as error:
            ends.append(error)

    async def run() -> None:
        asked = asyncio.Event()
        wire = Wire([whole[:-30]], "silence")

        async def request() -> None:
            async with Uploads(Ticking()).receive(CONTENT_TYPE, wire.stream()) as upload:
                working = asyncio.get_running_loop().run_in_executor(None, journey, upload)
                asked.set()
                await working

        task = asyncio.create_task(request())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(run())
    assert [type(end) for end in ends] == [BodyBroken]


def test_a_body_is_an_iterator() -> None:
    assert isinstance(Body(lambda: None), Iterator)
