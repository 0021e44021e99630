# SPDX-License-Identifier: EUPL-1.2
"""The bag: every file listed once in both manifests, with its digests; none unlisted, none missing (RFC 8493)."""

import re
from datetime import date
from hashlib import sha512

from crypto.stream import PassingDigest, passing_sha512
from retention.errors import PackageError
from retention.formats.bagit import DECLARATION, MANIFESTS, PAYLOAD, PIECE, TAG_MANIFEST, TAGS
from retention.formats.paths import require_safe
from retention.verification.report import Report
from retention.verification.tree import Tree

MAX_MANIFEST = 1 << 30
_LINE = re.compile(r"([0-9a-f]+)  (.+)")
_DIGITS = dict(zip(MANIFESTS, (64, 128), strict=True))


def check_bag(tree: Tree, report: Report) -> dict[str, str]:
    """Check a bag; gives the SHA-256 of each payload file as it is, by its path under `data/`."""
    report.begin("The bag")
    _check_tags(tree, report)
    listed = [_read_manifest(tree, name, report) for name in MANIFESTS]
    payload = {path for path in tree.sizes if path.startswith(PAYLOAD)}
    for name, manifest in zip(MANIFESTS, listed, strict=True):
        for path in sorted(manifest.keys() - payload):
            report.broken(path, f"is missing, and {name} lists it")
        for path in sorted(payload - manifest.keys()):
            report.broken(path, f"is not listed in {name}")
    found = {path.removeprefix(PAYLOAD): _check_file(tree, path, listed, report) for path in sorted(payload)}
    _check_info(tree, report, count=len(payload))
    size = sum(tree.sizes[path] for path in payload)
    report.passed(f"{len(payload)} files with {size} bytes digested with SHA-256 and SHA-512")
    return found


def bagging_date(tree: Tree) -> date | None:
    """The date a bag says it stands for."""
    info = tree.read_tag("bag-info.txt").decode(errors="replace")
    found = re.search(r"^Bagging-Date: (\d{4}-\d{2}-\d{2})$", info, re.MULTILINE)
    return date.fromisoformat(found[1]) if found else None


def _check_tags(tree: Tree, report: Report) -> None:
    for path in sorted(tree.sizes):
        if not path.startswith(PAYLOAD) and path not in {*TAGS, TAG_MANIFEST}:
            report.broken(path, "is no part of a package")
    with report.judging("bagit.txt"):
        if tree.read_tag("bagit.txt") != DECLARATION:
            report.broken("bagit.txt", "does not declare BagIt 1.0 in UTF-8")
    with report.judging(TAG_MANIFEST):
        listed = _lines(tree.read_tag(TAG_MANIFEST), 128)
        if set(listed) != set(TAGS):
            report.broken(TAG_MANIFEST, "does not list exactly the four files it must")
        for name in sorted(set(listed) & set(TAGS) & set(tree.sizes)):
            if sha512(tree.read_tag(name, limit=MAX_MANIFEST)).hexdigest() != listed[name]:
                report.broken(name, f"is not the file that {TAG_MANIFEST} lists")
                report.broken(TAG_MANIFEST, f"does not list {name} as it is; one of the two was changed")


def _read_manifest(tree: Tree, name: str, report: Report) -> dict[str, str]:
    with report.judging(name):
        listed = _lines(tree.read_tag(name, limit=MAX_MANIFEST), _DIGITS[name])
        for path in listed:
            if not path.startswith(PAYLOAD):
                raise PackageError("lists a file that is no payload", file=name)
            require_safe(path)
        return listed
    return {}


def _lines(data: bytes, digits: int) -> dict[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise PackageError("is not UTF-8") from error
    listed: dict[str, str] = {}
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or len(found[1]) != digits:
            raise PackageError("holds a line that is not a digest and a path")
        path = _unescape(found[2])
        if path in listed:
            raise PackageError("lists a file twice")
        listed[path] = found[1]
    if text and not text.endswith("\n"):
        raise PackageError("does not end in a line feed")
    return listed


def _unescape(path: str) -> str:
    if re.sub(r"%(25|0D|0A)", "", path).count("%"):
        raise PackageError("holds a path that is not encoded as BagIt does")
    return re.sub(r"%(25|0D|0A)", lambda found: chr(int(found[1], 16)), path)


def _check_file(tree: Tree, path: str, listed: list[dict[str, str]], report: Report) -> str:
    first, second = PassingDigest(), passing_sha512()  # side by side, while the next piece is read
    with tree.files.open(path) as file:
        while block := file.read(PIECE):
            first.update(block)
            second.update(block)
    found = (first.digest().hex(), second.digest().hex())
    for name, manifest, digest in zip(MANIFESTS, listed, found, strict=True):
        if path in manifest and manifest[path] != digest:
            report.broken(path, f"is not the file that {name} lists")
    return found[0]


def _check_info(tree: Tree, report: Report, *, count: int) -> None:
    with report.judging("bag-info.txt"):
        lines = tree.read_tag("bag-info.txt").decode(errors="replace").splitlines()
        info = dict(line.split(": ", 1) for line in lines if ": " in line)
        size = sum(size for path, size in tree.sizes.items() if path.startswith(PAYLOAD))
        if info.get("Payload-Oxum") != f"{size}.{count}":
            report.broken("bag-info.txt", "does not tell the number of files and bytes that there are")
