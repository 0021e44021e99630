# SPDX-License-Identifier: EUPL-1.2
"""Signed heads of the log and proof files."""

from dataclasses import replace

import pytest

from crypto.checkpoint import MAX_PROOF, Checkpoint, LogProof, read_checkpoint
from crypto.errors import CryptoError, FormatError, JournalError, SignatureError
from crypto.merkle import grow, inclusion_proof, tree_hash
from crypto.statement import Note, Signer
from tests.crypto.test_merkle import _nothing, leaves

JOURNAL = Signer.from_seed("vault.example/journal", bytes(32))
OTHER = Signer.from_seed("vault.example/journal", bytes([1]) * 32)
# The example of C2SP tlog-checkpoint.
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LEAVES = leaves(100)


def head(size: int = 100) -> Checkpoint:
    """The head of a log of 100 leaves."""
    return Checkpoint(JOURNAL.name, size, tree_hash(LEAVES[:size]))


def proof(index: int = 40, extra: bytes | None = None) -> LogProof:
    """The proof of one leaf."""
    hashes = inclusion_proof(grow(_nothing, 0, LEAVES).__getitem__, index=index, size=100)
    return LogProof(index, tuple(hashes), head().signed_by(JOURNAL), extra)


def test_the_example_of_tlog_checkpoint_is_read() -> None:
    checkpoint = Checkpoint.parse(EXAMPLE)

    assert checkpoint.size == 20_852_163
    assert checkpoint.text == EXAMPLE


def test_a_signed_head_is_read() -> None:
    assert read_checkpoint(head().signed_by(JOURNAL), journal=JOURNAL.verifier) == head()


def test_extension_lines_are_read_over() -> None:
    note = Note(head().text + "more\n").signed_by(JOURNAL).note

    assert read_checkpoint(note, journal=JOURNAL.verifier) == head()


def test_a_head_signed_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureError):
        read_checkpoint(head().signed_by(OTHER), journal=JOURNAL.verifier)


def test_another_logs_head_is_refused() -> None:
    note = replace(head(), origin="other.example/journal").signed_by(JOURNAL)

    with pytest.raises(JournalError):
        read_checkpoint(note, journal=JOURNAL.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n\u0661\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n99999999999999999999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n1\nCsUYapGGPo4=\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nmore\n",
    ],
)
def test_text_in_another_form_is_no_checkpoint(text: str) -> None:
    with pytest.raises(FormatError):
        Checkpoint.parse(text)


@pytest.mark.proves("LOG-04", "ACK-03")
@pytest.mark.parametrize("extra", [None, b"", b"salt"])
def test_a_proof_file_proves_its_leaf_with_nothing_beside_it(extra: bytes | None) -> None:
    data = proof(extra=extra).encode()

    read = LogProof.decode(data)

    assert read == proof(extra=extra)
    assert read.verify(LEAVES[40], journal=JOURNAL.verifier) == head()
    assert data.startswith(b"c2sp.org/tlog-proof@v1\n")


def test_a_log_of_one_leaf_has_an_empty_proof() -> None:
    only = LogProof(0, (), head(1).signed_by(JOURNAL))

    assert LogProof.decode(only.encode()).verify(LEAVES[0], journal=JOURNAL.verifier).size == 1


@pytest.mark.proves("LOG-03")
def test_a_proof_file_of_another_leaf_place_or_log_is_refused() -> None:
    with pytest.raises(JournalError):
        proof().verify(LEAVES[41], journal=JOURNAL.verifier)
    with pytest.raises(JournalError):
        replace(proof(), index=41).verify(LEAVES[40], journal=JOURNAL.verifier)
    with pytest.raises(SignatureError):
        proof().verify(LEAVES[40], journal=OTHER.verifier)


def test_a_line_less_or_more_is_refused() -> None:
    lines = proof(extra=b"x").encode().split(b"\n")

    for place in range(len(lines)):
        for changed in (lines[:place] + lines[place + 1 :], [*lines[:place], b"index 1", *lines[place:]]):
            with pytest.raises(CryptoError):
                LogProof.decode(b"\n".join(changed)).verify(LEAVES[41], journal=JOURNAL.verifier)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 00\n\n",
        b"c2sp.org/tlog-proof@v1\nindex \n\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\nAA==\n\n",
        b"c2sp.org/tlog-proof@v1\nextra x\nindex 0\n\n",
        b"c2sp.org/tlog-proof@v1\nextra AA==\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\xff\n\n",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + b"\n",
        bytes(MAX_PROOF + 1),
    ],
)
def test_a_file_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        LogProof.decode(data)


@pytest.mark.proves("T33", "T34")
def test_a_proof_of_a_million_lines_is_refused_before_they_are_read() -> None:
    data = b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"AAAA\n" * 200_000 + b"\nx"

    with pytest.raises(FormatError, match="too many lines"):
        LogProof.decode(data)
