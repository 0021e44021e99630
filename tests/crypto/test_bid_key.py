# SPDX-License-Identifier: EUPL-1.2
"""The file that carries one envelope's key."""

import pytest

from crypto.bid_key import MAX_FILE, BidKey
from crypto.errors import FormatError

KEY = BidKey(bytes(32), 1, bytes(16), bytes(32), bytes([1]) * 32, 5000, bytes([7]) * 32)


def test_what_is_written_is_read() -> None:
    assert BidKey.decode(KEY.encode()) == KEY


@pytest.mark.parametrize("data", [b"", b"\xff", KEY.encode()[:-1], KEY.encode() + b"\n", KEY.encode().upper()])
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        BidKey.decode(data)


def test_a_file_too_long_is_refused_unread() -> None:
    with pytest.raises(FormatError, match="at most"):
        BidKey.decode(b"\n" * (MAX_FILE + 1))


def test_a_key_does_not_print() -> None:
    assert "07" * 4 not in repr(KEY)
    assert "\\x07" not in repr(KEY)
