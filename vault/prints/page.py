# SPDX-License-Identifier: EUPL-1.2
"""Sets a page: the parts of a print as values, given to typst as data (PDF/A-3b, PDF/UA-1).

Rules
  1. What is shown is data: no text of anybody is markup.
  2. Only the fonts of the typst wheel, never the system's: the same bytes everywhere.
  3. A character that these fonts lack is shown by its number, U+4E2D; the attached statement has it as it is.

Left to others: which parts a print has (receipts, closings, minutes).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TypeAlias

import typst

from vault.prints.glyphs import displayable, plain

_BREAK = "\u200b"  # a space of no width: a line may end there
_RUN = 12
_LONG = re.compile(rf"[^\s{_BREAK}]{{{3 * _RUN},}}")
Json: TypeAlias = "str | int | bool | Sequence[Json] | dict[str, Json]"


@dataclass(frozen=True)
class Value:
    """One thing shown: `kind` is text, strong, number, code, id, digest or path; `note` stands small below."""

    text: str
    kind: str = "text"
    note: str = ""

    def to_json(self) -> Json:
        """For the page."""
        as_shown = {"path": shown_path, "code": displayable, "id": displayable, "digest": displayable}
        shown: dict[str, Json] = {"text": as_shown.get(self.kind, shown_text)(self.text), "kind": self.kind}
        if self.note:
            shown["note"] = shown_text(self.note)
        return shown


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2

    def to_json(self) -> Json:
        """For the page."""
        return {"kind": "heading", "text": shown_text(self.text), "level": self.level}


@dataclass(frozen=True)
class Banner:
    """What the reader must see first; `tone` is good, warn, bad or plain."""

    tone: str
    head: str
    body: str = ""

    def to_json(self) -> Json:
        """For the page."""
        return {"kind": "banner", "tone": self.tone, "head": shown_text(self.head), "body": shown_text(self.body)}


@dataclass(frozen=True)
class Facts:
    """Labels beside values."""

    rows: tuple[tuple[str, tuple[Value, ...]], ...]

    def to_json(self) -> Json:
        """For the page."""
        rows: list[Json] = [
            {"label": label, "values": [value.to_json() for value in values]} for label, values in self.rows if values
        ]
        return {"kind": "facts", "rows": rows}


@dataclass(frozen=True)
class Column:
    """A column of a listing: its head, width in mm ("fill", "auto" else), and whether numbers stand right."""

    head: str
    width: int | str = "fill"
    right: bool = False

    def to_json(self) -> Json:
        """For the page."""
        return {"head": self.head, "width": self.width, "right": self.right}


@dataclass(frozen=True)
class Listing:
    """A table that goes on over pages."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def to_json(self) -> Json:
        """For the page."""
        return {
            "kind": "listing",
            "columns": [column.to_json() for column in self.columns],
            "rows": [[value.to_json() for value in row] for row in self.rows],
        }


@dataclass(frozen=True)
class Words:
    """A paragraph; `kind` is text, small, or command."""

    text: str
    kind: str = "text"

    def to_json(self) -> Json:
        """For the page."""
        return {"kind": self.kind, "text": shown_text(self.text)}


Part: TypeAlias = Heading | Banner | Facts | Listing | Words


@dataclass(frozen=True)
class Attachment:
    """A file carried by the print; `relationship` as PDF 2.0 names it: source, data, supplement."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    description: str
    relationship: str = "data"

    def to_json(self) -> Json:
        """For the page: texts as text, the rest as numbers, which typst turns into bytes."""
        shown: dict[str, Json] = {
            "name": self.name,
            "media_type": self.media_type,
            "description": self.description,
            "relationship": self.relationship,
        }
        if self.media_type.startswith("text/"):
            shown["text"] = self.data.decode("utf-8")
        else:
            shown["bytes"] = list(self.data)
        return shown


@dataclass(frozen=True)
class Page:
    """A whole print."""

    language: str
    title: str
    subject: str
    author: str
    at: datetime
    header: tuple[str, str]
    footer: str
    footer_code: str
    page_word: str
    parts: tuple[Part, ...]
    attachments: tuple[Attachment, ...]

    def to_json(self) -> Json:
        """For the page."""
        at = self.at.astimezone(UTC)
        return {
            "lang": self.language,
            "title": displayable(self.title),
            "subject": displayable(self.subject),
            "subject_shown": shown_text(self.subject),
            "author": displayable(self.author),
            "date": {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second")},
            "header": [clipped(self.header[0], 60), clipped(self.header[1], 40)],
            "footer": displayable(self.footer),
            "footer_code": self.footer_code,
            "page_word": self.page_word,
            "parts": [part.to_json() for part in self.parts],
            "attachments": [one.to_json() for one in self.attachments],
        }


def shown_text(text: str) -> str:
    """A text as the fonts can show it; what is too long for a line may break anywhere."""
    return _wrapped(displayable(text))


def shown_path(path: str) -> str:
    """The same for a path, which may break behind each separator."""
    return _wrapped("".join(f"{one}{_BREAK}" if one in "/_-.," else one for one in displayable(path)))


def _wrapped(text: str) -> str:
    return _LONG.sub(lambda run: _BREAK.join(run[0][at : at + _RUN] for at in range(0, len(run[0]), _RUN)), text)


def clipped(text: str, most: int) -> str:
    """A text cut to what the edge of a page has room for."""
    return displayable(text if len(text) <= most else f"{text[: most - 1]}…")


def set_page(page: Page) -> bytes:
    """The PDF of a page."""
    shown = page.to_json()
    try:
        return _compile(shown, page.at)
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
        return _compile(_plain(shown), page.at)  # letters that only fail beside each other


def _compile(shown: Json, at: datetime) -> bytes:
    return typst.compile(
        _template(),
        format="pdf",
        sys_inputs={"print": json.dumps(shown, ensure_ascii=False)},
        pdf_standards=["a-3b", "ua-1"],  # typst checks both while it writes
        font_paths=_fonts(),
        timestamp=at.astimezone(UTC).replace(microsecond=0),
    )


def _plain(shown: Json) -> Json:
    """The same with Western letters only, but for the attachments, which are not shown."""
    if isinstance(shown, str):
        return plain(shown)
    if isinstance(shown, dict):
        return {name: one if name == "attachments" else _plain(one) for name, one in shown.items()}
    if isinstance(shown, list | tuple):
        return [_plain(one) for one in shown]
    return shown


@cache
def _template() -> bytes:
    return resources.files("vault.prints").joinpath("page.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
