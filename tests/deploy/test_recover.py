# SPDX-License-Identifier: EUPL-1.2
"""`bidvault recover` on real parts: a restored database lets nothing start, and afterwards everything serves again."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from api import bootstrap
from deploy.embedded import Addresses
from deploy.embedded.stack import DEFAULT_PAIR
from deploy.up import RunningVault
from tests.deploy.conftest import ROOT
from tests.deploy.test_up import ENTRY, PATIENCE, Up
from tests.world.backup import Backup
from tests.world.world import ACME, ZENITH, World
from vault import sequencer
from vault.authorities import HttpLine
from vault.settings import Settings
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore
from vault.work import SystemClock, Works


class Premises:
    """A vault's parts without API and worker, one procedure in it, and a backup from before two deposits."""

    def __init__(self, data: Path, receipts: Path) -> None:
        self.data, self.receipts = data, receipts
        self.ids: dict[str, UUID] = {}

    def make(self) -> None:
        """One deposit is copied to the store, the other comes in the very last second."""
        vault = RunningVault(self.data)
        vault.start(serves=False)
        try:
            addresses = _addresses(vault)
            works = bootstrap.assemble(_settings(vault))
            world = _world(addresses, works)
            world.publish(world.draft(k=1, n=2))
            sequencer.publish(works)
            backup = Backup.of(addresses)
            self._take(world, ACME)
            sequencer.publish(works)
            self._take(world, ZENITH)
            _let_go(works)
            world.close()
            backup.put_back(addresses)
        finally:
            vault.stop()

    def recover(self, *options: str) -> subprocess.CompletedProcess[str]:
        """The command, as an operator types it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIDVAULT_")}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ENTRY, "recover", "--data", str(self.data), *options],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=PATIENCE,
            env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        )

    def _take(self, world: World, bidder: str) -> None:
        given = world.deposit(bidder)
        self.ids[bidder] = given.id
        (self.receipts / f"{given.id}.receipt").write_bytes(given.acknowledgement.note)


@pytest.mark.long  # five starts of the whole stack
@pytest.mark.timeout(900)
@pytest.mark.proves("T52", "T64", "OPS-04")
def test_after_a_restored_database_nothing_starts_until_it_was_recovered(data: Path, tmp_path: Path) -> None:
    premises = Premises(data, tmp_path)
    premises.make()

    refused = Up(data).process.communicate(timeout=PATIENCE)[0]
    named = premises.recover()
    recovered = premises.recover("--receipts", str(tmp_path))

    assert "rolled-back" in refused
    assert (named.returncode, recovered.returncode) == (2, 0), named.stdout + named.stderr + recovered.stderr
    assert str(premises.ids[ZENITH]) in named.stdout
    assert str(premises.ids[ACME]) not in named.stdout
    assert "envelopes registered again" in recovered.stdout
    assert "accusé" in recovered.stdout
    serving = Up(data)
    assert httpx2.get(f"{serving.url()}/readyz", trust_env=False).status_code == 200
    beside = premises.recover()
    assert (beside.returncode, "in use by a bidvault" in beside.stdout) == (3, True)
    serving.stop()


def _let_go(works: Works) -> None:
    """Close what a process of its own would leave to its end."""
    for engine in (works.engine, works.gate.engine):
        engine.dispose()
    assert isinstance(works.store, S3ObjectStore)
    assert isinstance(works.key_store, S3KeyStore)
    works.store._client.close()
    works.key_store._client.close()
    line = works.authorities._line
    assert isinstance(line, HttpLine)
    line.close()


def _settings(vault: RunningVault) -> Settings:
    os.environ.update(vault.environment)
    try:
        return Settings.model_validate({})
    finally:
        for name in vault.environment:
            os.environ.pop(name, None)


def _addresses(vault: RunningVault) -> Addresses:
    stack = vault._stack
    return stack.addresses(database=stack.create_database(), pair=DEFAULT_PAIR)


def _world(addresses: Addresses, works: Works) -> World:
    """The people of a world, on a vault whose time is real."""
    world = World(addresses)
    world.time.clock.now = datetime.now(UTC)
    world.clock = SystemClock()  # type: ignore[assignment]  # a clock that nobody moves
    world.works = works
    return world
