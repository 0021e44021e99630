# SPDX-License-Identifier: EUPL-1.2
"""The languages of prints, and how times and numbers are written in each.

Rules
  1. Every print exists in every language.
  2. Times are given with seconds and zone as the procedure reckons them, and in UTC to the millisecond.
"""

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from vault.prints.english import ENGLISH
from vault.prints.french import FRENCH
from vault.prints.page import Value
from vault.prints.phrases import Phrases

THIN = "\u202f"  # between groups of digits
NBSP = "\u00a0"


class Language(StrEnum):
    """A language that prints are made in."""

    FRENCH = "fr"
    ENGLISH = "en"


def phrases(language: Language) -> Phrases:
    """The phrases of a language."""
    return FRENCH if language is Language.FRENCH else ENGLISH


def fill(phrase: str, **values: str | int) -> str:
    """A phrase with what it leaves open; `{nb}` is a space that does not break."""
    return phrase.format(nb=NBSP, **values)


def number(amount: int) -> str:
    """A whole number with its digits in groups of three."""
    return f"{amount:,}".replace(",", THIN)


def utc(at: datetime) -> str:
    """A moment in UTC to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def clock(at: datetime) -> str:
    """The time of a moment in UTC to the millisecond, without its date."""
    return utc(at).partition(" ")[2]


def moment(at: datetime, zone: str, words: Phrases) -> str:
    """A moment as the procedure reckons it, with seconds, zone and offset."""
    local = at.astimezone(ZoneInfo(zone))
    offset = f"{local:%z}"
    time = f"{local:%H:%M:%S} ({zone}, UTC{offset[:3]}:{offset[3:]})"
    day = words.first_day if local.day == 1 else str(local.day)
    return f"{day} {words.months[local.month - 1]} {local.year}, {time}"


def moment_value(at: datetime, zone: str, words: Phrases, *, kind: str = "text") -> Value:
    """A moment in both forms."""
    return Value(moment(at, zone, words), kind=kind, note=f"{utc(at)} UTC")
