# SPDX-License-Identifier: EUPL-1.2
"""A running embedded store as a burglar sees it: ports, sockets, and one locked object that is worth something.

`Premises` is hardened (the stack of this run) or open: the same program started as its own documents say, without
`security.toml` and with HTTP, so that each attack can be seen to work where nobody stops it.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import boto3
import httpx2
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.embedded.directory import DataDirectory
from deploy.embedded.weed import PORTS, EmbeddedStore
from deploy.embedded.weed_files import BucketPair, access_key, write_store_files
from deploy.provision import StoreAdmin, provision
from tests.contracts.stores import new_name, now, soon
from vault.store import StoredObject
from vault.store.barrier import OutsidePromise
from vault.store.s3 import S3Access
from vault.store.s3_objects import S3ObjectStore

NEEDLE_HEAD = 20  # bytes before a needle's data in a volume: cookie 4, id 8, size 4, data size 4


@dataclass
class Premises:
    """One store."""

    data: Path
    access: S3Access
    ports: dict[str, int]
    shell_patience: float  # seconds: a shell that is kept out never ends by itself
    read_patience: float  # seconds: a store that has lost the object looks for it for long
    content: bytes = field(default_factory=lambda: os.urandom(64 * 1024))  # what can be pressed is stored pressed
    stored: StoredObject = field(init=False)

    def __post_init__(self) -> None:
        objects = S3ObjectStore(self.access, clock=now, barrier=OutsidePromise())
        self.stored = objects.put(new_name(), self.content, lock_until=soon())

    def url(self, port: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    @property
    def bucket(self) -> str:
        return self.access.bucket

    @property
    def version_path(self) -> str:
        """Where the filer keeps the object."""
        return f"/buckets/{self.bucket}/{self.stored.key}.versions/v_{self.stored.version_id}"

    @property
    def file_id(self) -> str:
        """The object's address in its volume, read from the disk: the attacker is helped."""
        for volume in self.data.glob(f"store/**/{self.bucket}_*.dat"):
            held = volume.read_bytes()
            if (at := held.find(self.content[:64])) >= NEEDLE_HEAD:
                head = held[at - NEEDLE_HEAD : at]
                return f"{volume.stem.rpartition('_')[2]},{int.from_bytes(head[4:12]):x}{head[:4].hex()}"
        raise AssertionError("the object lies in no volume")

    def is_intact(self) -> bool:
        """Whether the object is there as it was; asked once, since an object that is gone is no weather."""
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.access.endpoint,
            aws_access_key_id=self.access.access_key,
            aws_secret_access_key=self.access.secret_key,
            region_name=self.access.region,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                read_timeout=self.read_patience,
                proxies={},
            ),
        )
        try:
            answer = client.get_object(Bucket=self.bucket, Key=self.stored.key, VersionId=self.stored.version_id)
            return answer["Body"].read() == self.content
        except (ClientError, BotoCoreError):
            return False

    def over_socket(self, name: str) -> httpx2.Client:
        """A client through a Unix socket of the store."""
        return httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.data / "conf" / name)), timeout=10)


def hardened(data: Path, access: S3Access) -> Premises:
    """The store of a running stack."""
    return Premises(
        data, access, json.loads((data / "state.json").read_text())["store"], shell_patience=4, read_patience=60
    )


class OpenStore(EmbeddedStore):
    """The same store with its doors open."""

    def start(self) -> None:
        write_store_files(self._directory.conf, self.secrets, self._pairs)
        (self._directory.conf / "security.toml").unlink()
        self._run()

    def _command(self) -> list[str]:
        return [argument for argument in super()._command() if argument != "-disableHttp"]


def start_open(root: Path) -> OpenStore:
    """Start one on a directory of its own; stop it."""
    directory = DataDirectory(root)
    directory.acquire()
    store = OpenStore(directory, directory.ports("store", PORTS), pairs=())
    store.start()
    return store


def burgled(store: OpenStore, root: Path) -> Premises:
    """A new bucket on the open store, entered as whoever may do everything: one attack may destroy it."""
    pair = BucketPair(objects=f"o{uuid4().hex[:12]}", keys=f"k{uuid4().hex[:12]}")
    admin = StoreAdmin(store.endpoint, access_key("provision"), store.secrets["provision"])
    provision(admin, objects=pair.objects, keys=pair.keys)
    access = S3Access(store.endpoint, pair.objects, admin.access_key, admin.secret_key)
    return Premises(
        root, access, json.loads((root / "state.json").read_text())["store"], shell_patience=60, read_patience=3
    )
