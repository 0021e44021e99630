# SPDX-License-Identifier: EUPL-1.2
"""A running vault on one data directory: parts, tables, keys, worker and API, started in order and stopped in reverse.

Rules
  1. What is not given from outside is ours: database, object store, time authorities.
  2. Whatever makes it a vault for development (test authorities, generated passphrase, one database role for all) says
     so, and everything sealed under it is level 0.
  3. API and worker are processes of their own, which get addresses and their own credentials, not the store's keys.
     One that ends by itself is started again; a part that ends stops everything.

Left to others: what the processes do (deploy.serve), settings and their checks (vault.settings).
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2

from api.auth import create_token_key
from deploy import standins
from deploy.authorities import Authorities, AuthorityAddresses, write_seal, write_trust
from deploy.embedded.child import Child, Launch
from deploy.embedded.directory import DataDirectory
from deploy.embedded.postgres import DatabaseUrls
from deploy.embedded.stack import EmbeddedStack, Parts
from deploy.errors import REFUSED, PartFailed, StartRefused
from deploy.migrations import migrate
from deploy.supervisor import SupervisorDoor
from vault.keys import create_service_keys
from vault.settings import Authority

LOOPBACK = "127.0.0.1"
START_PATIENCE = 60.0
MOST_RESTARTS = 5  # of API, worker and test authorities together, within the time below
RESTARTS_WITHIN = 600.0  # seconds: what runs for years may be killed more often
PREFIX = "BIDVAULT_"
ENVIRONMENT_FILE = "bidvault.env"  # what the commands about this vault read


@dataclass(frozen=True, slots=True)
class Outside:
    """Parts that are not ours; the credentials of an outside store come from the environment, as `Settings` says."""

    database: DatabaseUrls | None = None
    s3_endpoint: str | None = None
    authorities: tuple[Authority, ...] = ()
    keys: Path | None = None
    passphrase_file: Path | None = None
    has_one_role: bool = False  # one database role for tables, vault and gate


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the API listens; port 0 is a free one, kept from start to start."""

    host: str = LOOPBACK
    port: int = 0


