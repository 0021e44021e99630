# SPDX-License-Identifier: EUPL-1.2
"""What the machine is, and whether it is ours: two SHA-256 processes must do 1.6 times the work of one.

Rules
  1. A machine that fails the gate, before a run or after it, gives figures that are shown and never recorded.
"""

import os
import platform
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

ENOUGH = 1.6
BLOCK = bytes(1024 * 1024)
SECONDS = 1.5
MB = 1000 * 1000


@dataclass(frozen=True, slots=True)
class Gate:
    """How fast SHA-256 runs, MB/s, in one process and in two together."""

    one: float
    two: float

    @property
    def ratio(self) -> float:
        """Two beside one."""
        return self.two / self.one

    @property
    def is_open(self) -> bool:
        """Whether a run on this machine may be recorded."""
        return self.ratio >= ENOUGH


def gate() -> Gate:
    """Try the machine, for about five seconds."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_digest_for, [0.1, 0.1]))  # both have started
        one = pool.submit(_digest_for, SECONDS).result()
        two = sum(pool.map(_digest_for, [SECONDS, SECONDS]))
    return Gate(one, two)


def described() -> str:
    """Cores, processor, system, and how busy the last minute was."""
    cores = len(os.sched_getaffinity(0))
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    model = found[1] if found else platform.machine()
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{cores} cores ({model}), {system}, Python {platform.python_version()}"


def load() -> float:
    """Processes that ran or waited, over the last minute."""
    return os.getloadavg()[0]


def _digest_for(seconds: float) -> float:
    digest, blocks, began = sha256(), 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        digest.update(BLOCK)
        blocks += 1
    return blocks * len(BLOCK) / MB / max(spent, 1e-9)
