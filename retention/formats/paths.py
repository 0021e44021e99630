# SPDX-License-Identifier: EUPL-1.2
"""Which paths a package may hold: relative, plain, NFC, and never two that some file system takes for one."""

import unicodedata

from retention.errors import UnsafePackage

MAX_FILES = 2_000_000
MAX_PATH = 2048  # bytes: a document's 1024 and where its envelope lies
MAX_PART = 255  # bytes, as file systems have it


def require_safe(path: str) -> str:
    """The path itself; UnsafePackage when it is absolute, climbs, or holds what a path of ours never holds."""
    parts = path.split("/")
    is_plain = all(part not in {"", ".", ".."} and len(part.encode(errors="replace")) <= MAX_PART for part in parts)
    is_text = not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in path) and "\\" not in path
    if not (is_plain and is_text) or len(path.encode(errors="replace")) > MAX_PATH:
        raise UnsafePackage("the path is not a plain relative one", file=ascii(path)[:200])
    return path


def require_new(path: str, seen: set[str]) -> None:
    """Enter a path among those seen; UnsafePackage when it, or one that differs only in form, is there already."""
    name = unicodedata.normalize("NFC", path).casefold()
    if name in seen:
        raise UnsafePackage("the package holds this name twice", file=path)
    if len(seen) >= MAX_FILES:
        raise UnsafePackage(f"a package holds at most {MAX_FILES} files")
    seen.add(name)
