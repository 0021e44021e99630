# SPDX-License-Identifier: EUPL-1.2
"""What others do with the same file and the same store: boto3 in two forms, rclone's crypt, age piped into boto3.

A tool that this machine has not is told as None; it is Debian's package of that name.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from boto3.s3.transfer import TransferConfig

from bench.client import BenchFailed
from bench.stage import BUCKET, Stage

MIB = 1024 * 1024
FASTEST = "boto3, 8 MiB × 4 threads, unsigned"
DEFAULT = "boto3 as it comes, 10 threads, signed"
RCLONE = "rclone with a crypt remote"
AGE = "age piped into boto3"
TOOLS = {RCLONE: ("rclone",), AGE: ("age", "age-keygen")}

Act = Callable[[], None]


@dataclass(frozen=True)
class Peers:
    """One file's ways into the bench's bucket."""

    stage: Stage = field(repr=False)
    file: Path

    def acts(self) -> dict[str, Act | None]:
        """Each peer by its name; None where its program is not installed."""
        ways: dict[str, Callable[[], Act]] = {
            FASTEST: self._fastest,
            DEFAULT: self._default,
            RCLONE: self._rclone,
            AGE: self._age,
        }
        return {name: make() if is_here(name) else None for name, make in ways.items()}

    def read(self) -> float:
        """Seconds to read what the fastest form has stored, in pieces of a mebibyte."""
        began = time.perf_counter()
        body = self.stage.store(is_signed=False).get_object(Bucket=BUCKET, Key="fastest")["Body"]
        for _piece in body.iter_chunks(MIB):
            continue
        return time.perf_counter() - began

    def clean(self) -> None:
        """Delete what they have stored."""
        store = self.stage.store(is_signed=False)
        for found in store.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            store.delete_object(Bucket=BUCKET, Key=found["Key"])

    def _fastest(self) -> Act:
        store = self.stage.store(is_signed=False)
        four = TransferConfig(
            multipart_threshold=8 * MIB,
            multipart_chunksize=8 * MIB,
            max_concurrency=4,
            preferred_transfer_client="classic",
        )
        return lambda: store.upload_file(str(self.file), BUCKET, "fastest", Config=four)

    def _default(self) -> Act:
        store = self.stage.store(is_signed=True)
        as_it_comes = TransferConfig(preferred_transfer_client="classic")
        return lambda: store.upload_file(str(self.file), BUCKET, "default", Config=as_it_comes)

    def _rclone(self) -> Act:
        password = _said([_program("rclone"), "obscure", os.urandom(16).hex()])
        secrets = self.stage.store_access()
        environment = {
            "HOME": str(self.stage.home),
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_PLAIN_TYPE": "s3",
            "RCLONE_CONFIG_PLAIN_PROVIDER": "Other",
            "RCLONE_CONFIG_PLAIN_ENDPOINT": secrets.endpoint,
            "RCLONE_CONFIG_PLAIN_ACCESS_KEY_ID": secrets.access_key,
            "RCLONE_CONFIG_PLAIN_SECRET_ACCESS_KEY": secrets.secret_key,
            "RCLONE_CONFIG_PLAIN_REGION": "us-east-1",
            "RCLONE_CONFIG_PLAIN_NO_CHECK_BUCKET": "true",
            "RCLONE_CONFIG_SEALED_TYPE": "crypt",
            "RCLONE_CONFIG_SEALED_REMOTE": f"plain:{BUCKET}/rclone",
            "RCLONE_CONFIG_SEALED_PASSWORD": password,
        }
        command = [_program("rclone"), "copyto", str(self.file), "sealed:one"]
        return lambda: _run(command, environment)

    def _age(self) -> Act:
        key = self.stage.home / "age.key"
        if not key.exists():
            _said([_program("age-keygen"), "-o", str(key)])
        recipient = _said([_program("age-keygen"), "-y", str(key)])
        store = self.stage.store(is_signed=True)
        as_it_comes = TransferConfig(preferred_transfer_client="classic")

        def upload() -> None:
            command = [_program("age"), "-r", recipient, str(self.file)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as running:  # noqa: S603 - no shell, our own words
                store.upload_fileobj(cast("IO[bytes]", running.stdout), BUCKET, "age", Config=as_it_comes)
            if running.returncode:
                raise BenchFailed(f"age ended with {running.returncode}")

        return upload


def is_here(peer: str) -> bool:
    """Whether the programs of a peer are installed."""
    return all(shutil.which(program) for program in TOOLS.get(peer, ()))


def _program(name: str) -> str:
    return shutil.which(name) or name


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BenchFailed(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-500:]}")


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
