# SPDX-License-Identifier: EUPL-1.2
"""What the processes of a running vault use: CPU seconds of each, memory of the API.

Rules
  1. A process is told by its command line, among our own children only.
  2. Memory is sampled, since the kernel's own peak is of the whole life of a process.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

CLIENT = "client"
API = "API"
SAMPLE_EVERY = 0.02  # seconds
MB = 1000 * 1000
_MARKS = {
    API: "deploy.serve api",
    "worker": "deploy.serve worker",
    "time authorities": "authorit",  # the test authorities, and the bench's quick one
    "store": "weed",
    "database": "postgres",
}


def cpu_seconds() -> Mapping[str, float]:
    """CPU seconds since its start of each part, and of ourselves, the client."""
    own = psutil.Process()
    used = dict.fromkeys(_MARKS, 0.0) | {CLIENT: _cpu(own)}
    for process in own.children(recursive=True):
        if (part := _part(process)) is not None:
            used[part] += _cpu(process)
    return used


@dataclass
class Memory:
    """Of the API, in MB: the most that was seen."""

    peak: float = 0.0


def api_memory() -> float:
    """What the API takes now, MB."""
    return _resident(_api())


@contextmanager
def watched_memory() -> Iterator[Memory]:
    """Watch the API while the block runs."""
    process, memory, over = _api(), Memory(), threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_EVERY):
            memory.peak = max(memory.peak, _resident(process))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def _api() -> psutil.Process:
    (process,) = [one for one in psutil.Process().children(recursive=True) if _part(one) == API]
    return process


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss / MB)


def _part(process: psutil.Process) -> str | None:
    try:
        words = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return None
    return next((part for part, mark in _MARKS.items() if mark in words), None)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
