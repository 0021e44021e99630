# SPDX-License-Identifier: EUPL-1.2
"""The depositor's side of the deposit face: announce, send, repeat, check what comes back, keep it.

Rules
  1. A network that breaks and a server that is busy are tried again; a refusal is told at once, as the server said it.
  2. A receipt counts after it was checked offline: policies, the vault's signature, the token, and that its tag is
     over these documents under this secret.

Left to others: what is handed in (api.order), what people see (api.cli.deposit). Both this module and api.order
import formats only, no part of the vault.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import ClassVar, Self
from uuid import UUID

import httpx2
import stamina

from api.order import (
    SECRET_SIZE,
    BadDocument,
    ClientError,
    MultipartBody,
    Order,
    Progress,
    Source,
    envelope_path,
)
from crypto.certificates import Anchor
from crypto.deposit import DepositRecord, Registration, WithdrawalRecord
from crypto.errors import CryptoError
from crypto.receipt_evidence import CheckedReceipt, ReceiptEvidence, check_receipt
from crypto.receipt_evidence import require_documents as require_own_documents
from crypto.statement import Kind, parse_note

PATIENCE = timedelta(minutes=10)
ATTEMPTS = 12
_TIMEOUT = httpx2.Timeout(30, read=600, write=600)  # sealing ends, and its token is had, before the first answer byte
_FACTS = ("what", "announced", "limit", "path", "reason")  # members of problems that help whoever reads them
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

__all__ = [
    "SECRET_SIZE",
    "BadDocument",
    "ClientError",
    "DepositClient",
    "MultipartBody",
    "Noticed",
    "Order",
    "Progress",
    "Proved",
    "Refused",
    "Source",
    "State",
    "Unreachable",
    "Unsound",
    "envelope_path",
]


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
        """Ask until there is an answer that stands (rule 1)."""
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
