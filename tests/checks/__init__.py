# SPDX-License-Identifier: EUPL-1.2
"""`check_everything(works)`: what is stored is read anew, and everything that must hold of it is derived again.

Rules
  1. No answer of the vault is trusted: journal, proofs, locks, keys and states follow from rows and objects.
  2. It holds after every step, and after every crash between two: what a killed process leaves behind is allowed, and
     said where it is.
  3. Nothing else is at work meanwhile. It reads every stored envelope once.
"""

from collections.abc import Callable, Collection, Iterator

from tests.checks import events, journal, locks, openings, receipts, states, wraps
from tests.checks.stored import Finding, Stored, read
from vault.work import Works

CHECKS: tuple[Callable[[Stored], Iterator[Finding]], ...] = (
    journal.check,
    events.check,
    receipts.check,
    locks.check,
    wraps.check,
    states.check,
    openings.check,
)


def findings(works: Works) -> list[Finding]:
    """Everything that does not hold."""
    stored = read(works)
    return [*stored.findings, *(finding for check in CHECKS for finding in check(stored))]


def check_everything(works: Works, *, but: Collection[str] = ()) -> None:
    """Raise AssertionError that names every finding.

    Args:
        works: a vault at rest, of a World or of a real stack.
        but: words of findings that the caller has brought about and expects.
    """
    found = [str(one) for one in findings(works) if one.word not in but]
    assert not found, f"{len(found)} findings\n" + "\n".join(found)


__all__ = ["Finding", "check_everything", "findings"]
