# SPDX-License-Identifier: EUPL-1.2
"""The depositor's side of the deposit face: announce, send, repeat, check what comes back, keep it.

Rules
  1. Id and deposit secret are drawn once, before the first try: a repeat can never make a second envelope.
  2. Documents are read twice from disk (digest, then body) and never held; what is sent is what was announced.
  3. A network that breaks and a server that is busy are tried again; a refusal is told at once, as the server said it.
  4. A receipt counts after it was checked offline: policies, the vault's signature, the token, and that its tag is
     over these documents under this secret.

Left to others: what people see (api.cli.deposit). This module imports formats only, no part of the vault.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import stamina

from crypto.certificates import Anchor
from crypto.deposit import DepositRecord, Registration, WithdrawalRecord
from crypto.errors import CryptoError, ManifestError
from crypto.manifest import Document, require_documents
from crypto.policy import Part
from crypto.receipt_evidence import CheckedReceipt, ReceiptEvidence, check_receipt
from crypto.receipt_evidence import require_documents as require_own_documents
from crypto.statement import Kind, parse_note

BLOCK = 1024 * 1024
SECRET_SIZE = 32  # protocol 3.5
PATIENCE = timedelta(minutes=10)
ATTEMPTS = 12
_TIMEOUT = httpx2.Timeout(30, read=600, write=600)  # sealing ends, and its token is had, before the first answer byte
_FACTS = ("what", "announced", "limit", "path", "reason")  # members of problems that help whoever reads them
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[int], None]  # told the bytes sent since the last call; negative when a try begins anew


class ClientError(Exception):
    """The root of what can go wrong on the depositor's side."""

    code: ClassVar[str] = "client"


class Unreachable(ClientError):
    """The server did not answer, or was busy, for as long as we were willing to try; the same again may succeed."""

    code: ClassVar[str] = "unreachable"


class Refused(ClientError):
    """The server refused; `problem` is the problem's type, `errors` names fields and reasons."""

    code: ClassVar[str] = "refused"

    def __init__(self, status: int, problem: str, detail: str, errors: tuple[str, ...] = ()) -> None:
        super().__init__(" ".join((detail, *errors)))
        self.status = status
        self.problem = problem
        self.detail = detail
        self.errors = errors


class Unsound(ClientError):
    """What the server answered does not prove what it says; keep everything and call the operator."""

    code: ClassVar[str] = "unsound"


class BadDocument(ClientError):
    """A document cannot be deposited as it is."""

    code: ClassVar[str] = "bad-document"


@dataclass(frozen=True)
class Source:
    """A file on disk and the path under which it is announced, with its size and digest."""

    file: Path
    document: Document

    @classmethod
    def read(cls, file: Path, path: str, *, progress: Progress | None = None) -> Self:
        """Digest a file.

        Raises:
            BadDocument: it cannot be read, or is empty.
        """
        digest, size = sha256(), 0
        try:
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    size += len(block)
                    if progress:
                        progress(len(block))
        except OSError as error:
            raise BadDocument(f"{file}: {error.strerror or error}") from error
        if not size:
            raise BadDocument(f"{file}: is empty; an empty document cannot be deposited")
        return cls(file, Document(path, size, digest.digest()))

    def blocks(self) -> Iterator[bytes]:
        """Its bytes."""
        with self.file.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block


