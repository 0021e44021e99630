# SPDX-License-Identifier: EUPL-1.2
"""An archive package before it is written: its files, where each lies, and the plan that describes it.

Rules
  1. Paths are relative, slash-separated, NFC, and unique; the layout has one home, here, for writer and checker.
  2. The plan holds nothing that is not said by a statement in the package, so a checker derives it anew and compares.
  3. JSON in a package has one form: what is not exactly that form is refused.
  4. Nothing here reads a clock, a database or a store.

Left to others: gathering (retention.gathering), the bag (retention.formats.bagit), checks (retention.verification).
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from retention.errors import PackageError

FORMAT = "bidvault-package/1"
MAX_JSON = 512 << 20  # a journal extract of a very large procedure; bounded all the same
POLICIES = "policies"
ANCHORS = "authorities"
OPENINGS = "openings"
PLAN = "plan.json"
STATEMENTS_VKEY = "vault/statements.vkey"
JOURNAL_VKEY = "vault/journal.vkey"
JOURNAL = "journal/entries.json"
CHECKPOINT = "journal/checkpoint.note"
READ_ME = {"en": "README.en.txt", "fr": "README.fr.txt"}
ID_DIGITS = 16  # hexadecimal digits of a statement's id that name a file or folder

Read = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class PlannedFile:
    """One file of the payload: its path under `data/`, its length, and how to read it (any number of times)."""

    path: str
    size: int
    read: Read = field(repr=False)

    @classmethod
    def of(cls, path: str, content: bytes) -> Self:
        """A file whose bytes are at hand."""
        return cls(path, len(content), lambda: iter((content,)))


@dataclass(frozen=True)
class ArchivePackage:
    """Everything that is written: payload files by path, and the moment all of it stands for."""

    id: UUID
    as_of: datetime
    title: str
    files: tuple[PlannedFile, ...]

    def __post_init__(self) -> None:
        """Refuse two files under one path."""
        if len({one.path for one in self.files}) != len(self.files):
            raise PackageError("two files of a package have one path")


def policy_path(epoch: int) -> str:
    """Where a policy note lies."""
    return f"{POLICIES}/policy-{epoch}.note"


def box_folder(number: int) -> str:
    """The folder of a box."""
    return f"box-{number}"


def sealed_path(number: int) -> str:
    """Where a box's list of what stays sealed lies."""
    return f"{box_folder(number)}/sealed.json"


def admitted_folder(number: int, decision_id: bytes) -> str:
    """The folder of a supplementary closing."""
    return f"{box_folder(number)}/admitted-{short(decision_id)}"


def envelope_folder(number: int, envelope_id: UUID) -> str:
    """The folder of an opened envelope."""
    return f"{box_folder(number)}/envelopes/{envelope_id}"


def document_path(folder: str, path: str) -> str:
    """Where an opened document lies, under its envelope's folder."""
    return f"{folder}/documents/{unicodedata.normalize('NFC', path)}"


def opening_folder(opening_id: bytes) -> str:
    """The folder of an opening."""
    return f"{OPENINGS}/{short(opening_id)}"


def short(statement_id: bytes) -> str:
    """The digits of an id that name a file."""
    return statement_id.hex()[:ID_DIGITS]


class Described(BaseModel):
    """A JSON document of a package, in its one form."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    def encode(self) -> bytes:
        """The document's bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a document; PackageError unless it is exactly in its one form."""
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise PackageError(f"cannot be read at {where or 'its beginning'}: {first['msg']}") from error
        if found.encode() != data:
            raise PackageError("is not in the one form that a package's JSON has")
        return found


class PlannedDocument(Described):
    """An opened document."""

    path: str
    size: int
    sha256: str


class PlannedEnvelope(Described):
    """An opened envelope."""

    id: str
    bidder: str
    received_at: str
    folder: str
    documents: tuple[PlannedDocument, ...]


class PlannedBox(Described):
    """A box: what it is, when it was closed, what was opened of it."""

    number: int
    lot: str
    part: str
    deadline: str
    not_before: str
    closed_at: str
    closing: str
    folder: str
    opened: tuple[PlannedEnvelope, ...]
    sealed: int


class PlannedOpening(Described):
    """An opening that ended in minutes."""

    id: str
    minutes: str
    ended_at: str
    folder: str


class Plan(Described):
    """What the package holds, for people and programs that look for something."""

    format: str
    procedure: str
    reference: str
    title: str
    buyer: str
    siret: str
    zone: str
    policy: str
    as_of: str
    boxes: tuple[PlannedBox, ...]
    openings: tuple[PlannedOpening, ...]


class SealedEnvelope(Described):
    """An envelope that stays sealed: digests, state, verdict; nothing of its contents, and not whose it is.

    `record` is H(D), which its journal entries and its depositor's receipt name.
    """

    id: str
    state: str
    verdict: str
    record: str
    header_sha256: str
    file_sha256: str
    length: int


class SealedList(Described):
    """All envelopes of a box that are not in the package, in the order of their arrival."""

    box: int
    envelopes: tuple[SealedEnvelope, ...]


class ExtractEntry(Described):
    """One entry of the journal: what opens its leaf, its place, and the hashes that lead to the checkpoint's root."""

    position: int
    kind: str
    at: str
    event: str
    salt: str
    proof: tuple[str, ...]


class JournalExtract(Described):
    """A procedure's entries, in the order of the log."""

    entries: tuple[ExtractEntry, ...]


def instant(moment: datetime) -> str:
    """A moment as a package's JSON writes it: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
