# SPDX-License-Identifier: EUPL-1.2
"""Key files: what does not open, what is refused before memory is asked for, what opens (protocol 3.2)."""

import tracemalloc
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.encoding import Cbor, Fields, encode, label
from crypto.errors import KeyFileError, PassphraseError
from crypto.keys import file
from crypto.keys.file import MasterKey, Strength, create_key_file, open_key_file, read_key_file
from crypto.policy import Role
from crypto.statement import Kind, Statement, parse_text

QUICK = Strength(memory_kib=8, passes=1, lanes=1)
MASTER = bytes(range(32))


def written() -> bytes:
    """A key file that is quickly opened with `clé`."""
    return MasterKey(Role.CUSTODIAN, MASTER).seal_into_file("cl\u00e9", strength=QUICK)


def changed(data: bytes, change: Callable[[dict[int, Cbor]], object]) -> bytes:
    """The same file with its map changed."""
    payload = parse_text(data, Kind.KEY).payload
    values = {key: Fields.decode(payload, limit=len(payload), mandatory=range(1, 8)).raw(key) for key in range(1, 8)}
    change(values)
    return Statement(Kind.KEY, encode(values)).note


@pytest.mark.proves("T55")
def test_attack_T55_a_wrong_passphrase_is_refused() -> None:
    with pytest.raises(PassphraseError):
        open_key_file(written(), "cle")


@pytest.mark.proves("T55")
def test_attack_T55_a_cut_key_file_is_refused() -> None:
    data = written()

    for size in (0, 1, 20, len(data) // 2, len(data) - 1):
        with pytest.raises(KeyFileError):
            read_key_file(data[:size])


@pytest.mark.proves("T55")
@pytest.mark.parametrize(
    "asked",
    [[2**32, 3, 4], [1_048_577, 3, 4], [262_144, 11, 4], [262_144, 3, 9], [31, 1, 4], [8, 0, 1], [8, 1, 0], [8, 1]],
)
def test_attack_T55_a_file_that_asks_for_too_much_or_nothing_is_refused_without_allocating(asked: list[int]) -> None:
    data = changed(written(), lambda values: values.update({5: asked}))
    tracemalloc.start()
    try:
        with pytest.raises(KeyFileError):
            open_key_file(data, "clé")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("key", "value"),
    [(1, 0), (1, 8), (2, b"short"), (3, b"short"), (4, bytes(15)), (6, bytes(11)), (7, bytes(47)), (9, b"unknown")],
)
def test_a_field_out_of_bounds_is_refused(key: int, value: Cbor) -> None:
    with pytest.raises(KeyFileError):
        read_key_file(changed(written(), lambda values: values.update({key: value})))


def test_another_statement_is_no_key_file() -> None:
    with pytest.raises(KeyFileError):
        read_key_file(Statement(Kind.CARD, b"\xa0").note)


@pytest.mark.parametrize(("key", "value"), [(1, 2), (2, bytes(1216)), (3, bytes(32)), (4, bytes(16)), (6, bytes(12))])
def test_whatever_stands_in_clear_is_covered_by_the_seal(key: int, value: Cbor) -> None:
    data = changed(written(), lambda values: values.update({key: value}))

    with pytest.raises(PassphraseError):
        open_key_file(data, "clé")


def test_public_keys_that_do_not_belong_to_the_secret_are_refused() -> None:
    kept = read_key_file(written())
    public: dict[int, Cbor] = {1: 1, 2: kept.kem, 3: bytes(32), 4: kept.salt, 5: (8, 1, 1)}
    key = bytes(file._stretch("clé", kept.salt, QUICK))
    sealed = AESGCM(key).encrypt(kept.nonce, MASTER, label("key-file") + encode(public))
    data = Statement(Kind.KEY, encode({**public, 6: kept.nonce, 7: sealed})).note

    with pytest.raises(KeyFileError):
        open_key_file(data, "clé")


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(PassphraseError):
        create_key_file(Role.GATE, "", strength=QUICK)


def test_a_file_opens_with_its_passphrase_however_its_accents_are_typed() -> None:
    opened = open_key_file(written(), "cle\u0301")

    assert (opened.role, opened.kid) == (Role.CUSTODIAN, MasterKey(Role.CUSTODIAN, MASTER).kid)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_key_files(role: Role) -> None:
    data = create_key_file(role, "secret", strength=QUICK)

    opened = open_key_file(data, "secret")

    assert (opened.role, opened.kid) == (role, read_key_file(data).kid)


def test_written_files_are_strong() -> None:
    data = create_key_file(Role.ROOT, "secret")

    assert read_key_file(data).strength == Strength(262_144, 3, 4)


def test_keys_of_two_uses_differ() -> None:
    key = MasterKey(Role.GATE, MASTER)

    assert len(key.root_key) == 32
    assert key.root_key != MASTER
    assert key.signer("x").verifier.public == key.sig


def test_a_closed_key_gives_nothing_more() -> None:
    key = MasterKey(Role.GATE, MASTER)
    key.close()

    assert not any(key._master)
    with pytest.raises(ValueError, match="closed"):
        key.signer("x")


def test_a_master_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        MasterKey(Role.GATE, bytes(31))


@pytest.mark.proves("KEY-07")
def test_a_key_does_not_print_its_secret() -> None:
    key = MasterKey(Role.GATE, MASTER)

    assert MASTER.hex()[:8] not in repr(key)
    assert key.root_key.hex()[:8] not in repr(key)


def test_a_passphrase_that_is_no_text_is_refused() -> None:
    with pytest.raises(PassphraseError, match="UTF-8"):
        MasterKey.generate(Role.CUSTODIAN).seal_into_file("caf\udce9", strength=QUICK)
