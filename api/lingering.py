# SPDX-License-Identifier: EUPL-1.2
"""An answer that comes before its request is wholly read must reach a client that is still sending.

Rules
  1. Such an answer says `Connection: close`; the rest of the body is read and dropped for a short while, so that the
     connection ends in order and not by a reset that throws the answer away.
  2. What is dropped is bounded in time and bytes; then the connection is closed whatever the client does.

ASGI is asynchronous, so this is too; it waits for nothing but the client.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        exchange = _Exchange(receive, send, has_body=_announces_body(scope))
        await self.app(scope, exchange.receive, exchange.send)
        await exchange.end(self.patience, self.patience_bytes)


class _Exchange:
    """One request and its answer."""

    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self._receive = receive
        self._send = send
        self._is_unread = has_body
        self._is_held = False

    async def receive(self) -> Message:
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
                    dropped += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass  # rule 2: closed below
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _announces_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
