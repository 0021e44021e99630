# SPDX-License-Identifier: EUPL-1.2
"""Uploads over real sockets: a real server on loopback, raw bodies, clients that behave and clients that do not."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psutil
import pytest

from api.auth import Role
from tests.api.frame import Frame, Inbox, serving
from tests.api.multipart import CONTENT_TYPE, Sent, announcement, body, end, part

MIB = 1024 * 1024
PATIENCE = 30  # seconds; a test that waits this long has failed


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def slug(self) -> str:
        """The problem's name."""
        return str(json.loads(self.content)["type"]).rsplit(":", 1)[-1]


@dataclass
class Site:
    """A served frame with an inbox, and how to talk to it."""

    port: int
    inbox: Inbox
    token: str

    def request(self, *, length: int | None, name: str = "x", token: str | None = None) -> bytes:
        """The head of an upload; without a length it is chunked."""
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [
            f"PUT /v1/test/{name}/upload HTTP/1.1",
            "Host: vault.test",
            f"Authorization: Bearer {self.token if token is None else token}",
            f"Content-Type: {CONTENT_TYPE}",
            framing,
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def connect(self) -> socket.socket:
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def put(self, data: bytes, *, piece: int = 65536, name: str = "x", is_chunked: bool = False) -> Answer:
        """Send a whole body in pieces and read the answer."""
        with self.connect() as connection:
            connection.sendall(self.request(length=None if is_chunked else len(data), name=name))
            for start in range(0, len(data), piece):
                bytes_ = data[start : start + piece]
                connection.sendall(b"%x\r\n%b\r\n" % (len(bytes_), bytes_) if is_chunked else bytes_)
            if is_chunked:
                connection.sendall(b"0\r\n\r\n")
            return read_answer(connection)


@contextmanager
def site(*, silence: timedelta = timedelta(seconds=PATIENCE)) -> Iterator[Site]:
    """A site that serves."""
    inbox = Inbox()
    frame = Frame(faces=(inbox.router(),), silence=silence)
    with serving(frame.app()) as port:
        yield Site(port, inbox, frame.token(Role.PLATFORM))


def read_answer(connection: socket.socket) -> Answer:
    """One answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            raise ConnectionResetError("no answer")
        data += received
    head, _, content = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    while len(content) < int(headers["content-length"]):
        content += connection.recv(65536)
    return Answer(int(first.split(" ")[1]), headers, content)


def wait_until(is_so: Callable[[], bool], port: int) -> None:
    """Ask the server until a fact of its own shows; each turn is a round trip, nothing sleeps."""
    while not is_so():
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: vault.test\r\n\r\n")
            read_answer(connection)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("piece", [1, 1000, 65536])
def test_a_body_arrives_whole(piece: int, *, is_chunked: bool) -> None:
    documents = [Sent("a", b"alpha" * 99), Sent("b", b"\r\n--b0undar"), Sent("c", os.urandom(500))]
    with site() as here:
        answer = here.put(body(documents), piece=piece, is_chunked=is_chunked)

    assert (answer.status, here.inbox.taken) == (200, [[sent.content for sent in documents]])


def test_one_connection_carries_many_deposits() -> None:
    data = body([Sent("a", b"alpha")])
    with site() as here, here.connect() as connection:
        for _ in range(3):
            connection.sendall(here.request(length=len(data)) + data)
            assert read_answer(connection).status == 200

    assert here.inbox.taken == [[b"alpha"]] * 3


def test_a_body_broken_off_anywhere_leaves_a_typed_error_and_nothing_taken() -> None:
    documents = [Sent("a", b"alpha"), Sent("b", b"x" * 200)]
    data = body(documents)
    first = len(part("announcement", announcement(documents))) + len("--b0undary\r\n")
    places = [*range(first, len(data) - 2, 37), len(data) - 3]
    with site() as here:
        for number, place in enumerate(places, start=1):
            with here.connect() as connection:
                connection.sendall(here.request(length=len(data)) + data[:place])
                wait_until(lambda number=number: here.inbox.begun == number, here.port)  # type: ignore[misc]
            wait_until(lambda number=number: len(here.inbox.faults) == number, here.port)  # type: ignore[misc]

    assert here.inbox.faults == ["BodyBroken"] * len(places)
    assert here.inbox.taken == []


def test_a_client_that_sends_and_is_gone_at_once_harms_nobody() -> None:
    data = body([Sent("a", b"alpha")])
    with site() as here:
        for place in (0, 1, 30, 100, len(data) - 3):
            with here.connect() as connection:
                connection.sendall(here.request(length=len(data)) + data[:place])
        assert here.put(data).status == 200


def test_a_client_that_ends_its_side_early_gets_no_receipt() -> None:
    data = body([Sent("a", b"alpha")])
    with site() as here:
        with here.connect() as connection:
            connection.sendall(here.request(length=len(data)) + data[:-20])
            connection.shutdown(socket.SHUT_WR)
            received = connection.recv(65536)
        assert b"200" not in received.split(b"\r\n")[0]
        assert here.put(data).status == 200

    assert here.inbox.taken == [[b"alpha"]]


def test_a_silent_client_is_given_up() -> None:
    data = body([Sent("a", b"alpha")])
    with site(silence=timedelta(milliseconds=50)) as here, here.connect() as connection:
        connection.sendall(here.request(length=len(data)) + data[:-10])
        answer = read_answer(connection)

    assert (answer.status, answer.slug) == (400, "body-broken")
    assert answer.headers["connection"] == "close"


@pytest.mark.proves("DEP-04")
def test_too_large_is_answered_after_the_announcement_before_a_byte_of_the_bid_is_sent() -> None:
    first = part("announcement", announcement([Sent("refuse.me", b"x" * 5000)]))
    with site() as here, here.connect() as connection:
        connection.sendall(here.request(length=10**10) + first + b"--b0undary\r\n")
        answer = read_answer(connection)

    assert (answer.status, answer.slug) == (413, "too-large")
    assert answer.headers["connection"] == "close"


def test_a_refusal_reaches_a_client_that_keeps_sending() -> None:
    content = bytes(20 * MIB)
    with site() as here:
        assert here.put(body([Sent("refuse.me", content)]), piece=MIB).slug == "too-large"


def test_a_missing_token_is_answered_before_the_body() -> None:
    with site() as here, here.connect() as connection:
        connection.sendall(here.request(length=10**10, token="x"))
        answer = read_answer(connection)

    assert (answer.status, answer.slug) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("data", "status", "slug"),
    [
        (b"", 400, "body-broken"),
        (end(), 400, "body-malformed"),
        (part("announcement", b"[]") + end(), 422, "announcement-refused"),
        (part("announcement", b'[{"path":"a","size":0}]') + end(), 422, "announcement-refused"),
        (body([Sent("x", b"1")]), 404, "not-found"),
        (part("announcement", announcement([Sent("a", b"alpha")])) + end(), 400, "body-malformed"),
        (part("announcement", announcement([Sent("a", b"a")])) + part("document", b"bb") + end(), 422, "body-mismatch"),
        (part("announcement", announcement([Sent("a", b"aa")])) + part("document", b"b") + end(), 422, "body-mismatch"),
        (body([Sent("a", b"alpha")]) + b"more", 400, "body-malformed"),
        (body([Sent("a", b"alpha")])[:-6], 400, "body-broken"),
    ],
)
def test_each_wrong_body_has_its_problem(data: bytes, status: int, slug: str) -> None:
    with site() as here:
        answer = here.put(data)

    assert (answer.status, answer.slug) == (status, slug)
    assert here.inbox.taken == []


def test_another_content_type_is_refused() -> None:
    with site() as here, here.connect() as connection:
        head = here.request(length=2).replace(CONTENT_TYPE.encode(), b"application/json")
        connection.sendall(head + b"{}")
        answer = read_answer(connection)

    assert (answer.status, answer.slug) == (415, "not-multipart")


def test_an_answer_that_fails_in_the_middle_never_ends_cleanly() -> None:
    with site() as here, here.connect() as connection:
        head = f"GET /v1/test/x/half HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer {here.token}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while data := connection.recv(65536):
            received += data

    assert b"half" in received
    assert not received.endswith(b"0\r\n\r\n")


@pytest.mark.proves("CONF-02")
def test_memory_stays_flat_and_nothing_is_spooled() -> None:
    process = psutil.Process()
    files = {file.path for file in process.open_files()}
    data = body([Sent("plans.zip", bytes(48 * MIB))])
    with site() as here:
        here.put(body([Sent("plans.zip", bytes(8 * MIB))]), piece=MIB, name="sink")
        before = process.memory_info().rss
        for _ in range(3):
            assert here.put(data, piece=MIB, name="sink").status == 200
        after = process.memory_info().rss

    assert here.inbox.open_files <= files
    assert after - before < 24 * MIB
