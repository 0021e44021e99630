# SPDX-License-Identifier: EUPL-1.2
"""A second tender platform, written from docs/reference/api.md alone; imports nothing of ours.

Rules
  1. Nothing but an address, a token and the page is known.
"""

import base64
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection

from tests.second.form import digest

BOUNDARY = "a-boundary-of-a-stranger"


@dataclass(frozen=True)
class Answer:
    """What the vault said."""

    status: int
    statement: str
    type: str
    body: bytes


@dataclass(frozen=True)
class Envelope:
    """One envelope that the platform deposits, and may ask for again."""

    procedure: str
    lot: str
    part: str
    bidder: str
    documents: Mapping[str, bytes] = field(repr=False)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    @property
    def path(self) -> str:
        return f"/v1/procedures/{self.procedure}/lots/{self.lot}/envelopes/{self.id}"


@dataclass(frozen=True)
class Platform:
    """One caller with its token."""

    port: int
    token: str = field(repr=False)

    def deposit(self, envelope: Envelope) -> Answer:
        announced = [
            {"path": path, "size": len(content), "sha256": digest(content).hex()}
            for path, content in envelope.documents.items()
        ]
        parts = [("announcement", json.dumps(announced).encode())]
        parts += [("document", content) for content in envelope.documents.values()]
        body = b"".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
            for name, content in parts
        )
        headers = {
            "Deposit-Secret": base64.urlsafe_b64encode(envelope.secret).decode(),
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        path = f"{envelope.path}?part={envelope.part}"
        return self._ask("PUT", path, envelope, headers=headers, body=body + f"--{BOUNDARY}--\r\n".encode())

    def state(self, envelope: Envelope) -> Answer:
        return self._ask("GET", envelope.path, envelope)

    def evidence(self, envelope: Envelope) -> Answer:
        return self._ask("GET", f"{envelope.path}/evidence", envelope)

    def proof(self, envelope: Envelope) -> Answer:
        return self._ask("GET", f"{envelope.path}/proof", envelope)

    def withdraw(self, envelope: Envelope) -> Answer:
        return self._ask("DELETE", envelope.path, envelope)

    def _ask(
        self, method: str, path: str, envelope: Envelope, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        line = HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.token}", "Bidder": envelope.bidder, **(headers or {})}
        line.request(method, path, body=body or None, headers=sent)
        answer = line.getresponse()
        read = answer.read()
        line.close()
        told = answer.headers
        return Answer(answer.status, told.get("Bidvault-Statement", ""), told.get("Content-Type", ""), read)
