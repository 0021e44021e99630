# SPDX-License-Identifier: EUPL-1.2
"""The embedded store's side doors, tried as a stranger on this machine would, without doing harm (storage.md 1.4).

Rules
  1. Nothing that is tried here changes anything, should the door be open; the tests try the rest.
  2. A door is closed when it refuses, or when nobody is behind it.
  3. Two things of ours belong to it: the flush works, and the directory is held by a running vault.
"""

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from vault.errors import VaultError
from vault.store.barrier import DiskBarrier

LOOPBACK = "127.0.0.1"
CLOSED = {401, 403, 404, 405}
PATIENCE = 3.0  # seconds
HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # with empty settings
FRAME_HEAD, SETTINGS_FRAME = 9, 4  # RFC 9113 4.1, 6.5
SOME_FILE = "1,01637037d6"
GRPC = ("master.port.grpc", "volume.port.grpc", "filer.port.grpc", "s3.port.grpc", "admin.port.grpc")


@dataclass(frozen=True, slots=True)
class Door:
    """One way in, and whether it is shut."""

    says: str
    is_closed: bool


def closed_doors(data: Path, *, bucket: str) -> list[Door]:
    """Try every door of the store that runs on a data directory."""
    ports: dict[str, int] = json.loads((data / "state.json").read_text())["store"]
    return [
        *_over_http(ports, bucket),
        *_over_sockets(data / "conf", bucket),
        *_over_plain_grpc(ports),
        _flush(data / "store"),
        _hold(data),
    ]


def speaks_plain_grpc(address: tuple[str, int] | str) -> bool:
    """Whether somebody answers HTTP/2 in clear there: a port, or the path of a Unix socket."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as stranger:
        stranger.settimeout(PATIENCE)
        try:
            stranger.connect(address)
            stranger.sendall(HTTP2_HELLO)
            head = stranger.recv(FRAME_HEAD)
        except OSError:
            return False
    return len(head) == FRAME_HEAD and head[3] == SETTINGS_FRAME


def grpc_sockets(ports: Mapping[str, int]) -> list[Path]:
    """The sockets that the store leaves in the temporary folder, one for each gRPC port."""
    folder = Path(tempfile.gettempdir())
    return [path for name in GRPC for path in folder.glob(f"seaweedfs-*-grpc-{ports[name]}.sock")]


def _over_http(ports: Mapping[str, int], bucket: str) -> Iterator[Door]:
    tries = {
        "filer.port": ("/healthz",),
        "master.port": ("/dir/assign", "/vol/status", "/submit"),
        "volume.port": (f"/{SOME_FILE}", "/ui/index.html", "/debug/pprof/", "/stats/disk"),
        "s3.port": (f"/{bucket}?list-type=2",),
    }
    with httpx2.Client(trust_env=False, timeout=PATIENCE) as stranger:
        for name, paths in tries.items():
            for path in paths:
                says = f"{name.partition('.')[0]} {path}"
                yield _shut(stranger, f"http://{LOOPBACK}:{ports[name]}{path}", says)


def _over_sockets(conf: Path, bucket: str) -> Iterator[Door]:
    for name, path in {"filer.sock": "/healthz", "s3.sock": f"/{bucket}?list-type=2"}.items():
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=_near(conf / name)), timeout=PATIENCE) as stranger:
            yield _shut(stranger, f"http://socket{path}", f"{name} {path}")


def _shut(stranger: httpx2.Client, url: str, says: str) -> Door:
    try:
        status = stranger.get(url).status_code
    except httpx2.HTTPError:
        return Door(f"{says}: nobody there", is_closed=True)
    return Door(f"{says}: {status}", is_closed=status in CLOSED)


def _over_plain_grpc(ports: Mapping[str, int]) -> Iterator[Door]:
    for name in GRPC:
        yield Door(f"{name} in clear", is_closed=not speaks_plain_grpc((LOOPBACK, ports[name])))
    for path in grpc_sockets(ports):
        yield Door(f"{path.name} in clear", is_closed=not speaks_plain_grpc(str(path)))


def _flush(store: Path) -> Door:
    """The flush that stands between the store's word and a receipt."""
    try:
        barrier = DiskBarrier(store)
    except OSError as error:
        return Door(f"the flush of {store}: {error}", is_closed=False)
    try:
        barrier.wait()
    except VaultError as error:
        return Door(str(error), is_closed=False)
    finally:
        barrier.close()
    return Door("the disk can be flushed", is_closed=True)


def _hold(data: Path) -> Door:
    """Whether a running vault holds the directory, so that no second one writes to it."""
    descriptor = os.open(data / ".lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Door("the directory is held", is_closed=True)
    finally:
        os.close(descriptor)
    return Door("nobody holds the directory", is_closed=False)


def _near(path: Path) -> str:
    """A socket's path may not be longer than 107 bytes: long ones are reached from where we are."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)
