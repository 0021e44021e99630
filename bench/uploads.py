# SPDX-License-Identifier: EUPL-1.2
"""A large upload through the API, sealed, beside others sending the same file to the same store.

Rules
  1. Peers and vault take turns in one run; a pair's ratio is of neighbours in time. Medians are shown, and the worst
     and best pair with them.
  2. Before each turn everything is on the disk: the vault's flush shall not pay for the peer's pages, which nobody
     flushes inside its own time.
  3. CPU seconds are counted per process over the turn.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from api.client import Source
from bench import processes
from bench.client import depositor, write_document
from bench.measures import Measure, alone, less_is_better
from bench.peers import AGE, DEFAULT, FASTEST, RCLONE, Peers
from bench.stage import Stage

MIB = 1024 * 1024
GIB = 1024 * MIB
WARM_UP = 64 * MIB
GOALS = {FASTEST: 0.65, DEFAULT: 0.9, RCLONE: 0.9, AGE: 0.9}
GROWTH = 80.0  # MB that the API may take over its idle size during one upload
BIDDER = "other:bench"


@dataclass(frozen=True)
class Turn:
    """One upload: how long, and what each process used."""

    seconds: float
    cpu: Mapping[str, float]


@dataclass(frozen=True)
class Pairs:
    """One peer's turns, each with the sealed upload beside it."""

    peer: list[Turn] = field(default_factory=list)
    sealed: list[Turn] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Of each pair: more is better."""
        return [peer.seconds / own.seconds for own, peer in zip(self.sealed, self.peer, strict=True)]


def measure(stage: Stage, *, size: int, pairs: int, is_long: bool = False) -> list[Measure]:
    """All figures of large uploads."""
    first = write_document(stage.home / "first.bin", MIB)
    deposit(stage, first)  # what is loaded with the first deposit is no upload's
    idle = processes.api_memory()
    deposit(stage, write_document(stage.home / "warm-up.bin", WARM_UP))
    whole = write_document(stage.home / "whole.bin", size)
    taken, absent = _take_turns(stage, whole, pairs=pairs)
    sizes = (size // 4, size, 4 * size, 10 * size) if is_long else (size // 4, size, 4 * size)
    memory = [_memory(stage, size=one, idle=idle) for one in sizes]
    return [*_speeds(taken, size), *absent, *memory, *_cpu(taken, size)]


def deposit(stage: Stage, source: Source) -> None:
    """One deposit over a connection of its own."""
    with depositor(stage) as client:
        client.deposit(source, bidder=BIDDER)


def turn(act: Callable[[], object]) -> Turn:
    """Do something once, with everything on the disk before it."""
    os.sync()
    before, began = processes.cpu_seconds(), time.perf_counter()
    act()
    seconds, after = time.perf_counter() - began, processes.cpu_seconds()
    return Turn(seconds, {part: after[part] - before[part] for part in before})


def words(size: int) -> str:
    """A size for people."""
    return f"{size // GIB} GiB" if size % GIB == 0 else f"{size // MIB} MiB"


def _take_turns(stage: Stage, source: Source, *, pairs: int) -> tuple[dict[str, Pairs], list[Measure]]:
    """Each sealed upload stands between two peers and is the neighbour of both."""
    peers = Peers(stage, source.file)
    acts = peers.acts()
    here = {name: act for name, act in acts.items() if act is not None}
    absent = [alone(f"{name}: not installed here, not measured", 0.0, "MB/s") for name in acts if name not in here]
    taken = {name: Pairs() for name in here}
    names = list(here)
    for _pair in range(pairs):
        for couple in (names[at : at + 2] for at in range(0, len(names), 2)):
            before = turn(here[couple[0]])
            own = turn(lambda: deposit(stage, source))
            turns = [before, *(turn(here[name]) for name in couple[1:])]
            for name, its in zip(couple, turns, strict=True):
                taken[name].peer.append(its)
                taken[name].sealed.append(own)
            peers.clean()
    return taken, absent


def _memory(stage: Stage, *, size: int, idle: float) -> Measure:
    path = stage.home / "memory.bin"
    source = write_document(path, size)
    with processes.watched_memory() as memory:
        deposit(stage, source)
    path.unlink()
    name = f"memory of the API during an upload of {words(size)}, over its {idle:.0f} MB at rest"
    return less_is_better(name, memory.peak - idle, "MB", peer=("set limit", GROWTH), goal=1.0)


def _speeds(taken: Mapping[str, Pairs], size: int) -> list[Measure]:
    def rate(of: Sequence[Turn]) -> float:
        return round(median(size / 1e6 / one.seconds for one in of), 1)

    rows: list[Measure] = []
    name = f"sealed upload of {words(size)} to receipt"
    for peer, pairs in taken.items():
        ratio = round(median(pairs.ratios), 3)
        rows.append(Measure(name, rate(pairs.sealed), "MB/s", peer, rate(pairs.peer), ratio, GOALS[peer]))
        short = peer.split(",", maxsplit=1)[0] if peer is not DEFAULT else "boto3 as it comes"
        rows.append(alone(f"worst pair of them beside {short}", min(pairs.ratios), "ratio"))
        rows.append(alone(f"best pair of them beside {short}", max(pairs.ratios), "ratio"))
    sealed = [one for pairs in taken.values() for one in pairs.sealed]
    rows.append(alone("seconds from the first byte to the receipt", median(one.seconds for one in sealed), "s"))
    return rows


def _cpu(taken: Mapping[str, Pairs], size: int) -> list[Measure]:
    """CPU seconds per GiB, where they are worth a line."""

    def spent(of: Sequence[Turn], part: str) -> float:
        return median(one.cpu[part] for one in of) * GIB / size

    sealed, plain = taken[FASTEST].sealed, taken[FASTEST].peer
    others = [part for part in sealed[0].cpu if part not in ("store", processes.CLIENT)]
    return [
        *(alone(f"CPU of the {part} for one sealed GiB", spent(sealed, part), "s/GiB") for part in others),
        *(
            less_is_better(
                f"CPU of the {part} for one sealed GiB",
                spent(sealed, part),
                "s/GiB",
                peer=("the same for boto3", spent(plain, part)),
            )
            for part in ("store", processes.CLIENT)
        ),
    ]
