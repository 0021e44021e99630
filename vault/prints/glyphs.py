# SPDX-License-Identifier: EUPL-1.2
"""Which characters the fonts of prints can show: a page with one that they cannot is refused by PDF/A.

Rules
  1. The table was found by trying each character with the fonts of the pinned typst wheel; a test tries them all.
  2. Letters of Latin, Greek and Cyrillic, punctuation, currencies, arrows, signs of mathematics. Scripts that are
     written otherwise than letter after letter from the left are left out: shown broken they would mislead.
  3. What cannot be shown stands as its number between signs of quotation, ‹U+4E2D›, and never silently goes.
"""

import bisect
import re

_ASCII = (0x0020, 0x007E)
RANGES = (
    _ASCII,
    (0x00A0, 0x00AC),
    (0x00AE, 0x02AF),
    (0x0300, 0x0377),
    (0x037A, 0x037F),
    (0x0384, 0x038A),
    (0x038C, 0x038C),
    (0x038E, 0x03A1),
    (0x03A3, 0x0484),
    (0x0487, 0x04FF),
    (0x1E00, 0x1F15),
    (0x1F18, 0x1F1D),
    (0x1F20, 0x1F45),
    (0x1F48, 0x1F4D),
    (0x1F50, 0x1F57),
    (0x1F59, 0x1F59),
    (0x1F5B, 0x1F5B),
    (0x1F5D, 0x1F5D),
    (0x1F5F, 0x1F7D),
    (0x1F80, 0x1FB4),
    (0x1FB6, 0x1FC4),
    (0x1FC6, 0x1FD3),
    (0x1FD6, 0x1FDB),
    (0x1FDD, 0x1FEF),
    (0x1FF2, 0x1FF4),
    (0x1FF6, 0x1FFE),
    (0x2010, 0x2027),
    (0x202F, 0x2040),
    (0x2042, 0x2042),
    (0x2044, 0x2052),
    (0x2054, 0x205E),
    (0x2070, 0x2071),
    (0x2074, 0x208E),
    (0x2090, 0x209C),
    (0x20A0, 0x20C0),
    (0x2100, 0x211E),
    (0x2120, 0x2120),
    (0x2122, 0x2122),
    (0x2124, 0x2124),
    (0x2126, 0x214F),
    (0x2190, 0x22FF),
    (0xFB00, 0xFB06),
    (0xFFFD, 0xFFFD),
)
_STARTS = [first for first, _last in RANGES]
_PLAIN = re.compile("[^\\x20-\\x7e\\xa0-\\xac\\xae-\\xff\u2039\u203a\u2013\u2019\u2026\u202f\u200b]")


def is_displayable(character: str) -> bool:
    """Whether the fonts have it."""
    number = ord(character)
    place = bisect.bisect_right(_STARTS, number) - 1
    return place >= 0 and number <= RANGES[place][1]


def displayable(text: str) -> str:
    """The text with numbers in place of characters that the fonts lack."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if is_displayable(one) else _number(one) for one in text)


def plain(text: str) -> str:
    """The text with numbers in place of all but Western letters: for combinations that still cannot be shown."""
    return _PLAIN.sub(lambda found: _number(found[0]), text)


def _number(character: str) -> str:
    return f"\u2039U+{ord(character):04X}\u203a"
