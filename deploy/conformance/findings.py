# SPDX-License-Identifier: EUPL-1.2
"""What a check is, what it may answer, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.conformance.run import Run


class Weight(StrEnum):
    """How much hangs on a check."""

    MUST = "must"
    SHOULD = "should"
    FIGURE = "figure"


class Outcome(StrEnum):
    """What came of a check."""

    KEPT = "kept"
    NOT_KEPT = "not kept"
    NOT_TRIED = "not tried"
    NOT_NEEDED = "not needed"
    MEASURED = "measured"


class Answer(NamedTuple):
    """What the store did, in a word and in its own figures."""

    outcome: Outcome
    says: str


@dataclass(frozen=True)
class Check:
    """One thing that is tried; `number` is that of the list that operators read."""

    number: int
    says: str
    expected: str
    weight: Weight
    attempt: Callable[[Run], Answer]


@dataclass(frozen=True)
class Finding:
    """One check and what came of it."""

    check: Check
    outcome: Outcome
    answer: str

    @property
    def is_fatal(self) -> bool:
        """Whether a vault may not stand on this store."""
        return self.check.weight is Weight.MUST and self.outcome is Outcome.NOT_KEPT


def kept_if(fact: bool, says: str) -> Answer:  # noqa: FBT001 - it reads as a sentence
    """Kept, or not."""
    return Answer(Outcome.KEPT if fact else Outcome.NOT_KEPT, says)


def not_tried(why: str) -> Answer:
    """Something to try it with is missing."""
    return Answer(Outcome.NOT_TRIED, why)


def not_needed(why: str) -> Answer:
    """Nothing here relies on it."""
    return Answer(Outcome.NOT_NEEDED, why)


def measured(says: str) -> Answer:
    """A figure that nobody judges."""
    return Answer(Outcome.MEASURED, says)
