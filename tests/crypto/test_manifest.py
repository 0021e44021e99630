# SPDX-License-Identifier: EUPL-1.2
"""Paths and lists that are refused, padding, tags (protocol 3.4, 3.5)."""

import os

import pytest

from crypto.encoding import Cbor, encode, sha256
from crypto.errors import ManifestError
from crypto.manifest import (
    MAX_DOCUMENTS,
    MAX_SEALED,
    Document,
    Manifest,
    documents_digest,
    documents_tag,
    padded_length,
    padme,
    require_documents,
    require_path,
    tag_key,
    trailer,
)

BAD_PATHS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "climbing": "../x",
    "climbing inside": "a/../b",
    "a dot": "a/./b",
    "an empty part": "a//b",
    "a folder": "a/",
    "a backslash": "a\\b",
    "a zero": "a\x00b",
    "a line feed": "a\nb",
    "an override": "a\u202etxt.exe",
    "a long part": "é" * 128,
    "a long path": "/".join(["abcdefgh"] * 114),
    "a surrogate": "\ud800",
}
ROW: list[Cbor] = ["a", 1, bytes(32)]


@pytest.mark.proves("T35")
@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_a_path_that_could_leave_its_folder_or_lie_is_refused(path: str) -> None:
    with pytest.raises(ManifestError):
        require_path(path)


@pytest.mark.parametrize("path", ["a", "a/b/c.pdf", "é" * 127, "e\u0301", ".htaccess", "a b", "…", "a" * 255])
def test_other_paths_are_kept_as_given(path: str) -> None:
    assert require_path(path) == path


@pytest.mark.proves("T35")
@pytest.mark.parametrize("other", ["prix.TXT", "Prix.txt", "prix.txt"])
def test_two_documents_of_one_path_are_refused(other: str) -> None:
    with pytest.raises(ManifestError):
        require_documents(["prix.txt", other])


@pytest.mark.proves("T35")
def test_paths_that_differ_in_normal_form_only_are_refused() -> None:
    with pytest.raises(ManifestError):
        require_documents(["\u00e9t\u00e9", "e\u0301t\u00c9"])


@pytest.mark.proves("DEP-18")
def test_an_envelope_has_at_least_one_document_and_a_bounded_number() -> None:
    with pytest.raises(ManifestError):
        require_documents([])
    with pytest.raises(ManifestError):
        require_documents(str(number) for number in range(MAX_DOCUMENTS + 1))
    require_documents(str(number) for number in range(MAX_DOCUMENTS))


@pytest.mark.proves("T35")
@pytest.mark.parametrize(
    "value",
    [
        {1: "x", 2: bytes(32), 3: []},
        {1: "x", 2: bytes(31), 3: [ROW]},
        {1: "é" * 101, 2: bytes(32), 3: [ROW]},
        {1: "x", 2: bytes(32)},
        {1: "x", 2: bytes(32), 3: [ROW], 4: 0},
        {1: "x", 2: bytes(32), 3: [["a", 1]]},
        {1: "x", 2: bytes(32), 3: [["a", 1, bytes(31)]]},
        {1: "x", 2: bytes(32), 3: [["a", MAX_SEALED + 1, bytes(32)]]},
        {1: "x", 2: bytes(32), 3: [["../a", 1, bytes(32)]]},
        {1: "x", 2: bytes(32), 3: [ROW, ROW]},
    ],
)
def test_a_malformed_manifest_is_refused(value: Cbor) -> None:
    with pytest.raises(ManifestError):
        Manifest.decode(encode(value))


def test_a_manifest_is_read_as_written() -> None:
    documents = (Document("a/b", 3, sha256(b"abc")), Document("e\u0301", 0, sha256()))
    manifest = Manifest("siret:1", bytes(32), documents)

    assert Manifest.decode(manifest.encode()) == manifest
    assert manifest.content_size == 3


def test_a_manifest_that_would_be_too_long_is_not_written() -> None:
    documents = tuple(Document(f"{'a/' * 480}{number}", 0, bytes(32)) for number in range(17_000))

    with pytest.raises(ManifestError, match="too long"):
        Manifest("x", bytes(32), documents).encode()


@pytest.mark.proves("CONF-03")
def test_names_and_digests_do_not_print() -> None:
    document = Document("prix-42.txt", 3, bytes(32))

    assert "42" not in repr(document) + repr(Manifest("siret:42", bytes(32), (document,)))


@pytest.mark.proves("CONF-04")
@pytest.mark.parametrize(
    ("length", "padded"),
    [(1, 1), (2, 2), (3, 3), (8, 8), (9, 10), (15, 16), (1025, 1088), (1 << 20, 1 << 20), ((1 << 33) + 1, 8724152320)],
)
def test_padding_keeps_only_the_leading_bits(length: int, padded: int) -> None:
    assert padme(length) == padded


@pytest.mark.proves("CONF-04")
def test_padding_never_shortens_and_costs_at_most_12_percent() -> None:
    for length in (*range(1, 5000), *((1 << bit) + 11 for bit in range(12, 40))):
        assert length <= padme(length) <= length * 1.12


def test_small_envelopes_all_have_one_size_and_huge_ones_are_refused() -> None:
    assert padded_length(0, 100) == padded_length(900, 100) == 1024
    with pytest.raises(ManifestError):
        padded_length(MAX_SEALED, 100)


def test_the_trailer_ends_with_the_manifests_length() -> None:
    assert trailer(b"abc") == b"abc\x00\x00\x00\x03"


@pytest.mark.proves("T61")
def test_one_deposit_secret_gives_two_envelopes_two_keys() -> None:
    secret = os.urandom(32)

    assert tag_key(secret, bytes(16)) != tag_key(secret, bytes(range(16)))


def test_a_tag_changes_with_every_document_order_and_key() -> None:
    one, other = Document("a", 1, bytes(32)), Document("b", 1, bytes(32))
    tags = {
        documents_tag(bytes(32), [one, other]),
        documents_tag(bytes(32), [other, one]),
        documents_tag(bytes(32), [one]),
        documents_tag(bytes([1]) * 32, [one, other]),
    }

    assert len(tags) == 4


def test_the_minutes_name_documents_by_one_digest() -> None:
    one = Document("a", 1, bytes(32))

    assert documents_digest([one]) == sha256(encode([["a", 1, bytes(32)]]))


def test_secrets_and_ids_have_their_sizes() -> None:
    for secret, envelope_id in ((bytes(31), bytes(16)), (bytes(32), bytes(15))):
        with pytest.raises(ValueError, match="deposit secret"):
            tag_key(secret, envelope_id)
