# SPDX-License-Identifier: EUPL-1.2
"""Bodies of deposits, as a platform would send them and as one never should."""

import json
from dataclasses import dataclass
from hashlib import sha256

BOUNDARY = "b0undary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Sent:
    """One document and what is said of it."""

    path: str
    content: bytes


def part(name: str, content: bytes, *, filename: str | None = None, headers: bytes = b"") -> bytes:
    """One part with its leading boundary."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return b"--" + BOUNDARY.encode() + b"\r\n" + disposition.encode() + b"\r\n" + headers + b"\r\n" + content + b"\r\n"


def announcement(documents: list[Sent]) -> bytes:
    """The JSON of the first part."""
    return json.dumps(
        [
            {"path": sent.path, "size": len(sent.content), "sha256": sha256(sent.content).hexdigest()}
            for sent in documents
        ]
    ).encode()


def end() -> bytes:
    """The closing boundary."""
    return b"--" + BOUNDARY.encode() + b"--\r\n"


def body(documents: list[Sent], *, announced: bytes | None = None) -> bytes:
    """A whole body."""
    first = part("announcement", announcement(documents) if announced is None else announced)
    rest = b"".join(part("document", sent.content, filename=sent.path) for sent in documents)
    return first + rest + end()
