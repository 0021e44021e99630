# SPDX-License-Identifier: EUPL-1.2
"""An S3 store that lies in one thing: a proxy before the real one, which changes what a test names.

A lie looks at a question and answers it itself, or changes question or answer and lets the real store work.
Signatures stay good, since the host's name is passed on as the client signed it; headers that are not signed, or whose
absence the store does not notice, may be taken away.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PATIENCE = 30
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "server", "expect"}


@dataclass
class Question:
    """What was asked."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def is_about(self, name: str) -> bool:
        """Whether it is about the object that a check calls by this name."""
        return self.path.endswith(f"/{name}")

    def is_by(self, access_key: str) -> bool:
        """Whether this identity asks; the empty one is a stranger."""
        signed = self.headers.get("authorization", "")
        return f"Credential={access_key}/" in signed if access_key else not signed


@dataclass
class Reply:
    """What is answered."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Ask = Callable[[Question], Reply]
Lie = Callable[[Question, Ask], Reply]


def honest(question: Question, ask: Ask) -> Reply:
    """No lie."""
    return ask(question)


@contextmanager
def lying(endpoint: str, lie: Lie) -> Iterator[str]:
    """The address of a store that lies."""
    address = urlsplit(endpoint)
    assert address.hostname is not None

    def ask(question: Question) -> Reply:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
        try:
            connection.request(question.method, question.target, question.body, question.headers)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            if question.method == "HEAD":
                return Reply(answer.status, headers)
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lie, ask))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(lie: Lie, ask: Ask) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "expect"}
            reply = lie(Question(self.command, self.path, headers, self.rfile.read(length)), ask)
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                if name not in HOP:
                    self.send_header(name, value)
            size = reply.headers.get("content-length", "0") if self.command == "HEAD" else str(len(reply.body))
            self.send_header("content-length", size)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - as the library calls them

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler
