# SPDX-License-Identifier: EUPL-1.2
"""Jobs: rows written in the transaction of the fact they follow.

Rules
  1. A job exists if and only if its fact was committed.
  2. No job exists per deposit, and none names a box before its deadline (protocol 4.12).
  3. The same job waits at most once: queueing it again changes nothing.

Left to others: what the jobs do (api.worker), running them (Procrastinate).
"""

import json

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from vault.work import Work

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW("
    "CAST(:queue AS varchar), CAST(:task AS varchar), 0, CAST(:lock AS text), CAST(:lock AS text), "
    "CAST(:args AS jsonb), NULL)]::procrastinate_job_to_defer_v1[])"
)


def queue(work: Work, task: str, subject: str, *, queue_name: str = "acts") -> None:
    """Queue `task(subject)` once; jobs of one subject run one after the other."""
    lock = f"{task}:{subject}"
    arguments = {"queue": queue_name, "task": task, "lock": lock, "args": json.dumps({"subject": subject})}
    try:
        with work.session.begin_nested():
            work.session.execute(_DEFER, arguments)
    except IntegrityError:
        return  # the same job waits already
