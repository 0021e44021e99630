# SPDX-License-Identifier: EUPL-1.2
"""What a verification found: numbered steps, each with what held, what is broken, and what is missing.

Rules
  1. Broken once is broken; only what is whole and proved is sound.
  2. A refusal that says that an anchor or revocation data is missing is `missing`, every other one is `broken`.
  3. Each finding names the file it is about.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from crypto.errors import CryptoError, UnprovenSignatureError, UnprovenTimestampError
from retention.errors import PackageError, RetentionError


class Result(StrEnum):
    """What one check gave."""

    OK = "ok"
    BROKEN = "broken"
    MISSING = "missing"


class Outcome(IntEnum):
    """What a whole verification gave; the command's exit code."""

    SOUND = 0
    BROKEN = 1
    UNPROVEN = 2


@dataclass(frozen=True)
class Check:
    """One finding; `file` is empty where it is about the whole."""

    result: Result
    file: str
    text: str


@dataclass
class Step:
    """One numbered step."""

    number: int
    title: str
    checks: list[Check] = field(default_factory=list)


Listener = Callable[[Step, Check | None], None]


@dataclass
class Report:
    """All steps so far; a listener is told each step when it begins and each check when it is made."""

    listener: Listener = lambda _step, _check: None
    steps: list[Step] = field(default_factory=list)

    @property
    def checks(self) -> list[Check]:
        """Every finding of every step."""
        return [check for step in self.steps for check in step.checks]

    @property
    def outcome(self) -> Outcome:
        """The verdict."""
        results = {check.result for check in self.checks}
        if Result.BROKEN in results:
            return Outcome.BROKEN
        return Outcome.UNPROVEN if Result.MISSING in results else Outcome.SOUND

    def begin(self, title: str) -> None:
        """Begin the next step."""
        step = Step(len(self.steps) + 1, title)
        self.steps.append(step)
        self.listener(step, None)

    def passed(self, text: str, file: str = "") -> None:
        """Something holds."""
        self._add(Result.OK, file, text)

    def broken(self, file: str, text: str) -> None:
        """Something does not hold."""
        self._add(Result.BROKEN, file, text)

    def missing(self, file: str, text: str) -> None:
        """Something needed for a proof is not there."""
        self._add(Result.MISSING, file, text)

    def judging(self, file: str) -> "Judging":
        """Turn a refusal inside the block into a finding about `file`; what comes after the block goes on."""
        return Judging(self, file)

    def _add(self, result: Result, file: str, text: str) -> None:
        check = Check(result, file, text)
        step = self.steps[-1]
        if check not in step.checks:
            step.checks.append(check)
            self.listener(step, check)


@dataclass(frozen=True)
class Judging:
    """A block whose refusals are findings."""

    report: Report
    file: str

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Keep what is a refusal; anything else is a fault of ours and goes on."""
        if isinstance(error, UnprovenTimestampError | UnprovenSignatureError):
            self.report.missing(self.file, f"{error}")
        elif isinstance(error, PackageError):
            self.report.broken(error.file or self.file, f"{error}")
        elif isinstance(error, CryptoError | RetentionError):
            self.report.broken(self.file, f"{error} ({error.code})")
        else:
            return False
        return True
