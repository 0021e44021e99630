# SPDX-License-Identifier: EUPL-1.2
"""Signed heads of the log, and proof files that need nothing beside them (C2SP tlog-checkpoint, tlog-proof).

Rules
  1. A checkpoint's text is origin, size, root: three lines, nothing else is written; extension lines are read over.
  2. The journal key signs checkpoints and nothing else.
  3. A proof file proves only together with the leaf and the journal key that its reader already has.

Left to others: which heads may be signed (vault.sequencer), tree hashes (crypto.merkle).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.algorithms import HASH_SIZE
from crypto.errors import FormatError, JournalError
from crypto.merkle import MAX_SIZE, verify_inclusion
from crypto.statement import (
    MAX_NOTE,
    Note,
    Signer,
    Verifier,
    from_base64,
    parse_signed_note,
    require_signers,
    to_base64,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF_HASHES = 63
MAX_PROOF = MAX_NOTE + 8192
_HEAD_LINES = 2  # of a proof file, behind its first: extra, index
_LINES = 4  # origin, size, root, and nothing behind the last line feed


@dataclass(frozen=True)
class Checkpoint:
    """A head of the log: whose, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    def signed_by(self, signer: Signer) -> bytes:
        """The signed note."""
        return Note(self.text).signed_by(signer).note

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a checkpoint's text; FormatError."""
        lines = text.split("\n")
        if len(lines) < _LINES or lines[-1] or not all(lines[:-1]):
            raise FormatError("a checkpoint has three lines at least, none empty")
        root = from_base64(lines[2])
        if len(root) != HASH_SIZE:
            raise FormatError("a root has 32 bytes")
        return cls(lines[0], _decimal(lines[1]), root)


def read_checkpoint(note: bytes, *, journal: Verifier) -> Checkpoint:
    """Read a signed checkpoint of one log.

    Raises:
        FormatError: not a checkpoint.
        SignatureError: the journal key has not signed it.
        JournalError: another log's.
    """
    parsed = parse_signed_note(note)
    require_signers(parsed, [journal], 1)
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin != journal.name:
        raise JournalError("a checkpoint of another log")
    return checkpoint


@dataclass(frozen=True)
class LogProof:
    """The text of a `.tlog-proof` file: place, inclusion proof, checkpoint as signed; `extra` is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        lines = [PROOF_HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [to_base64(one) for one in self.hashes]
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint

    @classmethod
    def decode(cls, data: bytes) -> "LogProof":
        """Read a proof file strictly; FormatError. Nothing is verified yet."""
        if len(data) > MAX_PROOF:
            raise FormatError("a proof file is too long")
        head, separator, checkpoint = data.partition(b"\n\n")
        if not separator:
            raise FormatError("a proof file without a checkpoint")
        if head.count(b"\n") > MAX_PROOF_HASHES + _HEAD_LINES:  # counted before they are taken apart
            raise FormatError("a proof file has too many lines")
        lines = _ascii(head).split("\n")
        if lines.pop(0) != PROOF_HEADER:
            raise FormatError("not a proof file")
        extra = from_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index "):
            raise FormatError("a proof file without a place")
        index = _decimal(lines.pop(0).removeprefix("index "))
        return cls(index, _hashes(lines), checkpoint, extra)

    def verify(self, leaf: bytes, *, journal: Verifier) -> Checkpoint:
        """Check that the leaf stands in the log of this journal key.

        Raises:
            FormatError, SignatureError: the checkpoint is not one, or not that log's.
            JournalError: the leaf is not in the tree.
        """
        checkpoint = read_checkpoint(self.checkpoint, journal=journal)
        verify_inclusion(leaf, self.hashes, index=self.index, size=checkpoint.size, root=checkpoint.root)
        return checkpoint


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    hashes = tuple(from_base64(line) for line in lines)
    if len(hashes) > MAX_PROOF_HASHES or any(len(one) != HASH_SIZE for one in hashes):
        raise FormatError("a proof is made of at most 63 hashes of 32 bytes")
    return hashes


def _decimal(text: str) -> int:
    """A number without leading zeros, at most 2^63 - 1."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_SIZE)) or (text[0] == "0" and text != "0"):
        raise FormatError("not a decimal number")
    number = int(text)
    if number > MAX_SIZE:
        raise FormatError("a number is too large")
    return number


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("a proof file is ASCII before its checkpoint") from error
