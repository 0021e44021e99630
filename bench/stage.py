# SPDX-License-Identifier: EUPL-1.2
"""A vault started for the bench alone, with one published procedure, and a bucket without locks for the peer.

Rules
  1. The vault is the real one, started as `bidvault up` starts it; deposits go through its API.
  2. Everything lies in one temporary directory and is stopped and deleted at the end, however it comes.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import boto3
from botocore.config import Config

from api import tokens
from api.auth import ISSUER, Actor, Role, open_issuer
from api.bootstrap import compose, read_passphrase
from api.cli.custodian import commands as custodian_command
from api.cli.remote import Vault
from crypto.policy import Policy, person_id
from crypto.statement import Kind, parse_note
from deploy.embedded.weed_files import IDENTITIES, access_key
from deploy.up import RunningVault
from vault.errors import DevelopmentOnly
from vault.settings import Settings
from vault.store.s3 import S3Access
from vault.work import Works

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SHARE = 0.9  # of the free disk that the measured vault may take
BUCKET = "bench"
LOT = "1"
SETTLE = 45  # seconds, the least
SIRET = "99910001900010"  # invented
CUSTODIAN = "bench.custodian"
PASSPHRASE = "a-bench-opens-nothing-of-value"  # noqa: S105 - the key dies with the bench
LIFETIME = timedelta(hours=6)


@dataclass
class Stage:
    """What every measurement is given."""

    vault: RunningVault
    works: Works = field(repr=False)
    home: Path
    procedure: UUID
    policy: Policy = field(repr=False)
    policy_note: bytes = field(repr=False)
    platform: str = field(repr=False)  # the depositing platform's token

    def store(self, *, is_signed: bool) -> "S3Client":
        """boto3 for the embedded store, its payload signed (boto3's default over http) or not (its fastest form)."""
        config = Config() if is_signed else Config(s3={"payload_signing_enabled": False})
        return _client(self.vault, config)

    def store_access(self) -> S3Access:
        """The embedded store with the identity of the bench, for programs that are no Python."""
        return S3Access(
            endpoint=self.vault.environment["BIDVAULT_S3_ENDPOINT"],
            bucket=BUCKET,
            access_key=access_key("provision"),
            secret_key=self.vault.directory.secrets(IDENTITIES)["provision"],
        )


@contextmanager
def staged() -> Iterator[Stage]:
    """Start, publish, and take everything away again."""
    home = Path(tempfile.mkdtemp(prefix="bidvault-bench-"))
    # Every turn's locked objects stay to the end: more than the half of the disk that a vault takes by itself.
    vault = RunningVault(home / "data", store_quota=int(shutil.disk_usage(home).free * SHARE))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DevelopmentOnly)
            vault.start()
            os.environ.update({**vault.environment, "XDG_CONFIG_HOME": str(home / "pins")})
            works = compose(Settings.model_validate({}))
        try:
            _client(vault, Config()).create_bucket(Bucket=BUCKET)
            yield _publish(vault, works, home, deadline=datetime.now(UTC) + timedelta(days=1))
        finally:
            works.engine.dispose()
    finally:
        vault.stop()
        shutil.rmtree(home, ignore_errors=True)


def publish(stage: Stage, *, deadline: datetime) -> Stage:
    """One more procedure of the same vault, with a deadline of its own."""
    home = Path(tempfile.mkdtemp(dir=stage.home))
    return _publish(stage.vault, stage.works, home, deadline=deadline)


def _publish(vault: RunningVault, works: Works, home: Path, *, deadline: datetime) -> Stage:
    custodian = Actor(CUSTODIAN, Role.CUSTODIAN, person=person_id(ISSUER, CUSTODIAN))
    buyer = Vault(vault.url, token(works, Actor("bench.buyer", Role.BUYER, organisation=SIRET)))
    card, key, passphrase, token_file = (
        home / name for name in ("bench-custodian.card", "bench-custodian.key", "passphrase", "token")
    )
    passphrase.write_text(PASSPHRASE + "\n", encoding="ascii")
    token_file.write_text(token(works, custodian) + "\n", encoding="ascii")
    with custodian_command.people.capture():
        custodian_command.init(home, name="Bench", organisation="Bench", subject=CUSTODIAN, passphrase_file=passphrase)
        made = json.loads(buyer.post_json("/v1/procedures", _wanted(card, deadline)))
        custodian_command.rehearse(
            key=key, passphrase_file=passphrase, procedure=made["id"], url=vault.url, token_file=token_file
        )
    buyer.post_json(f"/v1/procedures/{made['id']}/publish", {})
    note = buyer.get(f"/v1/procedures/{made['id']}/policies/0")
    policy = Policy.of(parse_note(note, Kind.POLICY))
    platform = token(works, Actor("bench.platform", Role.PLATFORM))
    return Stage(vault, works, home, UUID(made["id"]), policy, note, platform)


def _wanted(card: Path, deadline: datetime) -> dict[str, object]:
    part = {
        "part": "technical",
        "deadline": deadline.isoformat(),
        "k": 1,
        "custodians": [card.read_text(encoding="ascii")],
    }
    lots = [{"id": LOT, "title": "Bench", "parts": [part]}]
    return {"reference": "BENCH", "title": "Bench", "siret": SIRET, "buyer": "Bench", "settle": SETTLE, "lots": lots}


def token(works: Works, actor: Actor) -> str:
    """Somebody's token."""
    settings = works.settings
    issuer = open_issuer(settings.keys, read_passphrase(settings.passphrase_file), works.clock)
    return tokens.issue(works, issuer, actor, lifetime=LIFETIME)


def _client(vault: RunningVault, config: Config) -> "S3Client":
    return boto3.session.Session().client(
        "s3",
        endpoint_url=vault.environment["BIDVAULT_S3_ENDPOINT"],
        aws_access_key_id=access_key("provision"),
        aws_secret_access_key=vault.directory.secrets(IDENTITIES)["provision"],
        region_name="us-east-1",
        config=config.merge(Config(proxies={}, max_pool_connections=16)),
    )