@dataclass(frozen=True)
class Order:
    """One envelope to be deposited: where, for whom, under which id and secret, with which documents."""

    procedure: UUID
    lot: str
    part: Part
    bidder: str
    sources: tuple[Source, ...] = field(repr=False)
    envelope_id: UUID = field(default_factory=uuid4)
    secret: bytes = field(default_factory=lambda: os.urandom(SECRET_SIZE), repr=False)

    @property
    def path(self) -> str:
        """The envelope's address."""
        return envelope_path(self.procedure, self.lot, self.envelope_id)

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is announced."""
        return tuple(source.document for source in self.sources)

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)


@dataclass(frozen=True)
class Proved:
    """A receipt or withdrawal with the file beside it, both checked."""

    note: bytes = field(repr=False)
    evidence: bytes = field(repr=False)
    checked: CheckedReceipt = field(repr=False)


@dataclass(frozen=True)
class Noticed:
    """The registration notice that stands until the receipt is there."""

    note: bytes = field(repr=False)
    registration: Registration = field(repr=False)


class DepositClient:
    """One server and one token; safe to use from one thread at a time. Close it, or use it as a context manager."""

    def __init__(
        self,
        server: str,
        token: str,
        *,
        http: httpx2.Client | None = None,
        anchors: Sequence[Anchor] = (),
        attempts: int = ATTEMPTS,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._http = http or httpx2.Client(base_url=server, timeout=_TIMEOUT, follow_redirects=False)
        self._token = token
        self._anchors = anchors
        self._attempts = attempts
        self._patience = patience

    def deposit(self, order: Order, *, progress: Progress | None = None) -> Proved | Noticed:
        """Deposit an envelope; the same order again gives the same answer.

        Raises:
            Refused: the server's refusal.
            Unreachable: no answer in time; give the same order again.
            Unsound: the answer does not prove that these documents were received.
        """
        body = MultipartBody(order.sources, progress)
        headers = {
            "Bidder": order.bidder,
            "Deposit-Secret": base64.urlsafe_b64encode(order.secret).rstrip(b"=").decode(),
            "Content-Type": body.content_type,
            "Content-Length": str(body.size),
        }
        answer = self._ask("PUT", f"{order.path}?part={order.part.name.lower()}", headers, body)
        if answer.status_code == httpx2.codes.ACCEPTED:
            return self._notice(order, answer.content)
        return self._receipt(order, answer.content)

    def receipt(self, order: Order) -> Proved | None:
        """The receipt of an envelope deposited earlier; None while it still waits for its token."""
        text = self.state(order).receipt
        return self._receipt(order, text.encode()) if text else None

    def state(self, order: Order) -> "State":
        """What the vault tells its depositor of an envelope."""
        return State.read(self._ask("GET", order.path, {"Bidder": order.bidder}).content)

    def withdraw(self, *, procedure: UUID, lot: str, envelope_id: UUID, bidder: str) -> Proved:
        """Withdraw an envelope and the bidder's earlier ones in its box; the verdict says whether it was in time."""
        path = envelope_path(procedure, lot, envelope_id)
        note = self._ask("DELETE", path, {"Bidder": bidder}).content
        evidence = self._ask("GET", f"{path}/evidence?of=withdrawal", {"Bidder": bidder}).content
        checked = self._check(note, evidence, Kind.WITHDRAWAL)
        record = checked.record
        if (record.envelope_id, record.bidder) != (envelope_id.bytes, bidder) or not isinstance(
            record, WithdrawalRecord
        ):
            raise Unsound("the statement is about another envelope")
        return Proved(note, evidence, checked)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receipt(self, order: Order, note: bytes) -> Proved:
        evidence = self._ask("GET", f"{order.path}/evidence", {"Bidder": order.bidder}).content
        checked = self._check(note, evidence, Kind.RECEIPT)
        record = checked.record
        if not isinstance(record, DepositRecord):
            raise Unsound("the statement is not about a deposit")
        box = checked.policy.box(record.box)
        if (checked.policy.procedure, box.lot, box.part) != (order.procedure.bytes, order.lot, order.part):
            raise Unsound("the receipt is about another procedure, lot or part")
        _require_ours(order, record)
        return Proved(note, evidence, checked)

    def _notice(self, order: Order, note: bytes) -> Noticed:
        try:
            registration = Registration.decode(parse_note(note, Kind.REGISTRATION).payload)
        except CryptoError as error:
            raise Unsound(f"the notice cannot be read: {error}") from error
        _require_ours(order, registration.record)
        return Noticed(note, registration)

    def _check(self, note: bytes, evidence: bytes, kind: Kind) -> CheckedReceipt:
        try:
            return check_receipt(note, ReceiptEvidence.decode(evidence), kind=kind, anchors=self._anchors)
        except CryptoError as error:
            raise Unsound(f"the {kind} does not pass its check ({error.code}): {error}") from error

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: "MultipartBody | None" = None
    ) -> httpx2.Response:
        """Ask until there is an answer that stands (rule 3)."""
        sent = {**headers, "Authorization": f"Bearer {self._token}"}
        encoded = {name.encode(): value.encode() for name, value in sent.items()}  # a bidder's name is UTF-8
        seconds = self._patience.total_seconds()
        try:
            for attempt in stamina.retry_context(
                on=(httpx2.TransportError, _Busy), attempts=self._attempts, timeout=seconds, wait_max=20.0
            ):
                with attempt:
                    content = iter(body) if body is not None else None
                    return _accepted(self._http.request(method, path, headers=encoded, content=content))
        except httpx2.TransportError as error:
            raise Unreachable(f"the server cannot be reached ({type(error).__name__})") from error
        except _Busy as error:
            raise Unreachable(str(error.problem)) from error
        raise Unreachable("no try was made")


