# SPDX-License-Identifier: EUPL-1.2
"""A large upload through the API, sealed, beside boto3 alone sending the same bytes unencrypted to the same store.

Rules
  1. Peer and vault take turns in one run; a pair's ratio is of neighbours in time. Medians are published, and the worst
     and best pair with them.
  2. Before each turn everything is on the disk: the vault's flush shall not pay for the peer's pages, which nobody
     flushes inside its own time.
  3. CPU seconds are counted per process over the turn.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from boto3.s3.transfer import TransferConfig

from api.client import Source
from bench import processes
from bench.client import depositor, write_document
from bench.measures import Measure, alone, less_is_better
from bench.stage import BUCKET, Stage

MIB = 1024 * 1024
GIB = 1024 * MIB
WARM_UP = 64 * MIB
FASTEST = "boto3, 8 MiB × 4 threads, unsigned"
DEFAULT = "boto3 as it comes, 10 threads, signed"
GROWTH = 80.0  # MB that the API may take over its idle size during one upload
BIDDER = "other:bench"


@dataclass(frozen=True)
class Turn:
    """One upload: how long, and what each process used."""

    seconds: float
    cpu: Mapping[str, float]


@dataclass(frozen=True)
class Turns:
    """What took turns, in the order it ran."""

    sealed: tuple[Turn, ...]
    fastest: tuple[Turn, ...]
    default: tuple[Turn, ...]

    def ratios(self, peers: Sequence[Turn]) -> list[float]:
        """Of each pair: more is better."""
        return [peer.seconds / own.seconds for own, peer in zip(self.sealed, peers, strict=True)]


def measure(stage: Stage, *, size: int, pairs: int) -> list[Measure]:
    """All figures of large uploads."""
    _deposit(
        stage, write_document(stage.home / "first.bin", MIB)
    )  # what is loaded with the first deposit is no upload's
    idle = processes.api_memory()
    _deposit(stage, write_document(stage.home / "warm-up.bin", WARM_UP))
    quarter, whole = (write_document(stage.home / f"{one}.bin", one) for one in (size // 4, size))
    memory = [_memory(stage, source, idle) for source in (quarter, whole)]
    turns = _take_turns(stage, whole, pairs=pairs)
    return [*_speeds(turns, size), *memory, *_cpu(turns, size)]


def _take_turns(stage: Stage, source: Source, *, pairs: int) -> Turns:
    fast, plain = stage.store(is_signed=False), stage.store(is_signed=True)
    four = TransferConfig(
        multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4, preferred_transfer_client="classic"
    )
    as_it_comes = TransferConfig(preferred_transfer_client="classic")

    def fastest() -> None:
        fast.upload_file(str(source.file), BUCKET, "fastest", Config=four)

    def default() -> None:
        plain.upload_file(str(source.file), BUCKET, "default", Config=as_it_comes)

    taken: tuple[list[Turn], list[Turn], list[Turn]] = ([], [], [])
    for _pair in range(pairs):
        taken[1].append(_turn(fastest))
        taken[0].append(_turn(lambda: _deposit(stage, source)))
        taken[2].append(_turn(default))
        for name in ("fastest", "default"):
            fast.delete_object(Bucket=BUCKET, Key=name)
    return Turns(tuple(taken[0]), tuple(taken[1]), tuple(taken[2]))


def _turn(act: Callable[[], object]) -> Turn:
    os.sync()
    before, began = processes.cpu_seconds(), time.perf_counter()
    act()
    seconds, after = time.perf_counter() - began, processes.cpu_seconds()
    return Turn(seconds, {part: after[part] - before[part] for part in before})


def _deposit(stage: Stage, source: Source) -> None:
    with depositor(stage) as client:
        client.deposit(source, bidder=BIDDER)


def _memory(stage: Stage, source: Source, idle: float) -> Measure:
    with processes.watched_memory() as memory:
        _deposit(stage, source)
    size = _words(source.document.size)
    name = f"memory of the API during an upload of {size}, over its {idle:.0f} MB at rest"
    return less_is_better(name, memory.peak - idle, "MB", peer=("set limit", GROWTH), goal=1.0)


def _speeds(turns: Turns, size: int) -> list[Measure]:
    def rate(of: Sequence[Turn]) -> float:
        return median(size / 1e6 / turn.seconds for turn in of)

    rows: list[Measure] = []
    for peer, short, taken, goal in (
        (FASTEST, "boto3's fastest form", turns.fastest, 0.65),
        (DEFAULT, "boto3's default", turns.default, 0.9),
    ):
        ratios = turns.ratios(taken)
        name = f"sealed upload of {_words(size)} to receipt"
        row = Measure(
            name, round(rate(turns.sealed), 1), "MB/s", peer, round(rate(taken), 1), round(median(ratios), 3), goal
        )
        rows.append(row)
        rows.append(alone(f"worst pair of them beside {short}", min(ratios), "ratio"))
        rows.append(alone(f"best pair of them beside {short}", max(ratios), "ratio"))
    rows.append(alone("seconds from the first byte to the receipt", median(one.seconds for one in turns.sealed), "s"))
    return rows


def _cpu(turns: Turns, size: int) -> list[Measure]:
    """CPU seconds per GiB, where they are worth a line."""

    def spent(of: Sequence[Turn], part: str) -> float:
        return median(turn.cpu[part] for turn in of) * GIB / size

    rows = [
        less_is_better(
            f"CPU of the {part} for one sealed GiB",
            spent(turns.sealed, part),
            "s/GiB",
            peer=(f"the same for {FASTEST.split(',', maxsplit=1)[0]}", spent(turns.fastest, part)),
        )
        for part in ("store", processes.CLIENT)
    ]
    others = [part for part in turns.sealed[0].cpu if part not in ("store", processes.CLIENT)]
    return [
        *(alone(f"CPU of the {part} for one sealed GiB", spent(turns.sealed, part), "s/GiB") for part in others),
        *rows,
    ]


def _words(size: int) -> str:
    return f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"
