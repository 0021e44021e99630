# SPDX-License-Identifier: EUPL-1.2
"""A platform that deposits over HTTP into a world whose surroundings a test moves."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from hashlib import sha256
from uuid import UUID, uuid4

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from fastapi.testclient import TestClient

from api.app import create_app
from api.auth import Actor, Role, TokenIssuer, TokenVerifier
from api.deposit.upload import Uploads
from api.refused import Edge
from api.services import PublishedLimits, Services
from crypto.seal import SealKey, load_seal
from tests.api.frame import actor
from tests.api.multipart import CONTENT_TYPE, Sent, body
from tests.world import pki
from tests.world.world import ACME, World
from vault.prints.seal import PrintSeal

DOCUMENTS = (Sent("dossier/mémoire.pdf", b"%PDF-1.7 " * 900), Sent("prix.txt", b"42\n"))


@cache
def seal() -> SealKey:
    """The seal of prints of the test PKI."""
    key = pki.key("seal").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"words"))
    ders = (pki.certificate("seal"), pki.certificate("seal-root"))
    return load_seal(key, b"words", b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders))


@dataclass
class Site:
    """The API over a world."""

    world: World
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    http: TestClient = field(init=False)

    def __post_init__(self) -> None:
        works = self.world.works
        settings = works.settings
        services = Services(
            works=works,
            tokens=TokenVerifier(self.private.public_key(), works.clock),
            uploads=Uploads(works.clock),
            limits=PublishedLimits(
                settings.max_document, settings.max_envelope, settings.max_documents, settings.max_deposits
            ),
            seal=PrintSeal(seal(), works.authorities),
            edge=Edge(works),
        )
        self.http = TestClient(create_app(services))

    def bearer(self, who: Role | Actor = Role.PLATFORM) -> dict[str, str]:
        """The header of a token for somebody."""
        speaks = actor(who) if isinstance(who, Role) else who
        token = TokenIssuer(self.private, self.world.works.clock).issue(speaks, timedelta(hours=1))
        return {"Authorization": f"Bearer {token}"}


@dataclass
class Envelope:
    """One deposit as a platform makes it, and may make again."""

    site: Site
    id: UUID = field(default_factory=uuid4)
    bidder: str = ACME
    documents: tuple[Sent, ...] = DOCUMENTS
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    lot: str = "1"
    part: str = "technical"
    procedure: UUID | None = None

    @property
    def address(self) -> str:
        """Where it is put."""
        return f"/v1/procedures/{self.procedure or self.site.world.procedure}/lots/{self.lot}/envelopes/{self.id}"

    def put(self, *, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> httpx2.Response:
        """Deposit it."""
        sent = {
            **self.site.bearer(),
            "Bidder": self.bidder,
            "Deposit-Secret": text64(self.secret),
            "Content-Type": CONTENT_TYPE,
            **(headers or {}),
        }
        return self.site.http.put(
            self.address,
            params={"part": self.part},
            content=body(list(self.documents)) if content is None else content,
            headers={name: value for name, value in sent.items() if value},
        )

    def ask(self, method: str = "GET", *, tail: str = "", who: Role | Actor = Role.PLATFORM) -> httpx2.Response:
        """Ask for its state, or act on it."""
        headers = {**self.site.bearer(who), "Bidder": self.bidder}
        return self.site.http.request(method, self.address + tail, headers=headers)

    def held(self, receipt: str, evidence: bytes) -> dict[str, object]:
        """What its holder sends back for a print."""
        return {
            "receipt": receipt,
            "evidence": text64(evidence),
            "documents": [
                {"path": sent.path, "size": len(sent.content), "sha256": sha256(sent.content).hexdigest()}
                for sent in self.documents
            ],
            "deposit_secret": text64(self.secret),
        }


def text64(data: bytes) -> str:
    """Base64url, as headers and JSON carry bytes."""
    return base64.urlsafe_b64encode(data).decode()


def slug(answer: httpx2.Response) -> str:
    """The problem's name."""
    return str(answer.json()["type"]).rsplit(":", 1)[-1]