def _accepted(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code in _BUSY:
        raise _Busy(_problem(answer))
    if not answer.is_success:
        raise _problem(answer)
    return answer


class _Busy(Exception):
    """An answer that may be another one later."""

    def __init__(self, problem: Refused) -> None:
        super().__init__(problem.detail)
        self.problem = problem


@dataclass(frozen=True)
class State:
    """An envelope as the vault tells it."""

    state: str
    verdict: int | None
    receipt: str | None
    registration: str | None
    withdrawal: str | None

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the answer; Unsound when it is not one."""
        try:
            found = json.loads(data)
            verdict = found["verdict"]
            texts = [found[name] for name in ("receipt", "registration", "withdrawal")]
            state = found["state"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unsound("the server's answer cannot be read") from error
        if not all(text is None or isinstance(text, str) for text in (*texts, state)):
            raise Unsound("the server's answer cannot be read")
        return cls(state, verdict if isinstance(verdict, int) else None, *texts)


class MultipartBody:
    """The body of a deposit: the announcement, then each document; the same bytes for every try."""

    def __init__(self, sources: Sequence[Source], progress: Progress | None = None) -> None:
        try:
            require_documents(source.document.path for source in sources)
        except ManifestError as error:
            raise BadDocument(str(error)) from error
        self._sources = tuple(sources)
        self._progress = progress or (lambda _count: None)
        self._boundary = f"bidvault-{os.urandom(16).hex()}"
        self._sent = 0

    @property
    def content_type(self) -> str:
        """The Content-Type that names the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def size(self) -> int:
        """Bytes of the whole body."""
        heads = sum(len(self._head(source)) + len(b"\r\n") for source in self._sources)
        documents = sum(source.document.size for source in self._sources)
        return len(self._announcement()) + heads + documents + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """The body once more from its beginning.

        Raises:
            BadDocument: a file is not any more what was announced.
        """
        self._progress(-self._sent)
        self._sent = 0
        yield self._announcement()
        for source in self._sources:
            yield self._head(source)
            yield from self._document(source)
            yield b"\r\n"
        yield self._end()

    def _document(self, source: Source) -> Iterator[bytes]:
        left = source.document.size
        for block in source.blocks():
            left -= len(block)
            if left < 0:
                break
            yield block
            self._sent += len(block)
            self._progress(len(block))
        if left:
            raise BadDocument(f"{source.file}: changed while it was sent")

    def _announcement(self) -> bytes:
        entries = [
            {"path": one.path, "size": one.size, "sha256": one.sha256.hex()}
            for one in (source.document for source in self._sources)
        ]
        return (
            f"--{self._boundary}\r\n"
            'Content-Disposition: form-data; name="announcement"\r\n'
            "Content-Type: application/json\r\n\r\n"
            f"{json.dumps(entries, ensure_ascii=False)}\r\n"
        ).encode()

    def _head(self, _source: Source) -> bytes:
        return (
            f"--{self._boundary}\r\n"
            'Content-Disposition: form-data; name="document"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()


def envelope_path(procedure: UUID, lot: str, envelope_id: UUID) -> str:
    """The address of an envelope."""
    return f"/v1/procedures/{procedure}/lots/{quote(lot, safe='')}/envelopes/{envelope_id}"


def _require_ours(order: Order, record: DepositRecord) -> None:
    """The record is about this envelope of this bidder and these documents; Unsound."""
    if (record.envelope_id, record.bidder) != (order.envelope_id.bytes, order.bidder):
        raise Unsound("the statement is about another envelope")
    try:
        require_own_documents(record, order.documents, secret=order.secret)
    except CryptoError as error:
        raise Unsound(str(error)) from error


def _problem(answer: httpx2.Response) -> Refused:
    """The refusal in an answer, whatever the server made of it."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    text = " ".join(str(found[name]) for name in ("title", "detail") if name in found)
    faults = found.get("errors", [])
    errors = tuple(f"{fault.get('field')}: {fault.get('reason')}" for fault in faults if isinstance(fault, dict))
    facts = tuple(
        f"{name}: {found[name]}" for name in ("what", "announced", "limit", "path", "reason") if name in found
    )
    return Refused(
        answer.status_code,
        str(found.get("type", "")),
        text or f"the server answered {answer.status_code}",
        (*errors, *facts),
    )
