# SPDX-License-Identifier: EUPL-1.2
"""Until when an object is locked (preservation.md 2.1): pure, values in, a date out.

Rules
  1. Every lock is rounded up to Monday 00:00 UTC: equal lock dates would group a procedure (protocol 4.12).
  2. A lock is short and renewed: an envelope until 90 days after its deadline, what is kept at most 400 days ahead.
  3. A date in the past, or beyond the horizon, is refused: a lock cannot be undone.

Left to others: renewing (retention), setting (vault.store.s3).
"""

from datetime import UTC, datetime, timedelta

from vault.errors import StoreRefused

AFTER_DEADLINE = timedelta(days=90)
AFTER_TEST_DEADLINE = timedelta(days=30)
MIRRORED = timedelta(days=90)  # a backup is younger; what nobody can restore from needs no copies
AFTER_ELIGIBLE = timedelta(days=60)
HORIZON = timedelta(days=400)
ROUNDING = timedelta(days=7)  # rounding up to Monday may add just under a week


def envelope_lock(deadline: datetime, now: datetime, *, is_test: bool = False) -> datetime:
    """Lock of a sealed envelope, given in the put itself, and again when the deadline moves."""
    if is_test:
        return to_monday(max(deadline, now) + AFTER_TEST_DEADLINE)
    return to_monday(min(max(deadline, now) + AFTER_DEADLINE, now + HORIZON))


def kept_lock(now: datetime, *, eligible: datetime | None = None) -> datetime:
    """Lock of what is kept after the closing; `eligible` is when it may go, if anybody knows."""
    furthest = now + HORIZON
    return to_monday(furthest if eligible is None else min(furthest, eligible + AFTER_ELIGIBLE))


def evidence_lock(now: datetime) -> datetime:
    """Lock of tiles, checkpoints and statements."""
    return to_monday(now + HORIZON)


def mirror_lock(now: datetime) -> datetime:
    """Lock of a copy of rows: longer than any backup of the database is kept."""
    return to_monday(now + MIRRORED)


def to_monday(moment: datetime) -> datetime:
    """The first Monday 00:00 UTC that is not before `moment`."""
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if midnight < moment:
        midnight += timedelta(days=1)
    return midnight + timedelta(days=-midnight.weekday() % 7)


def require_lock_date(lock_until: datetime, *, now: datetime, horizon: timedelta = HORIZON) -> datetime:
    """The date to send to the store, rounded up.

    Raises:
        StoreRefused: without zone, in the past, or further than the horizon and its rounding.
    """
    if lock_until.tzinfo is None:
        raise StoreRefused("a lock needs a date with a zone")
    if lock_until <= now:
        raise StoreRefused("a lock cannot end in the past")
    rounded = to_monday(lock_until)
    if rounded > now + horizon + ROUNDING:
        raise StoreRefused(f"a lock may not reach further than {horizon.days} days")
    return rounded
