# SPDX-License-Identifier: EUPL-1.2
"""Small deposits from several clients at once: beside what the time authority can do, and, with one that answers in a
millisecond, beside what store and database ask of anybody.

Rules
  1. Each deposit has a bidder, an id and a token of its own; nothing is shared but the connection.
  2. A peer has as many clients, and takes turns with the deposits.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from statistics import median, quantiles
from typing import Self

import psycopg

from api.client import Source
from bench import processes
from bench.client import BenchFailed, depositor, write_document
from bench.measures import ROOT, Measure, alone
from bench.stage import BUCKET, Stage
from crypto.timestamp import build_request
from deploy.embedded.child import Child, Launch
from deploy.embedded.directory import free_port
from vault.authorities import QUERY_TYPE, HttpLine
from vault.errors import AuthorityUnavailable
from vault.settings import Authority
from vault.store.barrier import DiskBarrier

CLIENTS = 8
SIZE = 10 * 1000
SEALED = 16 * 1000  # bytes: header, padding and both layers of such an envelope
WRAP = 60  # bytes: a wrapped key
ROW = 2500  # bytes: what one of our transactions writes
GOAL, FAST_GOAL = 0.7, 0.6
PATIENCE = timedelta(seconds=30)
START_PATIENCE = 60.0  # seconds

Client = Callable[[int], list[float]]  # how many acts; the seconds of each


@dataclass(frozen=True)
class Taken:
    """What deposits and their peer did in turns."""

    rates: tuple[tuple[float, float], ...]  # ours, the peer's
    waits: tuple[float, ...]
    used: Mapping[str, float]  # CPU milliseconds of one deposit, by part

    def row(self, name: str, peer: str, goal: float) -> Measure:
        """The rates."""
        own, its = (median(rate[which] for rate in self.rates) for which in (0, 1))
        ratio = median(mine / other for mine, other in self.rates)
        return Measure(name, round(own, 1), "/s", peer, round(its, 1), round(ratio, 3), goal)

    def waiting(self, what: str) -> list[Measure]:
        """How long one takes."""
        parts = quantiles(self.waits, n=100)
        return [
            alone(f"{what} to its receipt, half are faster", parts[49] * 1000, "ms"),
            alone(f"{what} to its receipt, 99 of 100 are faster", parts[98] * 1000, "ms"),
        ]


def measure(stage: Stage, *, deposits: int, turns: int) -> list[Measure]:
    """Rates, and how long one deposit takes."""
    source = write_document(stage.home / "small.bin", SIZE)
    each = max(deposits // (CLIENTS * turns), 1)
    plain = take_turns(
        partial(deposit_some, stage, source, stage.vault.url), partial(_stamp, stage), each=each, turns=turns
    )
    with fast_api(stage) as url, _Bare(stage) as bare:
        fast = take_turns(partial(deposit_some, stage, source, url), bare.act, each=each, turns=turns)
    name = f"deposits of 10 KB, {CLIENTS} clients"
    quick = f"{name}, with a time authority that answers in a millisecond"
    return [
        plain.row(name, "tokens of one test authority", GOAL),
        *plain.waiting("one of them"),
        *_cpu(plain, "one of them"),
        fast.row(quick, "two boto3 PUTs, a flush, two commits", FAST_GOAL),
        *fast.waiting("one with the quick authority"),
        *_cpu(fast, "one with the quick authority"),
    ]


def take_turns(own: Client, peer: Client, *, each: int, turns: int) -> Taken:
    """Deposits and their peer, in turns, after one of each that does not count."""
    together(own, 1)
    together(peer, 1)
    rates: list[tuple[float, float]] = []
    waits: list[float] = []
    used: dict[str, float] = {}
    for _turn in range(turns):
        other, _ = together(peer, each)
        before = processes.cpu_seconds()
        mine, seconds = together(own, each)
        used = {part: used.get(part, 0.0) + spent - before[part] for part, spent in processes.cpu_seconds().items()}
        rates.append((mine, other))
        waits += seconds
    millis = {part: spent * 1000 / len(waits) for part, spent in used.items()}
    return Taken(tuple(rates), tuple(waits), millis)


def together(client: Client, each: int) -> tuple[float, list[float]]:
    """All clients at once: acts per second, and the seconds of each act."""
    with ThreadPoolExecutor(CLIENTS) as threads:
        began = time.perf_counter()
        taken = [one for ones in threads.map(client, [each] * CLIENTS) for one in ones]
        return len(taken) / (time.perf_counter() - began), taken


def new_bidder() -> str:
    """One that nobody has deposited for yet."""
    return f"other:{os.urandom(8).hex()}"


@contextmanager
def fast_api(stage: Stage) -> Iterator[str]:
    """One more API process of the same vault, which asks an authority that answers at once."""
    port, tsa = free_port(), free_port()
    first = stage.works.settings.authorities[0]
    quick = [Authority(name=first.name, url=f"http://127.0.0.1:{tsa}/", anchor=first.anchor)]
    others = stage.works.settings.authorities[1:]
    told = ", ".join(one.model_dump_json() for one in (*quick, *others))
    own = {"BIDVAULT_PORT": str(port), "BIDVAULT_AUTHORITIES": f"[{told}]"}
    with ExitStack() as stack:
        command = ["bench.fast_authority", "--port", str(tsa), "--like", first.url, "--key", "tsa-a"]
        authority = _child(stage, "the quick authority", command, {})
        stack.callback(authority.stop)
        api = _child(stage, "a second API", ["deploy.serve", "api"], own)
        stack.callback(api.stop)
        _await(lambda: _asked(f"http://127.0.0.1:{tsa}/"), authority)
        _await(lambda: _is_up(port), api)
        yield f"http://127.0.0.1:{port}"


def deposit_some(stage: Stage, source: Source, url: str, count: int) -> list[float]:
    """Some deposits over one connection: the seconds of each."""
    with depositor(stage, url) as client:
        return [_timed(lambda: client.deposit(source, bidder=new_bidder())) for _ in range(count)]


def _stamp(stage: Stage, count: int) -> list[float]:
    address = stage.works.settings.authorities[0].url
    with HttpLine() as line:
        return [_timed(lambda: _ask(line, address)) for _ in range(count)]


def _ask(line: HttpLine, address: str) -> None:
    line.exchange(address, build_request(os.urandom(32)).der, media_type=QUERY_TYPE, patience=PATIENCE)


class _Bare:
    """What store and database do for a deposit, without us: two objects, one flush, two commits."""

    def __init__(self, stage: Stage) -> None:
        self._store = stage.store(is_signed=False)
        embedded = stage.works.settings.embedded_store
        if embedded is None:
            raise BenchFailed("the bench flushes the embedded store")
        self._barrier = DiskBarrier(embedded)
        self._database = stage.vault.owner_url.replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(self._database, autocommit=True) as line:
            line.execute("CREATE TABLE IF NOT EXISTS bench_commit (id uuid PRIMARY KEY, facts bytea NOT NULL)")

    def act(self, count: int) -> list[float]:
        """Some of them, on one connection."""
        with psycopg.connect(self._database, autocommit=True) as line:
            return [_timed(lambda: self._once(line)) for _ in range(count)]

    def _once(self, line: psycopg.Connection) -> None:
        name = os.urandom(16).hex()
        self._store.put_object(Bucket=BUCKET, Key=f"k/{name}", Body=os.urandom(WRAP))
        self._commit(line)
        self._store.put_object(Bucket=BUCKET, Key=f"o/{name}", Body=os.urandom(SEALED))
        self._barrier.wait()
        self._commit(line)

    @staticmethod
    def _commit(line: psycopg.Connection) -> None:
        line.execute("INSERT INTO bench_commit VALUES (gen_random_uuid(), %s)", (os.urandom(ROW),))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._barrier.close()
        with psycopg.connect(self._database, autocommit=True) as line:
            line.execute("DROP TABLE bench_commit")


def _cpu(taken: Taken, what: str) -> list[Measure]:
    rows = [alone(f"CPU of the {part} for {what}", millis, "ms") for part, millis in taken.used.items()]
    return [*rows, alone(f"CPU of all of them for {what}", sum(taken.used.values()), "ms")]


def _child(stage: Stage, name: str, command: list[str], own: Mapping[str, str]) -> Child:
    environment = {**stage.vault.environment, **own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TZ": "UTC"}
    log = stage.home / f"{name.replace(' ', '-')}.log"
    launch = Launch(name, [sys.executable, "-m", *command], log=log, directory=stage.home, environment=environment)
    return Child(launch)


def _await(is_there: Callable[[], bool], child: Child) -> None:
    give_up = time.monotonic() + START_PATIENCE
    while not is_there():
        child.require_running()
        if time.monotonic() > give_up:
            raise BenchFailed(f"{child.launch.name} does not answer")
        time.sleep(0.1)


def _asked(address: str) -> bool:
    try:
        with HttpLine() as line:
            _ask(line, address)
    except AuthorityUnavailable:
        return False
    return True


def _is_up(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200  # noqa: PLR2004
    except OSError:
        return False
    finally:
        connection.close()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
