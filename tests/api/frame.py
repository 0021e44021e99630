# SPDX-License-Identifier: EUPL-1.2
"""An application for tests: the real frame over a few routes of our own, with a clock that can be set."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Annotated, cast

import psutil
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse

from api import health
from api.app import create_app
from api.auth import Actor, Role, TokenIssuer, TokenVerifier, allow
from api.deposit.upload import ReceivedUpload, Uploads
from api.refused import Edge
from api.server import make_server
from api.services import Probe, PublishedLimits, Services
from crypto.errors import CryptoError
from vault.errors import NotFound, TooLarge
from vault.prints.seal import PrintSeal
from vault.work import Works

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMITS = PublishedLimits(max_document=1000, max_envelope=2000, max_documents=3, max_deposits=4)


@dataclass
class SetClock:
    """Shows what it is set to."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


@dataclass
class Frame:
    """A frame under test: its clock, its issuer, its routes."""

    clock: SetClock = field(default_factory=SetClock)
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    probes: tuple[Probe, ...] = ()
    faces: tuple[APIRouter, ...] = (health.router,)
    silence: timedelta = timedelta(seconds=30)
    told: "Heard" = field(default_factory=lambda: Heard(cast("Works", object())))

    def token(self, role: Role, *, lifetime: timedelta = timedelta(hours=1)) -> str:
        """A good token of this role."""
        return TokenIssuer(self.private, self.clock).issue(actor(role), lifetime)

    def bearer(self, role: Role) -> dict[str, str]:
        """The header that carries it."""
        return {"Authorization": f"Bearer {self.token(role)}"}

    def app(self) -> FastAPI:
        """The application."""
        services = Services(
            works=cast("Works", object()),  # no route under test reaches for it
            tokens=TokenVerifier(self.private.public_key(), self.clock),
            uploads=Uploads(self.clock, silence=self.silence),
            limits=LIMITS,
            seal=cast("PrintSeal", object()),
            edge=self.told,
            probes=self.probes,
        )
        return create_app(services, faces=self.faces)


@dataclass(frozen=True)
class Heard(Edge):
    """The door to the journal, with nothing behind it."""

    codes: list[str] = field(default_factory=list)

    def tell(self, request: Request, code: str) -> None:
        assert request is not None
        self.codes.append(code)


def actor(role: Role) -> Actor:
    """Somebody of this role."""
    return Actor(
        subject=f"{role.value}-1",
        role=role,
        organisation="21350238800019" if role is Role.BUYER else None,
        person=bytes(16) if role is Role.CUSTODIAN else None,
        kid=bytes(16) if role is Role.CUSTODIAN else None,
    )


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Serve on a free loopback port, with real sockets."""
    server: uvicorn.Server = make_server(app)
    sock = server.config.bind_socket()
    sock.listen()  # connections wait in the queue until the server takes them
    thread = Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


PlatformOnly = Annotated[Actor, Depends(allow(Role.PLATFORM))]


@dataclass
class Inbox:
    """Routes that take uploads, refuse, fail and stream, and remember what they took."""

    begun: int = 0
    taken: list[list[bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    open_files: set[str] = field(default_factory=set)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1/test")
        router.put("/{name}/upload")(self.put)
        router.get("/{name}/mine")(mine)
        router.get("/{name}/dies")(dies)
        router.get("/{name}/refused")(refused)
        router.get("/{name}/half")(half)
        return router

    def put(self, name: str, caller: PlatformOnly, upload: ReceivedUpload) -> int:
        """Take a body, or refuse it by what its announcement says."""
        self.begun += 1
        if upload.documents[0].path == "refuse.me":
            raise TooLarge("envelope", upload.documents[0].size, 1)
        if upload.documents[0].path == name:
            raise NotFound
        if name == "sink":
            self.open_files = [{file.path for file in psutil.Process().open_files()} for _ in upload.body][-1]
            return 0
        documents = [b""] * len(upload.documents)
        try:
            for piece in upload.body:
                documents[piece.document] += piece.data.tobytes()
        except Exception as error:
            self.faults.append(type(error).__name__)
            raise
        self.taken.append(documents)
        return len(caller.subject)


def mine(name: str, caller: PlatformOnly) -> str:
    """Belongs to somebody else."""
    raise NotFound(f"{name} is not of {caller.subject}")


def dies(name: str, caller: PlatformOnly) -> str:
    """Fails as nobody foresaw."""
    raise ZeroDivisionError(f"secret of {name} and {caller.subject}")


def refused(name: str, caller: PlatformOnly) -> str:
    """Refuses with a code that nobody wrote into the table."""
    raise _Foreign(f"secret of {name} and {caller.subject}")


def half(name: str, caller: PlatformOnly) -> StreamingResponse:
    """Fails in the middle of a stream."""

    def stream() -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError(f"secret of {name} and {caller.subject}")

    return StreamingResponse(stream())


class _Foreign(CryptoError):
    code = "unheard-of"
