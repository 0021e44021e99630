# SPDX-License-Identifier: EUPL-1.2
"""The first part of a deposit: which documents will follow, in which order, how long, with which digest.

Rules
  1. JSON `[{"path", "size", "sha256"?}]`, exact types, no unknown member, 1 to 65 535 documents (protocol 3.4).
  2. Empty documents, paths that `crypto.manifest` refuses and two equal paths are refused here.
  3. Refusals name the place and the rule, never repeat a path: they may be logged on the way.

Left to others: limits of the policy and of the deployment (vault.deposit).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.errors import AnnouncementRefused

ANNOUNCEMENT_LIMIT = 8 * 1024 * 1024  # 65 535 documents with paths of 60 characters and digests need 9 MB; most need 1 kB
DOCUMENTS_LIMIT = 65_535  # protocol 3.4
SIZE_LIMIT = 2**40  # protocol 3.4: a sealed envelope has at most 1 TiB


@dataclass(frozen=True)
class AnnouncedDocument:
    """One document that will follow."""

    path: str
    size: int
    sha256: bytes | None = None


@dataclass(frozen=True)
class Announcement:
    """The documents that will follow, in order."""

    documents: tuple[AnnouncedDocument, ...]

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)
