# SPDX-License-Identifier: EUPL-1.2
"""Counts refusals by who was refused, and says which of them become an entry in the journal.

Rules
  1. Of one caller's refusals in an hour the first `FULL` are an entry each; after that the 128th, 256th, 512th, …: a
     million knocks are 78 entries, and the last one tells the number to within a factor of two.
  2. Callers beyond `CALLERS` in an hour are counted together: memory is bounded whoever calls.
  3. An entry that could not be written is owed: the caller's next refusal is one, and tells the number.

It counts for one process; several processes write several entries. Left to others: writing them (vault.refusals).
"""

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

FULL = 64  # decision 0024
CALLERS = 1024
THE_REST = "\0"  # no caller's name


@dataclass
class _Count:
    number: int = 0
    is_owed: bool = False

    @property
    def is_due(self) -> bool:
        return self.number <= FULL or self.number.bit_count() == 1 or self.is_owed


@dataclass
class Tally:
    """The counts of the present hour. Any thread."""

    _hour: datetime | None = None
    _counts: dict[str, _Count] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count(self, who: str, *, at: datetime) -> int | None:
        """Count one refusal.

        Returns:
            None where it is no entry; 0 where it is one that speaks for itself alone; else the number of this caller's
            refusals in this hour, which the entry tells.
        """
        with self._lock:
            one = self._of(who, at.replace(minute=0, second=0, microsecond=0))
            one.number += 1
            if not one.is_due:
                return None
            is_alone = one.number <= FULL and not one.is_owed
            one.is_owed = False
            return 0 if is_alone else one.number

    def put_off(self, who: str, *, at: datetime) -> None:
        """Count one refusal whose entry cannot be written now."""
        with self._lock:
            one = self._of(who, at.replace(minute=0, second=0, microsecond=0))
            one.number += 1
            one.is_owed = True

    def owe(self, who: str, *, at: datetime) -> None:
        """The entry of the refusal counted last could not be written."""
        with self._lock:
            self._of(who, at.replace(minute=0, second=0, microsecond=0)).is_owed = True

    def _of(self, who: str, hour: datetime) -> _Count:
        if hour != self._hour:
            self._hour = hour
            self._counts.clear()
        if who not in self._counts and len(self._counts) >= CALLERS:
            who = THE_REST
        return self._counts.setdefault(who, _Count())
