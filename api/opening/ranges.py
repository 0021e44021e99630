# SPDX-License-Identifier: EUPL-1.2
"""One range of bytes as HTTP asks for it (RFC 9110 section 14).

Several ranges, and one that cannot be met, are answered with the whole: the RFC lets a server ignore the header.
"""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class ByteRange:
    """`size` bytes from `offset` of something that has `whole`."""

    offset: int
    size: int
    whole: int

    @property
    def is_partial(self) -> bool:
        return self.size != self.whole


def parse_range(header: str | None, whole: int) -> ByteRange:
    """The range that a Range header asks for; everything where there is none, or one we do not serve."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return ByteRange(0, whole, whole)
    first, last = match.groups()
    if not first:
        size = min(int(last), whole)
        return _within(whole - size, size, whole)
    end = min(int(last), whole - 1) if last else whole - 1
    if last and int(last) < int(first):
        return ByteRange(0, whole, whole)  # not a valid range: ignored, as the RFC says
    return _within(int(first), end + 1 - int(first), whole)


def _within(offset: int, size: int, whole: int) -> ByteRange:
    if offset >= whole or size < 1:
        return ByteRange(0, whole, whole)
    return ByteRange(offset, size, whole)
