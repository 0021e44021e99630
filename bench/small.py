# SPDX-License-Identifier: EUPL-1.2
"""Small deposits from several clients at once, beside what the time authority itself can do.

Rules
  1. Each deposit has a bidder, an id and a token of its own; nothing is shared but the connection.
  2. The authority is asked for its rate with the same number of clients, in turns with the deposits.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median, quantiles

from api.client import Source
from bench import processes
from bench.client import depositor, write_document
from bench.measures import Measure, alone
from bench.stage import Stage
from crypto.timestamp import build_request
from vault.authorities import QUERY_TYPE, HttpLine

CLIENTS = 8
SIZE = 10 * 1000
GOAL = 0.7
PATIENCE = timedelta(seconds=30)

Client = Callable[[int], list[float]]  # how many acts; the seconds of each


def measure(stage: Stage, *, deposits: int, turns: int) -> list[Measure]:
    """Rates, and how long one deposit takes."""
    source = write_document(stage.home / "small.bin", SIZE)
    each = max(deposits // (CLIENTS * turns), 1)
    rates: list[tuple[float, float]] = []
    waits: list[float] = []
    _together(lambda count: _deposit(stage, source, count), 1)
    used: dict[str, float] = {}
    for _turn in range(turns):
        asked, _ = _together(lambda count: _stamp(stage, count), each)
        before = processes.cpu_seconds()
        taken, seconds = _together(lambda count: _deposit(stage, source, count), each)
        used = {part: used.get(part, 0.0) + spent - before[part] for part, spent in processes.cpu_seconds().items()}
        rates.append((taken, asked))
        waits += seconds
    parts = quantiles(waits, n=100)
    ratio = median(taken / asked for taken, asked in rates)
    own, peer = (median(rate[which] for rate in rates) for which in (0, 1))
    name = f"deposits of 10 KB, {CLIENTS} clients"
    return [
        Measure(name, round(own, 1), "/s", "tokens of one test authority", round(peer, 1), round(ratio, 3), GOAL),
        alone("one of them to its receipt, half are faster", parts[49] * 1000, "ms"),
        alone("one of them to its receipt, 99 of 100 are faster", parts[98] * 1000, "ms"),
        *(alone(f"CPU of the {part} for one of them", spent * 1000 / len(waits), "ms") for part, spent in used.items()),
    ]


def _together(client: Client, each: int) -> tuple[float, list[float]]:
    """All clients at once: acts per second, and the seconds of each act."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        began = time.perf_counter()
        taken = [one for ones in threads.map(client, [each] * CLIENTS) for one in ones]
        return len(taken) / (time.perf_counter() - began), taken


def _deposit(stage: Stage, source: Source, count: int) -> list[float]:
    with depositor(stage) as client:
        return [_timed(lambda: client.deposit(source, bidder=f"other:{os.urandom(8).hex()}")) for _ in range(count)]


def _stamp(stage: Stage, count: int) -> list[float]:
    address = stage.works.settings.authorities[0].url
    with HttpLine() as line:
        return [_timed(lambda: _ask(line, address)) for _ in range(count)]


def _ask(line: HttpLine, address: str) -> None:
    line.exchange(address, build_request(os.urandom(32)).der, media_type=QUERY_TYPE, patience=PATIENCE)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
