# SPDX-License-Identifier: EUPL-1.2
"""Deleted keys leave the files too, by the supervisor's door alone; where that cannot be done, it is said."""

import os
import secrets
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.embedded import Addresses, EmbeddedStack
from deploy.errors import PartFailed
from deploy.supervisor import SupervisorDoor
from tests.contracts.conftest import access
from vault.errors import CannotCompact, ObjectMissing
from vault.store.barrier import OutsidePromise
from vault.store.compaction import COMMAND, SOCKET, SupervisorCompaction, socket_at
from vault.store.s3_keys import S3KeyStore


def test_a_destroyed_key_lies_in_no_file_any_more_and_the_others_stay(data: Path) -> None:
    with EmbeddedStack(data) as stack:
        addresses = stack.addresses(
            database=stack.create_database(), pair=stack.create_buckets(stack.store_access().pair)
        )
        door = SupervisorDoor(data, stack.compact_keys)
        door.open()
        keys = S3KeyStore(
            access(addresses, addresses.key_bucket, addresses.keys),
            barrier=OutsidePromise(),
            compaction=SupervisorCompaction(data),
        )
        kept, destroyed = (os.urandom(60) for _ in range(2))
        names = [f"2/{secrets.token_hex(16)}" for _ in range(2)]
        keys.put_if_absent(names[0], kept)
        keys.put_if_absent(names[1], destroyed)
        keys.delete(names[1])
        assert files_with(destroyed, data)  # a store deletes by forgetting

        keys.compact()

        assert files_with(destroyed, data) == []
        assert files_with(kept, data)
        assert keys.get(names[0]) == kept
        with pytest.raises(ObjectMissing):
            keys.get(names[1])
        door.close()


def files_with(secret: bytes, data: Path) -> list[Path]:
    return [path for path in (data / "store").rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_an_outside_key_store_says_that_it_cannot(addresses: Addresses) -> None:
    keys = S3KeyStore(access(addresses, addresses.key_bucket, addresses.keys), barrier=OutsidePromise())

    with pytest.raises(CannotCompact, match="compacted by its operator"):
        keys.compact()


@dataclass
class Compacting:
    """A compaction that a test watches."""

    failure: PartFailed | None = None
    times: int = field(default=0)

    def __call__(self) -> None:
        self.times += 1
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def compacting() -> Compacting:
    return Compacting()


@pytest.fixture
def door(tmp_path: Path, compacting: Compacting) -> Iterator[Path]:
    folder = tmp_path / ("long" * 40)  # a socket's own path may have 107 bytes
    folder.mkdir()
    door = SupervisorDoor(folder, compacting)
    door.open()
    yield folder
    door.close()
    assert not (folder / SOCKET).exists()


def ask(folder: Path, question: bytes) -> bytes:
    with socket_at(folder) as (caller, address):
        caller.connect(address)
        caller.sendall(question)
        caller.shutdown(socket.SHUT_WR)
        return caller.recv(4096)


def test_the_door_is_for_its_owner_only(door: Path) -> None:
    assert stat.S_IMODE((door / SOCKET).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "question", [b"", b"compact", b"compact keys", b"compact keys\nx", b"delete keys\n", b"\0" * 99]
)
def test_it_does_nothing_else(door: Path, compacting: Compacting, question: bytes) -> None:
    assert b"the only command is" in ask(door, question)
    assert compacting.times == 0


def test_one_who_says_nothing_holds_up_nobody_for_long(door: Path, compacting: Compacting) -> None:
    with socket_at(door) as (silent, address):
        silent.connect(address)
    SupervisorCompaction(door)()

    assert compacting.times == 1


def test_why_it_failed_is_told(door: Path, compacting: Compacting) -> None:
    compacting.failure = PartFailed("the disk is full")

    with pytest.raises(CannotCompact, match="not compacted: the disk is full"):
        SupervisorCompaction(door)()


def test_without_a_supervisor_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CannotCompact, match="does not answer"):
        SupervisorCompaction(tmp_path)()


def test_what_a_killed_supervisor_left_is_no_obstacle(tmp_path: Path, compacting: Compacting) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / SOCKET))
    left.close()
    door = SupervisorDoor(tmp_path, compacting)

    door.open()

    assert ask(tmp_path, COMMAND) == b"done\n"
    door.close()
