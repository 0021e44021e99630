# SPDX-License-Identifier: EUPL-1.2
"""A package as files by path, whether it is a directory or a TAR, read safely.

Rules
  1. Regular files only: a link, a device, a name that climbs or stands twice refuses the package.
  2. A size is looked at before bytes of that number are read.
  3. Which files were asked for is remembered: what nobody asks for has no meaning, and is told.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tarfile import TarInfo
from typing import BinaryIO, Protocol

from retention.errors import MissingPart, PackageError, UnsafePackage
from retention.formats.bagit import PAYLOAD, Archive
from retention.formats.paths import require_new, require_safe

MAX_TEXT = 64 << 20


class Files(Protocol):
    """Files by path with their sizes; `open` gives one to be read and moved about in."""

    @property
    def sizes(self) -> Mapping[str, int]: ...

    def open(self, path: str) -> BinaryIO: ...


@dataclass
class Tree:
    """A bag's files, and which of them were asked for."""

    files: Files
    asked: set[str] = field(default_factory=set)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Every file's size, by its path from the bag's folder."""
        return self.files.sizes

    def has(self, path: str) -> bool:
        """Whether a payload file is there."""
        return PAYLOAD + path in self.sizes

    def under(self, folder: str) -> list[str]:
        """Payload paths below a folder, sorted."""
        start = f"{PAYLOAD}{folder}/"
        return sorted(path.removeprefix(PAYLOAD) for path in self.sizes if path.startswith(start))

    def size(self, path: str) -> int:
        """A payload file's size; MissingPart."""
        if not self.has(path):
            raise MissingPart("is missing", file=PAYLOAD + path)
        return self.sizes[PAYLOAD + path]

    def open(self, path: str) -> BinaryIO:
        """A payload file, opened; MissingPart."""
        self.size(path)
        self.asked.add(path)
        return self.files.open(PAYLOAD + path)

    def read(self, path: str, *, limit: int = MAX_TEXT) -> bytes:
        """All of a payload file; MissingPart, PackageError when it is larger than the limit."""
        return self.read_tag(PAYLOAD + path, limit=limit, asked=path)

    def read_tag(self, path: str, *, limit: int = MAX_TEXT, asked: str = "") -> bytes:
        """All of a file by its path from the bag's folder."""
        if path not in self.sizes:
            raise MissingPart("is missing", file=path)
        if self.sizes[path] > limit:
            raise PackageError(f"has {self.sizes[path]} bytes, at most {limit} are read", file=path)
        self.asked.add(asked)
        with self.files.open(path) as file:
            return file.read()


class Directory:
    """A bag as a directory."""

    def __init__(self, root: Path) -> None:
        """Walk it; UnsafePackage for what is no regular file."""
        self._root = root
        self._paths: dict[str, Path] = {}
        self._sizes: dict[str, int] = {}
        seen: set[str] = set()
        for path, size in _walk(root):
            name = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
            require_new(require_safe(name), seen)
            self._paths[name], self._sizes[name] = path, size

    @property
    def sizes(self) -> Mapping[str, int]:
        """Sizes by path."""
        return self._sizes

    def open(self, path: str) -> BinaryIO:
        """Open a file, never through a link."""
        return os.fdopen(os.open(self._paths[path], os.O_RDONLY | os.O_NOFOLLOW), "rb")


class Packed:
    """A bag as a TAR."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._members: dict[str, TarInfo] = {
            unicodedata.normalize("NFC", path): member for path, member in archive.members.items()
        }
        self._sizes = {path: member.size for path, member in self._members.items()}

    @property
    def sizes(self) -> Mapping[str, int]:
        """Sizes by path."""
        return self._sizes

    def open(self, path: str) -> BinaryIO:
        """A member."""
        return self._archive.read(self._members[path])


@contextmanager
def open_tree(path: Path) -> Iterator[Tree]:
    """A package, directory or TAR; UnsafePackage, CutPackage."""
    if path.is_dir():
        yield Tree(Directory(path))
        return
    with Archive(path) as archive:
        yield Tree(Packed(archive))


def _walk(folder: Path) -> Iterator[tuple[Path, int]]:
    pending = [folder]
    while pending:
        for entry in sorted(os.scandir(pending.pop()), key=lambda one: one.name):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                pending.append(Path(entry.path))
            elif stat.S_ISREG(found.st_mode):
                yield Path(entry.path), found.st_size
            else:
                name = Path(entry.path).relative_to(folder).as_posix()
                raise UnsafePackage("is a link or a device, which no package holds", file=ascii(name)[1:-1])
