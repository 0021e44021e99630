# SPDX-License-Identifier: EUPL-1.2
"""What can go wrong on the way in, before a journey is asked.

Rules
  1. As in the packages below: a stable `code`, typed facts, no status, no page.
  2. Nothing here says whether something exists.

Left to others: refusals of journeys (vault.errors), of formats (crypto.errors), words and statuses (api.problems).
"""

from typing import ClassVar


class ApiError(Exception):
    """The root of all errors of this package."""

    code: ClassVar[str] = "api"


class Unauthenticated(ApiError):
    """No token, or one that is broken, expired or not ours; the difference is not told."""

    code: ClassVar[str] = "unauthenticated"


class RoleNotAllowed(ApiError):
    """The token is good, but its role may not call this route, whatever stands in the address."""

    code: ClassVar[str] = "role-not-allowed"


class NotMultipart(ApiError):
    """The body of a deposit must be multipart/form-data with a boundary."""

    code: ClassVar[str] = "not-multipart"


class BodyMalformed(ApiError):
    """The multipart body is broken or its parts do not follow the announced order; `reason` says how."""

    code: ClassVar[str] = "body-malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AnnouncementRefused(ApiError):
    """The first part is not a list of documents as it must be; `field` names the place, `reason` says why."""

    code: ClassVar[str] = "announcement-refused"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TokenKeyError(ApiError):
    """The key of the token issuer is missing, broken, or does not open with this passphrase."""

    code: ClassVar[str] = "token-key"


class NotThisReceipt(ApiError):
    """Receipt, evidence, list of documents and secret do not belong together, or the receipt is not this vault's."""

    code: ClassVar[str] = "not-this-receipt"


class Busy(ApiError):
    """As many as may run at once are running; the same request may be repeated."""

    code: ClassVar[str] = "busy"
