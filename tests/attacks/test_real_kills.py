# SPDX-License-Identifier: EUPL-1.2
"""T41, T42 with real processes: API and worker of a running vault get SIGKILL at a durable write and come back."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.auth import ISSUER, Actor, Role
from api.cli.custodian import commands as custodian_command
from api.cli.remote import Vault, VaultRefused
from api.client import DepositClient, Proved
from api.order import Order, Source
from bench import stage as staging
from bench.stage import CUSTODIAN, LOT, SIRET, Stage
from crypto.policy import Part, person_id
from tests import figures
from tests.checks import check_everything
from tests.faults.processes import Stricken, Write, wait_until
from tests.world.world import ACME, ZENITH

BIDDERS = (ACME, ZENITH)
DEPOSITING = (
    Write("D2", "api", "attempt"),
    Write("D5", "api", "envelope"),
)
CLOSING = (
    Write("C2", "worker", "closing"),
    Write("C4", "worker", "gate.closed"),
    Write("C4", "worker", "closing", "UPDATE OF is_accepted"),
)
OPENING = (
    Write("O3", "worker", "contribution", "UPDATE OF state"),
    Write("O4", "worker", "gate.released"),
    Write("O6", "worker", "opening", "UPDATE OF keyed"),
    Write("O7", "worker", "document"),
    Write("O8", "worker", "opening", "UPDATE OF minutes"),
)


@pytest.fixture
def staged() -> Iterator[Stage]:
    """A whole vault with one published procedure; what it puts into the environment is taken out again."""
    before = dict(os.environ)
    try:
        with staging.staged() as stage:
            yield stage
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def stricken(staged: Stage) -> Iterator[Stricken]:
    stricken = Stricken(staged.vault)
    yield stricken
    stricken.close()


def _order(stage: Stage, bidder: str, folder: Path) -> Order:
    document = folder / f"{bidder[-5:]}.txt"
    document.write_bytes(os.urandom(100_000))
    return Order(stage.procedure, LOT, Part.TECHNICAL, bidder, (Source.read(document, document.name),))


def _deposit_killed_at(stage: Stage, stricken: Stricken, order: Order, write: Write) -> Proved:
    """The depositor's client sends, its server dies, and the client goes on by itself."""
    with (
        DepositClient(stage.vault.url, stage.platform, attempts=60, patience=timedelta(minutes=3)) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        sending: list[Future[object]] = []
        stricken.kill_at(write, lambda: sending.append(pool.submit(client.deposit, order)))
        (sent,) = sending
        given, again = sent.result(timeout=200), client.deposit(order)
    assert isinstance(given, Proved)
    assert isinstance(again, Proved)
    assert given.note == again.note, "a repeat gave another receipt"
    return given


@pytest.mark.timeout(600)
@pytest.mark.proves("T41", "DEP-07")
def test_attack_T41_the_api_killed_while_it_receives_comes_back_and_gives_one_receipt(
    staged: Stage, stricken: Stricken, tmp_path: Path
) -> None:
    for bidder, write in zip(BIDDERS, DEPOSITING, strict=True):
        _deposit_killed_at(staged, stricken, _order(staged, bidder, tmp_path), write)

    check_everything(staged.works)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.proves("T41", "T42", "OPEN-05")
def test_attack_T42_the_worker_killed_through_closing_and_opening_opens_each_envelope_once(
    staged: Stage, stricken: Stricken, tmp_path: Path
) -> None:
    stage = staging.publish(staged, deadline=datetime.now(UTC) + timedelta(seconds=60))
    for bidder, write in zip(BIDDERS, DEPOSITING, strict=True):
        _deposit_killed_at(stage, stricken, _order(stage, bidder, tmp_path), write)
    waited = [stricken.kill_at(write) for write in CLOSING]
    opening_id = _offered(stage)
    _contribute(stage, opening_id)
    waited += [stricken.kill_at(write) for write in OPENING]
    _until_minuted(stage, opening_id)

    check_everything(stage.works)
    figures.record("SIGKILL of API and worker at durable writes of one procedure", 2 + len(waited), "kills")
    figures.record("longest until a killed worker's act went on", max(waited[1:]), "s")


def _buyer(stage: Stage) -> Vault:
    return Vault(stage.vault.url, staging.token(stage.works, Actor("bench.buyer", Role.BUYER, organisation=SIRET)))


def _offered(stage: Stage) -> str:
    """The buyer asks until the box is closed."""
    given: list[str] = []

    def offer() -> bool:
        try:
            answer = _buyer(stage).post_json(f"/v1/procedures/{stage.procedure}/openings", {"boxes": [1]})
        except VaultRefused:
            return False
        given.append(str(json.loads(answer)["id"]))
        return True

    wait_until("the box is closed", offer, every=1.0)
    return given[0]


def _contribute(stage: Stage, opening_id: str) -> None:
    token = stage.home / "custodian.token"
    custodian = Actor(CUSTODIAN, Role.CUSTODIAN, person=person_id(ISSUER, CUSTODIAN))
    token.write_text(staging.token(stage.works, custodian) + "\n", encoding="ascii")
    with custodian_command.people.capture():
        custodian_command.contribute(
            key=stage.home / "bench-custodian.key",
            opening=opening_id,
            url=stage.vault.url,
            token_file=token,
            passphrase_file=stage.home / "passphrase",
        )


def _until_minuted(stage: Stage, opening_id: str) -> None:
    def is_minuted() -> bool:
        return bool(json.loads(_buyer(stage).get(f"/v1/openings/{opening_id}"))["state"] == "minuted")

    wait_until("the opening is minuted", is_minuted, every=1.0)
