# SPDX-License-Identifier: EUPL-1.2
"""Signed notes and statements."""

import base64

import pytest

from crypto.errors import FormatError, KindError, SignatureError
from crypto.statement import (
    MAX_KEY_FILE,
    MAX_NOTE,
    MAX_SIGNATURES,
    Kind,
    Note,
    Signer,
    Statement,
    Verifier,
    parse_note,
    parse_signed_note,
    parse_text,
    require_signers,
)

# The example of C2SP signed-note.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

ALICE = Signer.from_seed("bidvault/custodian/alice", bytes(32))
BOB = Signer.from_seed("bidvault/custodian/bob", bytes([1]) * 32)
SAID = Statement(Kind.MINUTES, b"\xa1\x01\x02")


def test_the_example_of_signed_note_verifies() -> None:
    verifier = Verifier.parse(EXAMPLE_VKEY)

    note = parse_signed_note(EXAMPLE_NOTE)

    assert require_signers(note, [verifier], 1) == {"example.com/foo"}
    assert note.note == EXAMPLE_NOTE
    assert verifier.vkey == EXAMPLE_VKEY


def test_a_statement_is_two_lines() -> None:
    assert SAID.text == "bidvault/minutes/v1\noQEC\n"
    assert SAID.note == SAID.text.encode()


def test_added_signatures_leave_the_id() -> None:
    signed = SAID.signed_by(ALICE).signed_by(BOB)

    assert signed.id == SAID.id
    assert parse_note(signed.note, Kind.MINUTES) == signed


def test_signing_twice_adds_one_line() -> None:
    assert SAID.signed_by(ALICE).signed_by(ALICE) == SAID.signed_by(ALICE)
    assert Note(SAID.text).signed_by(ALICE).signed_by(ALICE).note == SAID.signed_by(ALICE).note


def test_signatures_gathered_apart_are_joined() -> None:
    joined = SAID.signed_by(ALICE).with_signatures(SAID.signed_by(BOB).signatures)

    assert require_signers(joined, [ALICE.verifier, BOB.verifier], 2) == {ALICE.name, BOB.name}


def test_an_unsigned_statement_is_read_as_text_only() -> None:
    assert parse_text(SAID.note, Kind.MINUTES) == SAID
    with pytest.raises(FormatError):
        parse_note(SAID.note, Kind.MINUTES)


def test_unknown_keys_are_not_counted() -> None:
    signed = SAID.signed_by(ALICE).signed_by(BOB)

    assert require_signers(signed, [ALICE.verifier], 1) == {ALICE.name}
    with pytest.raises(SignatureError):
        require_signers(signed, [ALICE.verifier], 2)


def test_the_same_line_twice_counts_once() -> None:
    twice = SAID.signed_by(ALICE)
    twice = Statement(twice.kind, twice.payload, twice.signatures * 2)

    with pytest.raises(SignatureError):
        require_signers(twice, [ALICE.verifier, BOB.verifier], 2)


def test_a_key_of_the_same_name_is_another_key() -> None:
    impostor = Signer.from_seed(ALICE.name, bytes([2]) * 32)

    with pytest.raises(SignatureError):
        require_signers(SAID.signed_by(impostor), [ALICE.verifier], 1)


def test_a_wrong_signature_of_a_known_key_refuses_the_note() -> None:
    other = Statement(Kind.MINUTES, b"\xa0").signed_by(ALICE)
    forged = SAID.signed_by(BOB).with_signatures(other.signatures)

    with pytest.raises(SignatureError):
        require_signers(forged, [ALICE.verifier, BOB.verifier], 1)


def test_a_signature_of_another_length_refuses_the_note() -> None:
    raw = SAID.signed_by(ALICE)
    cut = Statement(SAID.kind, SAID.payload, (type(raw.signatures[0])(ALICE.name, ALICE.verifier.key_id, b"\x00"),))

    with pytest.raises(SignatureError):
        require_signers(parse_note(cut.note, Kind.MINUTES), [ALICE.verifier], 1)


@pytest.mark.proves("T17")
def test_a_statement_shown_as_another_kind_is_refused() -> None:
    signed = Statement(Kind.CONTRIBUTION, b"\xa0").signed_by(ALICE)
    relabelled = Statement(Kind.RELEASE, b"\xa0", signed.signatures)

    with pytest.raises(KindError):
        parse_note(signed.note, Kind.RELEASE)
    with pytest.raises(SignatureError):
        require_signers(relabelled, [ALICE.verifier], 1)


