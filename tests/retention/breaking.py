# SPDX-License-Identifier: EUPL-1.2
"""What a forger does to a package: bytes changed, files taken away, and the bag made to fit again."""

from hashlib import sha256, sha512
from pathlib import Path

from retention.formats.bagit import MANIFESTS, TAG_MANIFEST, TAGS, line
from retention.verification import Report, Result

_HASHES = {MANIFESTS[0]: sha256, MANIFESTS[1]: sha512}


def flip(file: Path, place: int | None = None) -> None:
    """Change one byte, in the middle unless told."""
    data = bytearray(file.read_bytes())
    at = len(data) // 2 if place is None else place
    data[at] ^= 1
    file.write_bytes(data)


def rebag(folder: Path) -> None:
    """Make the manifests fit what is there, as a forger would."""
    payload = sorted(path for path in (folder / "data").rglob("*") if path.is_file())
    for name, algorithm in _HASHES.items():
        listed = [
            line(algorithm(path.read_bytes()).hexdigest(), path.relative_to(folder).as_posix()) for path in payload
        ]
        (folder / name).write_text("".join(listed))
    size = sum(path.stat().st_size for path in payload)
    info = folder / "bag-info.txt"
    kept = [one for one in info.read_text().splitlines() if not one.startswith("Payload-Oxum")]
    info.write_text("\n".join([*kept, f"Payload-Oxum: {size}.{len(payload)}"]) + "\n")
    tags = [line(sha512((folder / name).read_bytes()).hexdigest(), name) for name in TAGS]
    (folder / TAG_MANIFEST).write_text("".join(tags))


def broken(report: Report) -> dict[str, str]:
    """What is broken, by file."""
    return {check.file: check.text for check in report.checks if check.result is Result.BROKEN}


def missing(report: Report) -> list[str]:
    """What is missing."""
    return [check.text for check in report.checks if check.result is Result.MISSING]
