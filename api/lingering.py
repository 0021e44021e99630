# SPDX-License-Identifier: EUPL-1.2
"""Bodies at the edge: how long they may be, and answers that come before their request is wholly read.

Rules
  1. A body is bounded, unless the route lifts the bound: it then streams, and is judged by its announcement.
  2. An answer that comes before its request is wholly read must reach a client that is still sending: it says
     `Connection: close`, and the rest of the body is read and dropped for a short while, so that the connection ends
     in order and not by a reset that throws the answer away.
  3. What is dropped is bounded in time and bytes; then the connection is closed whatever the client does.

ASGI is asynchronous, so this is too; it waits for nothing but the client.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 24 * 1024 * 1024  # bytes; a contribution has at most 16 MiB (protocol 3.8)
_LIFTED = "bidvault.body.is_unbounded"
PATIENCE = timedelta(seconds=10)
PATIENCE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Lingering:
    """The middleware."""

    app: ASGIApp
    patience: timedelta = PATIENCE
    patience_bytes: int = PATIENCE_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; drain before the last word."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        await self.app(scope, exchange.receive, exchange.send)
        await exchange.end(self.patience, self.patience_bytes)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        length = _length_of(scope)
        self._left = BODY_LIMIT
        self._is_too_long = length is not None and length > BODY_LIMIT
        self._is_unread = length != 0
        self._is_held = False

    async def receive(self) -> Message:
        """The next of the body, for the application; rule 1."""
        if _LIFTED in self._scope:
            return await self._take()
        if self._is_too_long:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await self._take()
        self._left -= len(message.get("body", b""))
        self._is_too_long = self._left < 0
        if self._is_too_long:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    async def _take(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_unread:
            message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
        if message["type"] == "http.response.body" and self._is_unread and not message.get("more_body", False):
            self._is_held = True
            message = {**message, "more_body": True}
        await self._send(message)

    async def end(self, patience: timedelta, patience_bytes: int) -> None:
        if not self._is_held:
            return
        try:
            async with asyncio.timeout(patience.total_seconds()):
                dropped = 0
                while self._is_unread and dropped < patience_bytes:
                    dropped += len((await self._take()).get("body", b""))
        except TimeoutError:
            pass  # rule 3: closed below
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _length_of(scope: Scope) -> int | None:
    """The announced length of the body; None when it is sent without one."""
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers:
        return None
    return int(headers.get("content-length", "0"))  # the server has checked that it is a number


def lift_bound(scope: Scope) -> None:
    """Say that this request's body streams and is bounded by what reads it."""
    scope[_LIFTED] = True