@pytest.mark.parametrize(
    "text",
    [
        "bidvault/minutes/v1\noQEC\noQEC\n",
        "bidvault/minutes/v1\n\n",
        "bidvault/minutes/v1\n",
        "bidvault/minutes/v1\noQEC",
        "bidvault/minutes/v1\noQED=\n",
        "bidvault/minutes/v1\noQ==\noQ==\n",
        "bidvault/minutes/v1\noR==\n",
        "bidvault/minutes/v1\noQEC \n",
        "bidvault/minutes/v1\r\noQEC\n",
        "bidvault/minutes/v1\noQ\u00e9C\n",
    ],
)
def test_text_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_text(text.encode(), Kind.MINUTES)


@pytest.mark.parametrize("first", ["bidvault/closing/v1", "bidvault/minutes/v2", "minutes", " bidvault/minutes/v1"])
def test_text_of_another_kind_is_refused(first: str) -> None:
    with pytest.raises(KindError):
        parse_text(f"{first}\noQEC\n".encode(), Kind.MINUTES)


def lines(*signature_lines: str) -> bytes:
    """SAID with these lines where signatures stand."""
    return (SAID.text + "\n" + "".join(f"{line}\n" for line in signature_lines)).encode()


GOOD = SAID.signed_by(ALICE).signatures[0].line.rstrip("\n")


@pytest.mark.parametrize(
    "broken",
    [
        lines(),
        lines(GOOD)[:-1],
        lines(GOOD, ""),
        lines(GOOD) + b"\n",
        lines(GOOD[2:]),
        lines("-" + GOOD[1:]),
        lines(GOOD + " "),
        lines(GOOD.replace("custodian/", "custodian+")),
        lines(GOOD.replace("custodian/", "custodian\u2003")),
        lines("\u2014  AAAAAAA="),
        lines("\u2014 name"),
        lines("\u2014 name AAAAAA=="),
        lines("\u2014 name AAAA.AAA"),
        lines("\u2014 name AAAAAAB="),
        lines(*[f"\u2014 name{number} AAAAAAA=" for number in range(MAX_SIGNATURES + 1)]),
        lines(GOOD).replace(b"oQEC", b"oQEC\x7f"),
        lines(GOOD).replace(b"oQEC", b"\xff"),
        lines(GOOD).replace(b"\n", b"\r\n"),
        b"",
        b"\n\n",
    ],
)
def test_a_note_in_another_form_is_refused(broken: bytes) -> None:
    with pytest.raises(FormatError):
        parse_note(broken, Kind.MINUTES)


def test_as_many_signatures_as_allowed_are_read() -> None:
    note = lines(*[f"\u2014 name{number} AAAAAAA=" for number in range(MAX_SIGNATURES)])

    assert len(parse_note(note, Kind.MINUTES).signatures) == MAX_SIGNATURES


def test_each_kind_has_its_size() -> None:
    padding = base64.b64encode(bytes(3 * MAX_NOTE // 4)).decode()
    long = f"bidvault/closing/v1\n{padding}\n".encode()

    with pytest.raises(FormatError):
        parse_text(long, Kind.CLOSING)
    assert parse_text(long.replace(b"closing", b"minutes"), Kind.MINUTES).kind is Kind.MINUTES
    assert Kind.KEY.limit == MAX_KEY_FILE


def test_a_stated_limit_stands_above_the_kinds() -> None:
    signed = SAID.signed_by(ALICE)

    with pytest.raises(FormatError):
        parse_note(signed.note, Kind.MINUTES, len(signed.note) - 1)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        EXAMPLE_VKEY.replace("530d903a", "530d903b"),
        EXAMPLE_VKEY.replace("530d903a", "530D903A"),
        EXAMPLE_VKEY.replace("foo", "fou"),
        EXAMPLE_VKEY.replace("+Aek", "+Bek"),
        EXAMPLE_VKEY[:-4],
        EXAMPLE_VKEY + "AAAA",
        EXAMPLE_VKEY + "\n",
        "example.com /foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_a_verification_key_whose_parts_do_not_fit_is_refused(vkey: str) -> None:
    with pytest.raises(FormatError):
        Verifier.parse(vkey)


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    nothing = Verifier(ALICE.name, b"\xff" * 32)

    with pytest.raises(SignatureError):
        nothing.verify(b"text", bytes(64))


def test_private_keys_do_not_print() -> None:
    assert "private" not in repr(ALICE)
    assert "payload" not in repr(SAID)


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "with\u00a0space"])
def test_a_signer_without_a_proper_name_does_not_exist(name: str) -> None:
    with pytest.raises(FormatError):
        Signer.from_seed(name, bytes(32))
