# SPDX-License-Identifier: EUPL-1.2
"""X-Wing: the drafts' vectors, then refusals (protocol 2.2)."""

from typing import cast

import pytest
from cryptography.hazmat.bindings._rust import openssl as rust_openssl
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from crypto.algorithms import HPKE_OVERHEAD, KEM_PUBLIC_SIZE
from crypto.errors import FormatError, ShareError, UnopenedError
from crypto.hpke import KemKey, require_kem_public, seal
from tests.vectors import outside

SEED = bytes(range(32))


def vectors(kdf: int) -> dict[str, object]:
    """The draft's X-Wing vectors with this KDF."""
    cases = cast("list[dict[str, object]]", outside.load("hpke/hpke-pq-test-vectors.json"))
    return next(case for case in cases if (case["kem_id"], case["kdf_id"]) == (25722, kdf))


def flipped(data: bytes, place: int) -> bytes:
    """The same bytes, one bit changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def test_the_drafts_seed_gives_the_drafts_public_key() -> None:
    case = vectors(kdf=1)

    assert KemKey(bytes.fromhex(str(case["skRm"]))).public.hex() == case["pkRm"]


def test_the_drafts_first_message_opens() -> None:
    # The vectors have additional data, which our format has not: only a private function of the library takes it.
    # They fix ChaCha20-Poly1305; the KEM and its key schedule are what we share with them.
    case = vectors(kdf=1)
    first = cast("list[dict[str, str]]", case["encryptions"])[0]
    sealed = bytes.fromhex(str(case["enc"]) + first["ct"])
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

    opened = rust_openssl.hpke._decrypt_with_aad(
        suite,
        sealed,
        KemKey(bytes.fromhex(str(case["skRm"])))._key,
        info=bytes.fromhex(str(case["info"])),
        aad=bytes.fromhex(first["aad"]),
    )

    assert opened.hex() == first["pt"]


def test_what_is_sealed_to_a_key_opens_with_it() -> None:
    key = KemKey(SEED)

    sealed = seal(key.public, b"info", b"share")

    assert len(sealed) == HPKE_OVERHEAD + 5
    assert key.open(b"info", sealed) == b"share"


def test_two_seals_of_the_same_differ() -> None:
    key = KemKey(SEED)

    assert seal(key.public, b"", b"x") != seal(key.public, b"", b"x")


@pytest.mark.proves("T27")
def test_another_key_info_or_byte_does_not_open() -> None:
    key = KemKey(SEED)
    sealed = seal(key.public, b"info", b"share")

    for holder, info, shown in (
        (KemKey(bytes(32)), b"info", sealed),
        (key, b"other", sealed),
        (key, b"info", flipped(sealed, -1)),
        (key, b"info", flipped(sealed, 0)),
        (key, b"info", flipped(sealed, 1119)),
        (key, b"info", sealed[: HPKE_OVERHEAD - 1]),
        (key, b"info", bytes(len(sealed))),
    ):
        with pytest.raises(UnopenedError) as refusal:
            holder.open(info, shown)
        assert isinstance(refusal.value, ShareError)
        assert refusal.value.code == "share"


@pytest.mark.parametrize("public", [b"", bytes(KEM_PUBLIC_SIZE - 1), b"\xff" * KEM_PUBLIC_SIZE])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(FormatError):
        seal(public, b"", b"x")


def test_a_public_key_that_protects_nothing_is_refused() -> None:
    public = KemKey(SEED).public[:1184] + bytes(32)

    with pytest.raises(FormatError):
        require_kem_public(public)


def test_a_good_public_key_is_taken() -> None:
    public = KemKey(SEED).public

    assert require_kem_public(public) == public


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        KemKey(bytes(31))


@pytest.mark.proves("KEY-07")
def test_a_key_does_not_print_its_seed() -> None:
    assert SEED.hex()[:8] not in repr(KemKey(SEED))
