# SPDX-License-Identifier: EUPL-1.2
"""Processes that race: each is a replica of one vault, and all begin an act at the same moment.

Rules
  1. An act is a function of a module, given the process's world, the starting line and what it is told.
  2. The starting line lets all go at once, as often as an act wants; whoever does not come within a minute fails all.
  3. What an act raises is its result (`Refused`), so that a refusal can be expected of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import BrokenBarrierError
from typing import Protocol, cast

from tests.races.shared import Shared, SharedWorld

PATIENCE = 60  # seconds at the starting line


class Line(Protocol):
    """The starting line."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for all; BrokenBarrierError when one does not come."""
        ...

    def abort(self) -> None:
        """Let everybody fail."""
        ...

    def reset(self) -> None:
        """Begin anew."""
        ...


class Start:
    """The starting line as an act sees it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._line.wait(PATIENCE)


Act = Callable[[SharedWorld, Start, object], object]


@dataclass(frozen=True)
class Refused:
    """An act that ended by an exception: its class, and what it said."""

    error: str
    said: str


class Crew:
    """So many processes; every race is run by all of them."""

    def __init__(self, shared: Shared, *, size: int) -> None:
        """Start the processes; they live until `close`."""
        context = get_context("spawn")
        self._line = cast("Line", context.Barrier(size))
        self._ends: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._line, shared), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def race(self, acts: Sequence[tuple[Act, object]]) -> list[object]:
        """One act for each process, begun at once; their results, `Refused` where one raised.

        Raises:
            AssertionError: a process did not come to the starting line.
        """
        assert len(acts) == len(self._ends)
        for end, act in zip(self._ends, acts, strict=True):
            end.send(act)
        results = [end.recv() for end in self._ends]
        if any(isinstance(one, Refused) and one.error == BrokenBarrierError.__name__ for one in results):
            self._line.reset()
            raise AssertionError(results)
        return results

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.send(None)
            end.close()
        for process in self._processes:
            process.join()


def serve(end: Connection, line: Line, shared: Shared) -> None:
    """One process: take acts until there are none."""
    world = SharedWorld(shared)
    try:
        while (wanted := end.recv()) is not None:
            act, told = wanted
            try:
                end.send(act(world, Start(line), told))
            except Exception as error:  # noqa: BLE001 - the test judges it
                end.send(Refused(type(error).__name__, str(error)))
    finally:
        world.close()


def by_round(results: list[object]) -> list[list[object]]:
    """All results of each round, of all processes."""
    assert not any(isinstance(one, Refused) for one in results), results
    raced = [one for one in results if isinstance(one, list)]
    return [[given for process in rounds for given in process] for rounds in zip(*raced, strict=True)]
