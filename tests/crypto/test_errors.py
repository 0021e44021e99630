# SPDX-License-Identifier: EUPL-1.2
"""Each refusal has its stable word."""

import inspect

import pytest

from crypto import errors
from crypto.errors import ChunkError, CryptoError, QuorumError, ShareError, UnopenedError

# The refusal words that outsiders see: adding one is fine, changing one is not.
WORDS = {
    "format", "truncated", "chunk", "commitment", "manifest", "already-sealed", "share", "holders", "dealt",
    "quorum", "policy", "signature", "kind", "opening", "list", "state", "time-proof", "timestamp", "clock",
    "person", "id", "wrap", "key-file", "passphrase", "journal",
}  # fmt: skip


def _refusals() -> list[type[CryptoError]]:
    classes = (found for _, found in inspect.getmembers(errors, inspect.isclass))
    return [found for found in classes if issubclass(found, CryptoError) and found is not CryptoError]


def test_every_refusal_word_has_its_error() -> None:
    assert {refusal.code for refusal in _refusals()} == WORDS


def test_a_slot_that_does_not_open_is_a_share_refused() -> None:
    with pytest.raises(ShareError) as refusal:
        raise UnopenedError("no", kid=b"k")
    assert (refusal.value.code, refusal.value.kid) == ("share", b"k")


def test_refusals_carry_their_facts() -> None:
    assert ChunkError(7).index == 7
    assert str(QuorumError(1, 2)) == "1 good shares, 2 needed"
