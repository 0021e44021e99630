# SPDX-License-Identifier: EUPL-1.2
"""The first part of a deposit: which documents will follow, in which order, how long, with which digest.

Rules
  1. JSON `[{"path", "size", "sha256"?}]`, exact types, no unknown member, 1 to 65 535 documents (protocol 3.4).
  2. An empty document, or none at all, is refused here (DEP-18).
  3. A refusal names the place and the rule and repeats nothing of the content: names of documents are content.

Left to others: which paths and bidders may be, limits of policy and deployment (vault.deposit.announcement).
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.errors import AnnouncementRefused
from vault.deposit.announcement import AnnouncedDocument

ANNOUNCEMENT_LIMIT = 8 * 1024 * 1024  # bytes; two thousand documents with long paths need under 2 MB
DOCUMENTS_LIMIT = 65_535  # protocol 3.4
SIZE_LIMIT = 2**40  # protocol 3.4: nothing larger than 1 TiB can be sealed
PATH_LIMIT = 1024  # protocol 3.4


class DocumentEntry(BaseModel):
    """One entry of the announcement, as it is sent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1, max_length=PATH_LIMIT)]
    size: Annotated[int, Field(gt=0, le=SIZE_LIMIT)]
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


_ENTRIES = TypeAdapter(Annotated[list[DocumentEntry], Field(min_length=1, max_length=DOCUMENTS_LIMIT)])


def read_announcement(data: bytes | bytearray) -> tuple[AnnouncedDocument, ...]:
    """Read the first part.

    Raises:
        AnnouncementRefused: not JSON, or not a list of documents as it must be.
    """
    if len(data) > ANNOUNCEMENT_LIMIT:
        raise AnnouncementRefused("announcement", f"more than {ANNOUNCEMENT_LIMIT} bytes")
    try:
        entries = _ENTRIES.validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(["announcement", *(str(step) for step in fault["loc"] if not _is_foreign(step))])
        raise AnnouncementRefused(place, fault["msg"]) from None
    return tuple(
        AnnouncedDocument(entry.path, entry.size, None if entry.sha256 is None else bytes.fromhex(entry.sha256))
        for entry in entries
    )


def _is_foreign(step: str | int) -> bool:
    """A member's name that the caller made up is not repeated."""
    return isinstance(step, str) and step not in DocumentEntry.model_fields
