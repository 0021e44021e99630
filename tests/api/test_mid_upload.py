# SPDX-License-Identifier: EUPL-1.2
"""A server that ends in the middle of an upload: told to stop it finishes, killed it leaves nothing of the bid."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlmodel import select

from api.server import make_server
from deploy.embedded import Addresses
from tests.api.depositing import Envelope, Site, text64
from tests.api.multipart import CONTENT_TYPE, Sent, body
from tests.api.test_upload_sockets import PATIENCE, read_answer
from tests.races.shared import Shared, SharedWorld
from vault.models import Attempt, AttemptState
from vault.models import Envelope as EnvelopeRow

PLANS = Sent("plans.zip", os.urandom(6 * 1024 * 1024))


def serve(line: Connection, shared: Shared, now: datetime, *, procedure: UUID, private: bytes) -> None:
    """A process that serves the vault until a signal ends it; it tells its port."""
    world = SharedWorld(shared).at(now, procedure)
    app = Site(world, Ed25519PrivateKey.from_private_bytes(private)).http.app
    assert isinstance(app, FastAPI)
    server = make_server(app)
    listening = server.config.bind_socket()
    listening.listen()
    line.send(listening.getsockname()[1])
    server.run(sockets=[listening])


@dataclass
class Served:
    """A vault with a serving process, seen from beside it."""

    site: Site
    process: SpawnProcess
    port: int

    @property
    def world(self) -> SharedWorld:
        assert isinstance(self.site.world, SharedWorld)
        return self.site.world

    def head(self, envelope: Envelope, *, length: int) -> bytes:
        lines = [
            f"PUT {envelope.address}?part=technical HTTP/1.1",
            "Host: vault.test",
            f"Authorization: {self.site.bearer()['Authorization']}",
            f"Bidder: {envelope.bidder}",
            f"Deposit-Secret: {text64(envelope.secret)}",
            f"Content-Type: {CONTENT_TYPE}",
            f"Content-Length: {length}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def half(self, envelope: Envelope, data: bytes) -> socket.socket:
        """A connection over which half of an upload has gone, and the vault has begun to seal it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.sendall(self.head(envelope, length=len(data)) + data[: len(data) // 2])
        while not self.attempts(AttemptState.OPEN):  # each turn asks the database: nothing sleeps
            assert self.process.is_alive()
        return connection

    def attempts(self, state: AttemptState) -> int:
        with self.world.works.open() as work:
            return len(work.session.exec(select(Attempt).where(Attempt.state == state)).all())

    def kept(self) -> tuple[int, int]:
        """Rows of envelopes, and objects of them."""
        with self.world.works.open() as work:
            rows = len(work.session.exec(select(EnvelopeRow)).all())
        return rows, len(list(self.world.works.store.list_versions("o/")))


@pytest.fixture
def served(fresh_addresses: Addresses, tmp_path: Path) -> Iterator[Served]:
    shared = Shared(fresh_addresses, tmp_path, (os.urandom(32), os.urandom(32), os.urandom(32)))
    world, private = SharedWorld(shared), Ed25519PrivateKey.generate()
    world.publish(world.draft(k=1, n=2))
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    told = {"procedure": world.procedure, "private": private.private_bytes_raw()}
    process = context.Process(target=serve, args=(theirs, shared, world.now), kwargs=told, daemon=True)
    process.start()
    assert ours.poll(PATIENCE * 2)
    yield Served(Site(world, private), process, ours.recv())
    process.kill()
    process.join()
    world.close()


@pytest.mark.proves("OPS-03")
def test_an_upload_under_way_when_the_server_is_told_to_stop_gets_its_receipt(served: Served) -> None:
    envelope, data = Envelope(served.site, documents=(PLANS,)), body([PLANS])
    with served.half(envelope, data) as connection:
        assert served.process.pid is not None
        os.kill(served.process.pid, signal.SIGTERM)
        connection.sendall(data[len(data) // 2 :])

        answer = read_answer(connection)

    served.process.join(PATIENCE)
    assert answer.status == 201
    assert served.process.exitcode == -signal.SIGTERM  # uvicorn ends by the signal, once everything is answered
    assert envelope.ask().json()["receipt"].encode() == answer.content
    assert served.kept() == (1, 1)


@pytest.mark.proves("OPS-03", "T41", "LATE-03")
def test_an_upload_cut_by_kill_9_leaves_nothing_and_is_taken_when_it_comes_again(served: Served) -> None:
    envelope, data = Envelope(served.site, documents=(PLANS,)), body([PLANS])
    with served.half(envelope, data) as connection:
        served.process.kill()
        served.process.join()
        with pytest.raises(ConnectionError):
            read_answer(connection)

    assert served.kept() == (0, 0)
    assert served.attempts(AttemptState.OPEN) == 1  # stays as evidence until the sweep ends it
    assert envelope.put().status_code == 201
    assert served.kept() == (1, 1)
