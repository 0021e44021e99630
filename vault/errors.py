# SPDX-License-Identifier: EUPL-1.2
"""What can go wrong in the vault, one class for each thing a caller may want to tell apart.

Rules
  1. A class has a stable `code`; its facts are typed attributes; it knows no HTTP status and assembles no page.
  2. Three kinds of fault stay apart: the caller's (`CallerError`), ours (`VaultFault`), the outside world's
     (`OutsideError`).
  3. No error tells whether somebody else's envelope exists: what one may not see is `NotFound`, whatever the reason.

Left to others: refusals of formats and rules (crypto.errors), words and statuses for people (api.problems).
"""

from typing import ClassVar


class DevelopmentOnly(UserWarning):
    """A stand-in for development is in use: generated passphrase, test PKI, sandbox clock."""


class VaultError(Exception):
    """The root of all errors of this package."""

    code: ClassVar[str] = "vault"


class CallerError(VaultError):
    """The request cannot be met as it is; repeating it changes nothing."""

    code: ClassVar[str] = "caller"


class VaultFault(VaultError):
    """A promise of ours cannot be kept; the program stops or refuses."""

    code: ClassVar[str] = "fault"


class OutsideError(VaultError):
    """A part of the outside world does not answer; the same request may succeed later."""

    code: ClassVar[str] = "outside"


class NotFound(CallerError):
    """There is nothing here for this caller: unknown, another's, or not yet; always the same answer."""

    code: ClassVar[str] = "not-found"


class NotAllowed(CallerError):
    """The caller is known and the thing is theirs to know of, but the act is not theirs."""

    code: ClassVar[str] = "not-allowed"


class InvalidInput(CallerError):
    """A value does not have the form it must have; `field` names it, `reason` says what it should be."""

    code: ClassVar[str] = "invalid-input"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class WrongState(CallerError):
    """The act does not fit the present state; `state` names it, `needs` what it would take."""

    code: ClassVar[str] = "wrong-state"

    def __init__(self, state: str, needs: str) -> None:
        super().__init__(f"the state is {state}; needed: {needs}")
        self.state = state
        self.needs = needs


class NoticeDiffers(CallerError):
    """The notice names another policy than the one in force, which custodians rehearsed: fraud (protocol 4.1)."""

    code: ClassVar[str] = "notice-differs"


class NotReady(CallerError):
    """Something others must do first is missing; `missing` names it."""

    code: ClassVar[str] = "not-ready"

    def __init__(self, missing: str) -> None:
        super().__init__(missing)
        self.missing = missing


class TooLarge(CallerError):
    """The announcement passes a published limit; nothing of the bid was read."""

    code: ClassVar[str] = "too-large"

    def __init__(self, what: str, announced: int, limit: int) -> None:
        super().__init__(f"{what}: {announced} announced, {limit} allowed")
        self.what = what
        self.announced = announced
        self.limit = limit


class DepositLimitReached(CallerError):
    """This bidder has used all deposits allowed in this box."""

    code: ClassVar[str] = "deposit-limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} deposits of this bidder are already in this box")
        self.limit = limit


class BodyMismatch(CallerError):
    """The body is not what was announced; `path` names the document, nothing was kept."""

    code: ClassVar[str] = "body-mismatch"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class BodyBroken(CallerError):
    """The body ended before its announced end: the connection was cut. Send it again."""

    code: ClassVar[str] = "body-broken"


class OtherContent(CallerError):
    """This id of this depositor already holds other content, or was withdrawn; choose a new id."""

    code: ClassVar[str] = "other-content"


class IdTaken(CallerError):
    """This id cannot be used; choose a new one. The same answer whoever holds it."""

    code: ClassVar[str] = "id-taken"


class TimeUnproven(OutsideError):
    """Too few time authorities prove the moment, or it has not come; nothing was changed, ask again."""

    code: ClassVar[str] = "time-unproven"


class AuthorityUnavailable(OutsideError):
    """No time authority gave a token that verifies; `reasons` says why for each asked."""

    code: ClassVar[str] = "authority-unavailable"

    def __init__(self, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join(reasons) or "no time authority answered")
        self.reasons = reasons


class StoreUnavailable(OutsideError):
    """The object store or key store does not answer."""

    code: ClassVar[str] = "store-unavailable"


class StoreFull(OutsideError):
    """The store takes no more bytes."""

    code: ClassVar[str] = "store-full"


class StoreConflict(VaultError):
    """Something lies already under this name."""

    code: ClassVar[str] = "store-conflict"


class ObjectMissing(VaultError):
    """Nothing lies under this name."""

    code: ClassVar[str] = "object-missing"


class StoreRefused(VaultFault):
    """The store refuses what the vault relies on: no lock, no versioning, wrong rights."""

    code: ClassVar[str] = "store-refused"


class CannotCompact(VaultFault):
    """Deleted keys could not be taken out of the key store's files; the text says who can."""

    code: ClassVar[str] = "cannot-compact"


class GateUnsound(OutsideError):
    """The gate's answer does not hold: not signed, or about something else; nothing was written on its word."""

    code: ClassVar[str] = "gate-unsound"


class ObjectChanged(VaultFault):
    """A stored object is not what was stored: it has rotted, or was changed. Restore it from a copy."""

    code: ClassVar[str] = "object-changed"


class DatabaseUnavailable(OutsideError):
    """The database does not answer; nothing was written."""

    code: ClassVar[str] = "database-unavailable"


class RolledBack(VaultFault):
    """What is stored is ahead of the database: it was restored from an older copy. Run `bidvault recover`."""

    code: ClassVar[str] = "rolled-back"


class RowChanged(VaultFault):
    """A row is not what was written there: it was changed from outside, or has rotted. Run `bidvault recover`."""

    code: ClassVar[str] = "row-changed"


class CannotStart(VaultFault):
    """A promise could not be kept, so the program does not start; the text says what to do."""

    code: ClassVar[str] = "cannot-start"


class StillRunning(VaultFault):
    """An API or a worker runs on this database; a recovery needs it alone."""

    code: ClassVar[str] = "still-running"


class CannotRecover(VaultFault):
    """What is stored contradicts itself so that going on could make two histories; the text says where."""

    code: ClassVar[str] = "cannot-recover"
