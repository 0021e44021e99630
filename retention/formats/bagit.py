# SPDX-License-Identifier: EUPL-1.2
"""BagIt 1.0 (RFC 8493): a package as a stream of TAR, and a TAR unpacked safely into a directory.

Rules
  1. The same package gives the same bytes: PAX headers, no owner, every time is as_of, everything sorted by path.
  2. One pass: payload is digested while it leaves, and the manifests come after it; memory stays flat.
  3. Both payload manifests are complete; there is no fetch.txt.
  4. A file that is shorter or longer than planned breaks the stream off; it never ends well.
  5. Only regular files below the package's folder are ever unpacked, each once, and none over another.

Left to others: what the files are (retention.package), checking a bag (retention.verification.bag).
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO, Final, Self, cast

from retention.errors import ChangedPart, CutPackage, UnsafePackage
from retention.formats.paths import MAX_FILES, require_new, require_safe
from retention.package import ArchivePackage, PlannedFile

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAYLOAD = "data/"
MANIFESTS: Final = ("manifest-sha256.txt", "manifest-sha512.txt")
TAG_MANIFEST = "tagmanifest-sha512.txt"
TAGS: Final = ("bag-info.txt", "bagit.txt", *MANIFESTS)
MEDIA_TYPE = "application/x-tar"
BLOCK = tarfile.BLOCKSIZE
END = bytes(tarfile.RECORDSIZE)
PIECE = 1 << 20
MAX_READ = 4 << 20  # no header that we or others write in earnest comes near


@dataclass
class _Digests:
    """Manifest lines as files pass."""

    sha256: list[str] = field(default_factory=list)
    sha512: list[str] = field(default_factory=list)

    def passing(self, path: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Blocks of a file, digested on their way."""
        first, second = sha256(), sha512()
        for block in blocks:
            first.update(block)
            second.update(block)
            yield block
        self.sha256.append(line(first.hexdigest(), path))
        self.sha512.append(line(second.hexdigest(), path))


def line(digest: str, path: str) -> str:
    """One line of a manifest."""
    return f"{digest}  {escape(path)}\n"


def escape(path: str) -> str:
    """A path as a manifest writes it: %, CR and LF, and only those, percent-encoded (RFC 8493 2.1.3)."""
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def bag_info(package: ArchivePackage) -> bytes:
    """The bag's description; its date is the package's, not the writer's."""
    size = sum(one.size for one in package.files)
    return (
        f"External-Identifier: {package.id}\n"
        f"External-Description: {_one_line(package.title)}\n"
        f"Bagging-Date: {package.as_of:%Y-%m-%d}\n"
        f"Payload-Oxum: {size}.{len(package.files)}\n"
    ).encode()


def stream_tar(package: ArchivePackage) -> Iterator[bytes]:
    """The package as TAR, all below a folder named by its id.

    Raises:
        ChangedPart: a file is not as long as planned; the stream breaks off.
    """
    payload, tags = _Digests(), _Digests()
    for file in _before(package):
        yield from _member(package, file, tags.passing(file.path, file.read()))
    for file in _payload(package):
        yield from _member(package, file, payload.passing(file.path, file.read()))
    for name, lines in zip(MANIFESTS, (payload.sha256, payload.sha512), strict=True):
        manifest = PlannedFile.of(name, "".join(lines).encode())
        yield from _member(package, manifest, tags.passing(name, manifest.read()))
    last = PlannedFile.of(TAG_MANIFEST, "".join(tags.sha512).encode())
    yield from _member(package, last, last.read())
    yield END


def tar_length(package: ArchivePackage) -> int:
    """How many bytes `stream_tar` gives, known before the first of them."""
    payload = _payload(package)
    sizes = {one.path: one.size for one in (*_before(package), *payload)}
    for name, digits in zip(MANIFESTS, (64, 128), strict=True):
        sizes[name] = sum(len(line("0" * digits, one.path).encode()) for one in payload)
    sizes[TAG_MANIFEST] = sum(len(line("0" * 128, name).encode()) for name in TAGS)
    return sum(len(_header(package, path, size)) + _padded(size) for path, size in sizes.items()) + len(END)


