# SPDX-License-Identifier: EUPL-1.2
"""The upload pump: an HTTP body comes in on the event loop, a journey pulls it in its own thread.

Rules
  1. The journey is called when the announcement is read, and no byte of a bid is read before it asks for one.
  2. Between the two sides lie `BLOCKS` blocks of `BLOCK` bytes and nothing else: who is slow slows the other, memory
     is flat whatever the length, and no byte touches a disk.
  3. A block is the journey's until it asks for the next event; then it is zeroed and used again. Whoever keeps a view
     longer is told by a BufferError, not by wrong bytes.
  4. Whatever ends the body early (client gone or silent, too long, out of order) reaches the journey as a typed error
     in place of the next bytes. When the journey ends, however it ends, the pump ends.
  5. The end is given out only after the closing boundary and the end of the request: a journey that reads to the end
     has read all there is. `Body.last_byte_at` is when the server read the last of it (protocol 4.3, t_last).

Left to others: the order of parts (api.deposit.parts), what is done with the bytes (vault.deposit). This is the one
place of the deposit where code is asynchronous; routes and journeys are plain functions.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from api.auth import Clock
from api.deposit.parts import PartsParser, boundary_of
from api.lingering import lift_bound
from vault.deposit.announcement import AnnouncedDocument, Piece
from vault.errors import BodyBroken

BLOCK = 1024 * 1024  # a multiple of the 16 KiB chunks of protocol 2.4
BLOCKS = 3  # one being filled, one waiting, one being sealed
AT_ONCE = 8  # uploads of one process; about 60 MB each with the store's parts
SILENCE = timedelta(seconds=120)  # how long a client that sends nothing is waited for
_ZEROS = memoryview(bytes(BLOCK))


@dataclass(frozen=True)
class _Filled:
    document: int
    block: bytearray
    size: int


@dataclass(frozen=True)
class _Ended:
    last_byte_at: datetime


_Item = _Filled | _Ended | Exception


class Body(Iterator[Piece]):
    """What the journey pulls: the documents' bytes in their order. One thread only."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.is_wanted = False
        self.free: deque[bytearray] = deque(bytearray(BLOCK) for _ in range(BLOCKS))
        self.items: SimpleQueue[_Item] = SimpleQueue()
        self._wake = wake
        self._lent: tuple[bytearray, memoryview] | None = None
        self._over: _Ended | Exception | None = None

    @property
    def last_byte_at(self) -> datetime:
        """When the server read the last byte; known once the body was read to its end."""
        match self._over:
            case _Ended(last_byte_at):
                return last_byte_at
            case _:
                raise RuntimeError("the body was not read to its end")

    def __next__(self) -> Piece:
        """The next bytes.

        Raises:
            StopIteration: all documents have come, and nothing follows.
            BodyBroken, BodyMismatch, BodyMalformed: the body ends here; nothing of it is good.
        """
        self._give_back()
        if not self.is_wanted:
            self.is_wanted = True
            self._wake()
        item = self._over or self.items.get()
        if isinstance(item, _Filled):
            view = memoryview(item.block)[: item.size]
            self._lent = (item.block, view)
            return Piece(item.document, view)
        if isinstance(item, _Ended):
            self._over = item
            raise StopIteration
        self._over = item
        raise item

    def _give_back(self) -> None:
        if self._lent is None:
            return
        (block, view), self._lent = self._lent, None
        size = view.nbytes
        view.release()
        block.append(0)  # a resize fails with BufferError while anybody holds a view: rule 3
        block.pop()
        _zero(block, size)
        self.free.append(block)
        self._wake()

    def abandon(self) -> None:
        """The request has ended: wipe what was lent and what was never taken; who still asks gets an error."""
        if self._lent is not None:
            (block, view), self._lent = self._lent, None
            _zero(block, view.nbytes)
            view.release()
        while not self.items.empty():
            item = self.items.get_nowait()
            if isinstance(item, _Filled):
                _zero(item.block, item.size)
        self.items.put(BodyBroken("the upload was given up"))


@dataclass(frozen=True)
class Upload:
    """A deposit that has announced its documents."""

    documents: tuple[AnnouncedDocument, ...]
    body: Body


