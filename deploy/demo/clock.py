# SPDX-License-Identifier: EUPL-1.2
"""What must fail, second: a server whose clock is a day ahead neither makes a bid late nor closes a box."""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from sqlmodel import select

from api.bootstrap import compose
from deploy.demo import cast, deposits
from deploy.demo.clock_ahead import AHEAD
from deploy.demo.errors import DemoFailed
from deploy.demo.stage import Stage
from deploy.embedded.child import Child, Launch
from deploy.embedded.directory import free_port
from deploy.up import LOOPBACK
from vault import closing
from vault.errors import DevelopmentOnly, TimeUnproven
from vault.models import BoxRow
from vault.settings import Settings
from vault.work import SandboxClock

START_PATIENCE = 60.0  # seconds


def tell(stage: Stage) -> None:
    """The replaced envelope comes through the wrong server; a worker with that clock tries to close."""
    stage.screen.chapter(
        "A clock set a day ahead",
        "Somebody sets the clock of one server to tomorrow: to shut bidders out, or to open early.",
    )
    with _server(stage) as url:
        stage.screen.told(
            "A second server of the same vault runs", f"its clock says {datetime.now(UTC) + AHEAD:%A, %H:%M}"
        )
        better = deposits.deposit(stage, cast.ARMOR_BETTER, url=url)
        stage.deposited[cast.ARMOR_FINANCIAL.name].fate = "replaced"
        stage.screen.done(
            f"{cast.ARMOR.name} hands a better price in there, which replaces its first: {better.verdict}",
            "a time authority says so; the receipt shows both times",
        )
        _show_ready(stage, url)
    _show_no_closing(stage)


@contextmanager
def _server(stage: Stage) -> Iterator[str]:
    """One more API process with a wrong clock."""
    port = free_port()
    root = Path(__file__).resolve().parents[2]
    launch = Launch(
        name="the server with the wrong clock",
        command=[sys.executable, "-m", "deploy.demo.clock_ahead"],
        log=stage.vault.directory.logs / "clock-ahead.log",
        directory=stage.vault.directory.root,
        environment={
            **stage.vault.environment,
            "BIDVAULT_PORT": str(port),
            "PYTHONPATH": str(root),
            "TZ": "UTC",
        },
    )
    url = f"http://{LOOPBACK}:{port}"
    with stage.screen.busy("Starting a second server whose clock is a day ahead"):
        child = Child(launch)
        try:
            _await(url, child)
        except BaseException:
            child.stop()
            raise
    try:
        yield url
    finally:
        child.stop(patience=45)


def _await(url: str, child: Child) -> None:
    give_up = time.monotonic() + START_PATIENCE
    while time.monotonic() < give_up:
        child.require_running()
        try:
            if httpx2.get(f"{url}/livez", timeout=2, trust_env=False).is_success:
                return
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise DemoFailed(f"{child.launch.name} does not answer; see {child.launch.log}")


def _show_ready(stage: Stage, url: str) -> None:
    """The server itself says that it is not well."""
    answer = httpx2.get(f"{url}/readyz", timeout=30, trust_env=False)
    if answer.is_success:
        raise DemoFailed("a server whose clock is a day ahead calls itself ready")
    found = json.loads(answer.content)
    stage.screen.refused("The server asks itself whether it is well", "; ".join(found["reasons"].values()))


def _show_no_closing(stage: Stage) -> None:
    """A worker with that clock believes that the deadline is long past."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DevelopmentOnly)
        works = compose(Settings.model_validate({}), clock=SandboxClock(AHEAD))
    try:
        with works.open() as work:
            boxes = list(work.session.exec(select(BoxRow.id).where(BoxRow.procedure_id == stage.procedure)))
        closing.close(works, boxes[0] or 0)
    except TimeUnproven as refusal:
        stage.screen.refused("A worker with this clock closes a box", str(refusal))
        return
    finally:
        works.engine.dispose()
    raise DemoFailed("a box was closed by a wrong clock")