def unpack(tar_file: Path, folder: Path) -> Path:
    """Write a package's TAR into a new directory; gives the bag's directory.

    Args:
        tar_file: the TAR.
        folder: where the bag lies afterwards; it must not exist, or be empty.

    Raises:
        UnsafePackage: a link, a device, a path out of the folder, a name twice.
        CutPackage: it ends early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UnsafePackage(f"{folder} is not empty; a package is unpacked into a new directory")
    with Archive(tar_file) as archive:
        for path, member in archive.members.items():
            _write(archive.read(member), member, folder / path)
    return folder


class Archive:
    """A package's TAR, opened for reading: its members by their path below the bag's folder.

    Raises:
        UnsafePackage: a link, a device, a sparse file, a path out of the folder, a name twice, a forged header.
        CutPackage: it ends before its end, or goes on behind it.
    """

    def __init__(self, file: Path) -> None:
        """Read all headers; no content yet."""
        self._stream = _Bounded(FileIO(file))
        try:
            self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115 - closed by `close`
            self.members = self._read_members()
            self._require_end()
            self._stream.is_bounded = False
        except (tarfile.TarError, ValueError) as error:  # ValueError: numbers and names in headers that are none
            self._stream.close()
            raise CutPackage(f"the package cannot be read to its end: {error}") from error
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._tar.close()
        self._stream.close()

    def read(self, member: tarfile.TarInfo) -> BinaryIO:
        """A member's bytes, as a file one can move about in."""
        opened = self._tar.extractfile(member)
        if opened is None:
            raise UnsafePackage("only regular files are taken out of a package", file=member.name)
        return cast("BinaryIO", opened)

    def _read_members(self) -> dict[str, tarfile.TarInfo]:
        members: dict[str, tarfile.TarInfo] = {}
        seen: set[str] = set()
        roots: set[str] = set()
        for member in self._tar:
            if member.isdir():
                continue
            root, path = _place(member)
            roots.add(root)
            require_new(path, seen)
            members[path] = member
        if len(roots) > 1:
            raise UnsafePackage("a package has one folder")
        return members

    def _require_end(self) -> None:
        """Behind the last member there are zeros, two blocks at least (POSIX), and nothing else."""
        last = list(self._tar.getmembers())[-1:]
        end = last[0].offset_data + _padded(last[0].size) if last else 0
        self._stream.seek(end)
        zeros = 0
        while block := self._stream.read(PIECE):
            if block.count(0) != len(block):
                raise CutPackage("something stands behind the end of the package")
            zeros += len(block)
        if zeros < 2 * BLOCK:
            raise CutPackage("the package ends before its end")


class _Bounded(BufferedReader):
    """A file that refuses to be read in huge pieces while headers are read, as a forged one would make tarfile do."""

    is_bounded = True

    def read(self, size: int | None = -1) -> bytes:
        """At most `MAX_READ` bytes; UnsafePackage when more are asked for."""
        if self.is_bounded and (size is None or not 0 <= size <= MAX_READ):
            raise UnsafePackage("a header of the package claims to be larger than any is")
        return super().read(size)


def _place(member: tarfile.TarInfo) -> tuple[str, str]:
    """The bag's folder and the path below it."""
    if not member.isreg() or member.issparse():
        raise UnsafePackage("only regular files are taken out of a package", file=ascii(member.name)[:200])
    root, _, path = member.name.partition("/")
    return require_safe(root), require_safe(path)


def _before(package: ArchivePackage) -> tuple[PlannedFile, ...]:
    return PlannedFile.of("bag-info.txt", bag_info(package)), PlannedFile.of("bagit.txt", DECLARATION)


def _payload(package: ArchivePackage) -> tuple[PlannedFile, ...]:
    if len(package.files) > MAX_FILES:
        raise UnsafePackage(f"a package holds at most {MAX_FILES} files")
    placed = (PlannedFile(PAYLOAD + one.path, one.size, one.read) for one in package.files)
    return tuple(sorted(placed, key=lambda one: one.path.encode()))


def _member(package: ArchivePackage, file: PlannedFile, blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield _header(package, file.path, file.size)
    passed = 0
    for block in blocks:
        passed += len(block)
        if passed > file.size:
            break
        yield block
    if passed != file.size:
        raise ChangedPart(f"{file.size} bytes were announced and {passed} came", file=file.path)
    yield bytes(_padded(file.size) - file.size)


def _header(package: ArchivePackage, path: str, size: int) -> bytes:
    info = tarfile.TarInfo(f"{package.id}/{path}")
    info.size, info.mode, info.mtime = size, 0o644, int(package.as_of.timestamp())
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _write(source: BinaryIO, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    copied = 0
    with source, path.open("xb") as target:
        while block := source.read(PIECE):
            copied += target.write(block)
    if copied != member.size:
        raise CutPackage("the package ends early", file=ascii(member.name)[:200])


def _one_line(text: str) -> str:
    return " ".join(text.split())
