# SPDX-License-Identifier: EUPL-1.2
"""Statements under chance."""

from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import CryptoError, SignatureError
from crypto.statement import Kind, Signer, Statement, parse_note, require_signers

SIGNERS = [Signer.from_seed(f"signer/{number}", bytes([number]) * 32) for number in range(4)]


@given(st.sampled_from(Kind), st.binary(max_size=300), st.sets(st.sampled_from(range(4)), min_size=1))
def test_what_is_written_is_read(kind: Kind, payload: bytes, who: set[int]) -> None:
    statement = Statement(kind, payload or b"\x00")
    for number in sorted(who):
        statement = statement.signed_by(SIGNERS[number])

    read = parse_note(statement.note, kind)

    assert read == statement
    assert require_signers(read, [one.verifier for one in SIGNERS], len(who)) == {SIGNERS[one].name for one in who}


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_changed_byte_passes_for_the_same_statement(payload: bytes, data: st.DataObject) -> None:
    statement = Statement(Kind.CLOSING, payload).signed_by(SIGNERS[0])
    note = bytearray(statement.note)
    place = data.draw(st.integers(0, len(note) - 1))
    note[place] ^= data.draw(st.integers(1, 255))

    try:
        require_signers(parse_note(bytes(note), Kind.CLOSING), [SIGNERS[0].verifier], 1)
    except CryptoError:
        return
    raise AssertionError("a changed note was taken")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_with_a_type(data: bytes) -> None:
    try:
        require_signers(parse_note(data, Kind.CLOSING), [SIGNERS[0].verifier], 1)
    except CryptoError as error:
        assert error.code  # noqa: PT017 - any refusal will do
        return
    raise SignatureError("chance has signed a closing")
