# SPDX-License-Identifier: EUPL-1.2
"""API and worker are killed under load, as kill -9 does: nothing acknowledged is lost, and five senders are one.

A real vault, as `bidvault up` runs it; platforms deposit over HTTP and send again until they have their receipt.
"""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from api.client import Order
from bench.stage import Stage, staged
from crypto.statement import Kind, parse_note
from tests.checks import check_everything
from tests.figures import record
from tests.power.platform import Platforms, write_document
from vault import sequencer, sweep
from vault.errors import DevelopmentOnly

SIZE = 1024 * 1024
BETWEEN_KILLS = 4  # deposits
VICTIMS = (("api",), ("worker",), ("api", "worker"))
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A vault with a published procedure; at the end, with nobody at work, everything stored agrees."""
    before = dict(os.environ)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DevelopmentOnly)
            with staged() as stage:
                stage.vault.most_restarts = 1000
                yield stage
                _kill("api", "worker")
                sweep.received(stage.works)
                sequencer.publish(stage.works)
                check_everything(stage.works)
                stage.works.gate.engine.dispose()
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def platforms(stage: Stage, tmp_path: Path) -> Platforms:
    return Platforms(stage, write_document(tmp_path, size=SIZE))


@pytest.mark.proves("T41", "DEP-08", "ACK-01", "OPS-03")
@pytest.mark.parametrize("kills", [pytest.param(1), pytest.param(10, marks=pytest.mark.long)])
def test_attack_T41_kills_of_api_and_worker_under_load_lose_nothing_acknowledged(
    platforms: Platforms, kills: int
) -> None:
    platforms.begin()
    for number in range(kills):
        platforms.wait_for(BETWEEN_KILLS)
        _kill(*VICTIMS[number % len(VICTIMS)])
        platforms.stage.vault.watch()
    platforms.wait_for(BETWEEN_KILLS)
    acknowledged = platforms.end()

    lost = [order.envelope_id for order, note in acknowledged if not _is_kept(platforms, order, note)]

    record("kill -9 of API and worker under load: kills", kills)
    record("kill -9 of API and worker under load: acknowledged", len(acknowledged))
    record("kill -9 of API and worker under load: lost", len(lost))
    assert lost == []


@pytest.mark.proves("T44", "DEP-07")
def test_attack_T44_five_identical_deposits_through_http_at_once_get_one_receipt(platforms: Platforms) -> None:
    order = platforms.order()

    with ThreadPoolExecutor(5) as pool:
        notes = list(pool.map(platforms.send, [order] * 5))

    assert len(set(notes)) == 1
    assert parse_note(notes[0], Kind.RECEIPT).kind is Kind.RECEIPT
    assert platforms.held(order) == notes[0]


def _is_kept(platforms: Platforms, order: Order, note: bytes) -> bool:
    """Whether the vault gives out the same receipt again; a notice is kept where a receipt followed."""
    held = platforms.held(order)
    return held == note or (held is not None and b"registration" in note)


def _kill(*names: str) -> None:
    """End serving processes of ours without asking them."""
    found = [one for one in psutil.Process().children(recursive=True) if _serves(one) in names]
    assert found
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found)


def _serves(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return ""
    return words[-1] if "deploy.serve" in words else ""
