# SPDX-License-Identifier: EUPL-1.2
"""Closing a box in a week in which a hundred thousand rows of other boxes lie: hidden rows are tried, not known."""

import time
from datetime import UTC, datetime, timedelta

from sqlmodel import select

from bench import processes
from bench.client import write_document
from bench.filling import Fill, fill
from bench.measures import Measure, alone
from bench.stage import LOT, Stage, publish
from bench.uploads import deposit
from vault import closing
from vault.errors import TimeUnproven
from vault.models import BoxRow
from vault.sequencer import publish as publish_journal

ROWS = 100_000
REAL_FACTS = 4 * 1024  # bytes: as long as those of a judged envelope
LEAST = timedelta(seconds=20)
PATIENCE = 120.0  # seconds for the authorities to prove the moment


def measure(stage: Stage) -> list[Measure]:
    """Seconds from the moment when the box may close to its closing."""
    deadline = datetime.now(UTC) + LEAST
    crowded = publish(stage, deadline=deadline)
    deposit(crowded, write_document(stage.home / "crowd.bin", 10_000))
    publish_journal(stage.works)
    with stage.works.look() as work:
        box = work.session.exec(select(BoxRow).where(BoxRow.procedure_id == crowded.procedure)).one()
    fill(stage, Fill(envelopes=ROWS, entries=2 * ROWS, week=deadline, facts=REAL_FACTS))
    time.sleep(max((box.due_at - datetime.now(UTC)).total_seconds() + 1.5, 0))
    assert box.id is not None
    before, began = processes.cpu_seconds(), time.perf_counter()
    _close(stage, box.id)
    seconds, after = time.perf_counter() - began, processes.cpu_seconds()
    rows = f"{ROWS:,}".replace(",", " ")
    return [
        alone(f"closing a box of lot {LOT} in a week with {rows} rows of other boxes", seconds, "s"),
        alone("CPU of the database meanwhile", after["database"] - before["database"], "s"),
    ]


def _close(stage: Stage, box: int) -> None:
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            closing.close(stage.works, box)
        except TimeUnproven:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)
        else:
            return