class RunningVault:
    """One vault. Start it from a thread that lives as long as the program: the children end with that thread."""

    def __init__(
        self,
        data: Path,
        *,
        outside: Outside | None = None,
        listening: Listening | None = None,
        store_quota: int | None = None,
    ) -> None:
        """Name the directory, what is outside, and what our store may take; nothing is touched before `start`."""
        self.outside = outside or Outside()
        self._listening = listening or Listening()
        parts = Parts(self.outside.database is None, self.outside.s3_endpoint is None, store_quota=store_quota)
        self._stack = EmbeddedStack(data, parts=parts)
        self._door = SupervisorDoor(self.directory.root, self._stack.compact_keys)
        self._authorities = Authorities(self.directory.root / "authorities")
        self._serving: dict[str, Child] = {}
        self._launches: dict[str, Launch] = {}
        self._restarts: list[float] = []
        self.most_restarts = MOST_RESTARTS
        self._served: AuthorityAddresses | None = None
        self.url = ""
        self.owner_url = ""  # the database as the role that owns its tables
        self.environment: Mapping[str, str] = {}

    @property
    def directory(self) -> DataDirectory:
        """Its data directory."""
        return self._stack.directory

    @property
    def trust(self) -> Path:
        """Where the roots of the test authorities lie, as `bidvault verify --trust` reads them."""
        return self.directory.root / "trust"

    @property
    def keys(self) -> Path:
        """Where the vault's key files lie."""
        return self.outside.keys or self.directory.root / "keys"

    def start(self, *, serves: bool = True) -> str:
        """Start everything and return the API's address, or stop what was started and raise.

        Args:
            serves: with API and worker; without them the parts are there for a recovery.

        Raises:
            DeployError: a part did not start.
            VaultError: the database could not be migrated, or a key is missing.
        """
        self._stack.start_parts()
        try:
            self._start()
            if serves:
                self._serve()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """API, worker, authorities, store, database, in this order; safe to call twice."""
        for name in ("api", "worker"):
            if (child := self._serving.pop(name, None)) is not None:
                child.stop(patience=45)
        self._authorities.stop()
        self._door.close()
        self._stack.stop()

    def watch(self) -> None:
        """Start again a serving process, or the test authorities, that ended; to be called now and then.

        Raises:
            PartFailed: a part ended, or processes end too often.
        """
        self._stack.require_running()
        self._watch_authorities()
        for name, child in list(self._serving.items()):
            if child.is_running():
                continue
            if not self._may_restart():
                child.require_running()
            self._serving[name] = Child(self._launches[name])

    def _watch_authorities(self) -> None:
        """They keep nothing and may come back, at the address that everybody knows."""
        if self._served is None or self._authorities.is_running():
            return
        self._count_restart("the test authorities end again and again")
        if self._authorities.start().base != self._served.base:
            raise PartFailed(
                "the test authorities ended, and another program has their port: stop the vault and start it again"
            )

    def _count_restart(self, otherwise: str) -> None:
        if not self._may_restart():
            raise PartFailed(f"{otherwise}; see {self.directory.root}")

    def _may_restart(self) -> bool:
        """Count one restart, and tell whether it is not one too many of the last minutes."""
        now = time.monotonic()
        self._restarts = [one for one in self._restarts if now - one < RESTARTS_WITHIN] + [now]
        return len(self._restarts) <= self.most_restarts

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        """Stop it."""
        self.stop()

    def _start(self) -> None:
        database = self.outside.database or self._stack.create_database()
        self.owner_url = database.owner
        migrate(database.owner)
        passphrase_file = self._passphrase_file()
        passphrase = passphrase_file.read_text(encoding="utf-8").rstrip("\n")
        create_service_keys(self.keys, passphrase)
        create_token_key(self.keys, passphrase)
        authorities = self.outside.authorities or self._start_authorities(passphrase)
        if not self.is_development:
            standins.require_none(
                authorities=authorities,
                passphrase_file=passphrase_file,
                keys=self.keys,
                database_url=database.api,
                gate_database_url=database.gate,
            )
        port = self._listening.port or self.directory.ports("api", ["http"])["http"]
        self.url = f"http://{self._listening.host}:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name.startswith(PREFIX)},
            **self._store_settings(),
            "BIDVAULT_DATABASE_URL": database.api,
            "BIDVAULT_GATE_DATABASE_URL": database.gate,
            "BIDVAULT_AUTHORITIES": json.dumps([one.model_dump(mode="json") for one in authorities]),
            "BIDVAULT_KEYS": str(self.keys),
            "BIDVAULT_PASSPHRASE_FILE": str(passphrase_file),
            "BIDVAULT_IS_DEVELOPMENT": str(self.is_development).lower(),
            "BIDVAULT_HOST": self._listening.host,
            "BIDVAULT_PORT": str(port),
            "BIDVAULT_URL": self.url,
        }
        lines = [f"{name}={value}\n" for name, value in sorted(self.environment.items())]
        self.directory.write_private(ENVIRONMENT_FILE, "".join(lines))

    @property
    def is_development(self) -> bool:
        """Whether anything of it is for development only: then it seals at level 0."""
        outside = self.outside
        return not outside.authorities or outside.passphrase_file is None or outside.has_one_role

    def _passphrase_file(self) -> Path:
        """The operator's, or one made at the first start."""
        if self.outside.passphrase_file is not None:
            return self.outside.passphrase_file
        path = self.directory.root / "passphrase"
        if not path.exists():
            self.directory.write_private("passphrase", standins.generate_passphrase() + "\n")
        return path

    def _start_authorities(self, passphrase: str) -> tuple[Authority, ...]:
        where = self._served = self._authorities.start()
        write_trust(where, self.trust)
        if self.outside.keys is None or not (self.outside.keys / "seal.p8").exists():
            write_seal(where, self.keys, passphrase=passphrase.encode())
        anchors = sorted(self.trust.glob("time-*.pem"))
        return tuple(
            Authority(name=one.name, url=one.address, anchor=anchor)
            for one, anchor in zip(where.time, anchors, strict=True)
        )

    def _store_settings(self) -> dict[str, str]:
        """Of the embedded store; an outside one's come from the environment."""
        if self.outside.s3_endpoint is not None:
            return {"BIDVAULT_S3_ENDPOINT": self.outside.s3_endpoint}
        store = self._stack.store_access()
        self._stack.create_buckets(store.pair)
        self._door.open()
        buckets = {"OBJECTS": (store.pair.objects, "vault"), "KEY_STORE": (store.pair.keys, "keys")}
        access = {
            f"BIDVAULT_{name}": json.dumps(
                {
                    "bucket": bucket,
                    "access_key": store.identities[identity].access_key,
                    "secret_key": store.identities[identity].secret_key,
                }
            )
            for name, (bucket, identity) in buckets.items()
        }
        return access | {
            "BIDVAULT_S3_ENDPOINT": store.endpoint,
            "BIDVAULT_EMBEDDED_STORE": str(store.directory),
            "BIDVAULT_STORE_QUOTA": str(store.room),
        }

    def _serve(self) -> None:
        root = Path(__file__).resolve().parent.parent
        for name in ("worker", "api"):
            self._launches[name] = Launch(
                name=f"the {name}",
                command=[sys.executable, "-m", "deploy.serve", name],
                log=self.directory.logs / f"{name}.log",
                directory=self.directory.root,
                environment={**self.environment, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "TZ": "UTC"},
            )
            self._serving[name] = Child(self._launches[name])
        give_up = time.monotonic() + START_PATIENCE
        while not _answers(self.url):
            for child in self._serving.values():
                _require_serving(child)
            if time.monotonic() > give_up:
                raise PartFailed(f"the API does not answer; see {self.directory.logs}")
            time.sleep(0.1)


def _require_serving(child: Child) -> None:
    """One that may not start has said why in its last line; any other end is shown with its log."""
    if child.has_ended_with(REFUSED):
        reason = (child.log_tail().strip() or "it did not say why").splitlines()[-1]
        raise StartRefused(f"{child.launch.name} does not start. {reason}")
    child.require_running()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/livez", timeout=2, trust_env=False).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
