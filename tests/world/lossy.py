# SPDX-License-Identifier: EUPL-1.2
"""A line to an HTTP server that loses answers, or gives others: of what is asked it forwards all, or nothing."""

import http.client
from collections.abc import Callable
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Self
from urllib.parse import urlsplit

Loses = Callable[[str, str], bool]  # of a method and a path


class Instead(Enum):
    """What comes in place of an answer; the server is not asked."""

    SERVER_FAULT = "500"
    GARBAGE = "bytes that are no answer of this protocol"
    SILENCE = "nothing, while the connection stays"
    CUT = "the head of an answer and half its body"


class LossyLine:
    """Listens on loopback and forwards to one server."""

    def __init__(self, server: str, *, loses: Loses = lambda *_: False, instead: Instead | None = None) -> None:
        """Lose every answer for which `loses` says so; with `instead`, give that and ask nobody."""
        line = self
        self.instead = instead
        self.asked: list[str] = []
        self._ends = Event()
        self._upstream = urlsplit(server).netloc
        self._loses = loses
        self.lost: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def handle_expect_100(self) -> bool:
                self.send_response_only(100)
                self.end_headers()
                return True

            def forward(self) -> None:
                line.forward(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815 - names of http.server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        """Where to send what may get lost."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def forward(self, request: BaseHTTPRequestHandler) -> None:
        """Ask the server, and answer unless the answer gets lost."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.asked.append(f"{request.command} {request.path}")
        if self.instead is not None:
            self._give(request, self.instead)
            return
        upstream = http.client.HTTPConnection(self._upstream, timeout=30)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
        upstream.request(request.command, request.path, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if self._loses(request.command, request.path):
            self.lost.append(f"{request.command} {request.path}")
            request.close_connection = True
            return
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding"}:
                request.send_header(name, value)
        if not answer.getheader("Content-Length"):
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _give(self, request: BaseHTTPRequestHandler, instead: Instead) -> None:
        request.close_connection = True
        if instead is Instead.SILENCE:
            self._ends.wait()
        elif instead is Instead.GARBAGE:
            request.wfile.write(b"\x00\xff" * 500)
        else:
            request.send_response_only(500 if instead is Instead.SERVER_FAULT else 200)
            content = b"<html>out of order</html>"
            request.send_header("Content-Length", str(len(content) * (1 if instead is Instead.SERVER_FAULT else 2)))
            request.end_headers()
            request.wfile.write(content)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._ends.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
