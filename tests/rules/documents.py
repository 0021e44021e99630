# SPDX-License-Identifier: EUPL-1.2
"""What the documents say that a machine can compare with the program: links, commands, settings, ids.

Rules
  1. A document is read as text; a fenced `sh` or `console` block is something a reader will type.
  2. Nothing is run.

Left to others: judging (tests.rules.test_documents).
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.rules.requirements_register import ROOT

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ANCHOR: Final = re.compile(r"<a id=\"([^\"]+)\">")


@dataclass(frozen=True)
class Page:
    """One document."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> tuple[str, ...]:
        """Targets inside the repository, as written."""
        found = (page or image for page, image in _LINK.findall(self.prose))
        return tuple(target for target in found if not re.match(r"[a-z]+:", target))

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may name after `#`: its headings and explicit anchors."""
        return frozenset(map(slug, _HEADING.findall(self.prose))) | frozenset(_ANCHOR.findall(self.text))

    @property
    def typed(self) -> tuple[str, ...]:
        """Command lines a reader will type, continuation lines joined, prompts and comments left out."""
        blocks = (body for language, body in _FENCE.findall(self.text) if language in {"sh", "console"})
        lines = (line for body in blocks for line in body.replace("\\\n", " ").splitlines())
        return tuple(line.removeprefix("$ ").strip() for line in lines if line.strip() and not line.startswith("#"))

    @property
    def quoted(self) -> tuple[str, ...]:
        """What stands between backquotes in the running text."""
        return tuple(re.findall(r"`([^`\n]+)`", self.prose))


def pages() -> tuple[Page, ...]:
    """Every document of the repository."""
    paths = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    return tuple(Page(path, path.read_text(encoding="utf-8")) for path in paths)


def slug(heading: str) -> str:
    """The anchor that a heading gets where the documents are read."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words.replace("`", "")).strip().replace(" ", "-")


def commands(lines: Sequence[str], program: str) -> Iterator[tuple[str, ...]]:
    """The arguments of each call of a program; variables set before it and optional brackets are left out."""
    for line in (line for line in lines if program in line):
        words = [word.strip("[]") for word in shlex.split(line, comments=True)]
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words and words[0].split("/")[-1] == program:
            yield tuple(words[1:])