@dataclass
class Uploads:
    """The pump of one process: how many bodies at once, and how long a silent client is waited for."""

    clock: Clock
    at_once: int = AT_ONCE
    silence: timedelta = SILENCE
    _places: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Those beyond the places wait unread: TCP slows them, none is refused for load."""
        self._places = asyncio.Semaphore(self.at_once)

    @asynccontextmanager
    async def receive(self, content_type: str | None, stream: AsyncIterator[bytes]) -> AsyncIterator[Upload]:
        """Read the announcement, then pump while the block runs.

        Raises:
            NotMultipart, BodyMalformed, AnnouncementRefused, BodyBroken: before anything was given out.
        """
        parser = PartsParser(boundary_of(content_type))
        async with self._places:
            chunks = _Chunks(stream, self.clock, self.silence)
            early: list[Piece] = []
            while parser.announcement is None:
                early += parser.feed(await chunks.take())
            pump = _Pump(chunks, parser)
            task = asyncio.create_task(pump.run(early))
            try:
                yield Upload(parser.announcement, pump.body)
            finally:
                task.cancel()
                try:
                    await asyncio.wait([task])
                finally:
                    pump.wipe()


@dataclass
class _Chunks:
    """The request's bytes, with the time the last of them was read and a limit to silence."""

    stream: AsyncIterator[bytes]
    clock: Clock
    silence: timedelta
    last_read_at: datetime = field(init=False)

    async def read(self) -> bytes | None:
        """The next bytes; None at the end."""
        try:
            async with asyncio.timeout(self.silence.total_seconds()):
                chunk = await anext(self.stream)
        except StopAsyncIteration:
            return None
        except ClientDisconnect as error:
            raise BodyBroken("the connection was cut") from error
        except TimeoutError as error:
            raise BodyBroken(f"nothing came for {self.silence.total_seconds():.0f} s") from error
        if chunk:
            self.last_read_at = self.clock.now()
        return chunk

    async def take(self) -> bytes:
        """The next bytes, where there must be some."""
        chunk = await self.read()
        if chunk is None:
            raise BodyBroken("the body ends before its documents")
        return chunk


class _Pump:
    """The event loop's side of one body."""

    def __init__(self, chunks: _Chunks, parser: PartsParser) -> None:
        loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._chunks = chunks
        self._parser = parser
        self._block: bytearray | None = None
        self._room = memoryview(b"")
        self._size = 0
        self._document = 0
        self.body = Body(lambda: _tell(loop, self._changed))

    async def run(self, early: list[Piece]) -> None:
        """Move everything, then the end, or the error that ends it."""
        try:
            await self._until(lambda: self.body.is_wanted)
            await self._move(early)
            while (chunk := await self._chunks.read()) is not None:
                await self._move(self._parser.feed(chunk))
            self._parser.finish()
            self._flush()
            self.body.items.put(_Ended(self._chunks.last_read_at))
        except Exception as error:  # noqa: BLE001 whatever it is, the journey must not wait for ever
            self.body.items.put(error)

    def wipe(self) -> None:
        """Both sides have ended: nothing of the bid stays in our blocks."""
        self._room.release()
        if self._block is not None:
            _zero(self._block, self._size)
        self.body.abandon()

    async def _move(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.document != self._document:
                self._flush()
                self._document = piece.document
            await self._copy(piece.data)

    async def _copy(self, data: memoryview) -> None:
        while data:
            if self._block is None:
                await self._until(lambda: bool(self.body.free))
                self._block = self.body.free.popleft()
                self._room = memoryview(self._block)
            count = min(len(data), BLOCK - self._size)
            self._room[self._size : self._size + count] = data[:count]
            self._size += count
            data = data[count:]
            if self._size == BLOCK:
                self._flush()

    def _flush(self) -> None:
        if self._block is None:
            return
        self._room.release()
        self.body.items.put(_Filled(self._document, self._block, self._size))
        self._block, self._size = None, 0

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            if is_so():  # the other thread may have come in between
                return
            await self._changed.wait()


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(event.set)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def _zero(block: bytearray, size: int) -> None:
    with memoryview(block) as room:
        room[:size] = _ZEROS[:size]


async def uploaded(request: Request) -> AsyncIterator[Upload]:
    """The dependency of routes that take a body; name the caller's declaration before it."""
    uploads: Uploads = request.app.state.services.uploads
    lift_bound(request.scope)
    async with uploads.receive(request.headers.get("content-type"), request.stream()) as upload:
        yield upload


ReceivedUpload = Annotated[Upload, Depends(uploaded, scope="function")]
