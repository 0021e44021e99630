# SPDX-License-Identifier: EUPL-1.2
"""The attacks on the embedded store's side doors (storage.md 1.4), each with what it gains where nobody stops it."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx2

from deploy.embedded.doors import GRPC, grpc_sockets, speaks_plain_grpc
from deploy.embedded.programs import weed_program
from tests.deploy.premises import Premises

CLOSED: Final = {401, 403, 404, 405}
GRPC_ANSWERS: Final = 200  # our word for: somebody speaks gRPC in clear


class Gain(StrEnum):
    """What an attack gains on an open store."""

    GONE = "the object is gone, or is another"
    DOOMED = "its bytes are marked as deleted, and go with the next vacuum"
    READ = "the object is read"
    ANSWERED = "it is answered"


@dataclass(frozen=True)
class Attempt:
    """What was answered, and what was carried away."""

    answers: list[int]
    loot: bytes = b""


Attack = Callable[[Premises], Attempt]


def _http(method: str, port: str, path: Callable[[Premises], str], body: bytes | None = None) -> Attack:
    def attack(at: Premises) -> Attempt:
        answer = httpx2.request(method, at.url(port, path(at)), content=body, trust_env=False, timeout=30)
        return Attempt([answer.status_code], answer.content)

    return attack


def _socket(method: str, name: str, path: Callable[[Premises], str]) -> Attack:
    def attack(at: Premises) -> Attempt:
        with at.over_socket(name) as client:
            answer = client.request(method, f"http://socket{path(at)}")
        return Attempt([answer.status_code], answer.content)

    return attack


def _volume_write(at: Premises) -> Attempt:
    files = {"file": ("x", b"other bytes")}
    answer = httpx2.post(at.url("volume.port", f"/{at.file_id}"), files=files, trust_env=False)
    return Attempt([answer.status_code])


def _shell(*commands: str) -> Attack:
    """The store's own shell, without its certificate."""

    def attack(at: Premises) -> Attempt:
        place = f"-master=127.0.0.1:{at.ports['master.port']}.{at.ports['master.port.grpc']}"
        filer = f"-filer=127.0.0.1:{at.ports['filer.port']}.{at.ports['filer.port.grpc']}"
        typed = "\n".join(["lock", *(one.format(at=at) for one in commands), "exit", ""])
        with tempfile.TemporaryDirectory() as elsewhere:
            try:
                said = _run([str(weed_program()), "shell", place, filer], typed, Path(elsewhere), at.shell_patience)
            except subprocess.TimeoutExpired:
                return Attempt([403])  # it never entered
        return Attempt([200], said)

    return attack


def _run(command: list[str], typed: str, where: Path, patience: float) -> bytes:
    return subprocess.run(
        command,
        input=typed.encode(),
        capture_output=True,
        timeout=patience,
        cwd=where,
        env={"HOME": str(where), "PATH": os.environ["PATH"]},
        check=False,
    ).stdout


def _grpc_ports(at: Premises) -> Attempt:
    return Attempt([GRPC_ANSWERS if speaks_plain_grpc(("127.0.0.1", at.ports[name])) else 401 for name in GRPC])


def _grpc_sockets(at: Premises) -> Attempt:
    found = grpc_sockets(at.ports)
    assert found, "the store has no sockets in the temporary folder"
    return Attempt([GRPC_ANSWERS if speaks_plain_grpc(str(path)) else 401 for path in found])


def _version(at: Premises) -> str:
    return at.version_path


def _file(at: Premises) -> str:
    return f"/{at.file_id}"


def _says(path: str) -> Callable[[Premises], str]:
    return lambda at: path.format(at=at)


ATTACKS: Final[Mapping[str, tuple[Attack, Gain]]] = {
    "the filer deletes": (_http("DELETE", "filer.port", _version), Gain.GONE),
    "the filer deletes the bucket": (
        _http("DELETE", "filer.port", _says("/buckets/{at.bucket}?recursive=true")),
        Gain.GONE,
    ),
    "the filer deletes through its socket": (_socket("DELETE", "filer.sock", _version), Gain.GONE),
    "the filer overwrites": (_http("PUT", "filer.port", _version, b"other bytes"), Gain.GONE),
    "the filer reads": (_http("GET", "filer.port", _version), Gain.READ),
    "the filer reads through its socket": (_socket("GET", "filer.sock", _version), Gain.READ),
    "the volume server reads": (_http("GET", "volume.port", _file), Gain.READ),
    "the volume server deletes": (_http("DELETE", "volume.port", _file), Gain.DOOMED),
    "the volume server overwrites": (_volume_write, Gain.GONE),
    "the volume server shows its pages": (_http("GET", "volume.port", _says("/ui/index.html")), Gain.ANSWERED),
    "the master assigns": (_http("GET", "master.port", _says("/dir/assign")), Gain.ANSWERED),
    "the master vacuums": (_http("GET", "master.port", _says("/vol/vacuum?garbageThreshold=0.01")), Gain.ANSWERED),
    "the master deletes the collection": (
        _http("GET", "master.port", _says("/col/delete?collection={at.bucket}")),
        Gain.GONE,
    ),
    "the shell removes files": (_shell("fs.rm -rf /buckets/{at.bucket}/{at.stored.key}.versions"), Gain.GONE),
    "the shell deletes the collection": (_shell("collection.delete -collection {at.bucket} -force"), Gain.GONE),
    "gRPC in clear by TCP": (_grpc_ports, Gain.ANSWERED),
    "gRPC in clear by the temporary folder's sockets": (_grpc_sockets, Gain.ANSWERED),
}

# Shut with and without hardening; they must stay so.
SHUT_ANYWAY: Final[Mapping[str, Attack]] = {
    "a stranger reads over S3": _http("GET", "s3.port", _says("/{at.bucket}/{at.stored.key}")),
    "a stranger lists over S3": _http("GET", "s3.port", _says("/{at.bucket}?list-type=2")),
    "a stranger deletes over S3": _http(
        "DELETE", "s3.port", _says("/{at.bucket}/{at.stored.key}?versionId={at.stored.version_id}")
    ),
    "a stranger asks for users": _http("POST", "s3.port", _says("/?Action=ListUsers&Version=2010-05-08")),
    "a stranger reads over the S3 socket": _socket("GET", "s3.sock", _says("/{at.bucket}/{at.stored.key}")),
    "a stranger deletes over the S3 socket": _socket(
        "DELETE", "s3.sock", _says("/{at.bucket}/{at.stored.key}?versionId={at.stored.version_id}")
    ),
}

# Answered on the hardened store too, and harmless: no name of an object, no byte of one.
LEFT_OPEN: Final = {
    "master.port": ("/", "/cluster/status"),
    "volume.port": ("/status",),
    "s3.port": ("/status",),
}
