# SPDX-License-Identifier: EUPL-1.2
"""What `crypto` refuses: one error for each refusal word of protocol §6.

Rules
  1. `code` is stable: journal entries, problems and tests name a refusal by it.
  2. A message says what was wrong, never a secret, a name or a digest of a bid.
  3. These are the caller's or an attacker's faults. Outside libraries' exceptions are translated
     where the library is wrapped, so callers catch `CryptoError` and nothing else.

Left to others: what a refusal means outside (api.problems), the journal entry (vault.journal).
"""

from typing import ClassVar


class CryptoError(Exception):
    """Root of all refusals of this package."""

    code: ClassVar[str] = "crypto"


class FormatError(CryptoError):
    """Bytes are not the one encoding of what they claim to be."""

    code: ClassVar[str] = "format"


class TruncatedError(CryptoError):
    """A chunked stream ends before its last chunk, or goes on behind it."""

    code: ClassVar[str] = "truncated"


class ChunkError(CryptoError):
    """One chunk does not authenticate; nothing of it left.

    Attributes:
        index: which chunk, counted from 0.
    """

    code: ClassVar[str] = "chunk"

    def __init__(self, index: int) -> None:
        super().__init__(f"chunk {index} does not authenticate")
        self.index = index


class CommitmentError(CryptoError):
    """The key is not the one this stream was sealed with."""

    code: ClassVar[str] = "commitment"


class ManifestError(CryptoError):
    """The list of documents does not fit the documents, the padding or the depositor."""

    code: ClassVar[str] = "manifest"


class AlreadySealedError(CryptoError):
    """A sealed envelope was offered for sealing."""

    code: ClassVar[str] = "already-sealed"


class ShareError(CryptoError):
    """A share or its slot does not fit its commit.

    Attributes:
        kid: the holder whose share it is, so that it is refused alone.
    """

    code: ClassVar[str] = "share"

    def __init__(self, reason: str, *, kid: bytes = b"") -> None:
        super().__init__(reason)
        self.kid = kid


class UnopenedError(ShareError):
    """Sealed bytes do not open with the holder's key: the slot itself is bad (code 1 of protocol 3.8)."""


class HoldersError(CryptoError):
    """The header's holders are not those of the policy for its box."""

    code: ClassVar[str] = "holders"


class DealtError(CryptoError):
    """The sealer dealt shares that do not lie on one polynomial."""

    code: ClassVar[str] = "dealt"


class QuorumError(CryptoError):
    """Too few good shares.

    Attributes:
        have: good shares of distinct holders.
        need: the group's k.
    """

    code: ClassVar[str] = "quorum"

    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} good shares, {need} needed")
        self.have = have
        self.need = need


class PolicyError(CryptoError):
    """The policy is not the pinned one, or not allowed to follow it."""

    code: ClassVar[str] = "policy"


class SignatureError(CryptoError):
    """A signature is wrong, or a required signer is missing."""

    code: ClassVar[str] = "signature"


class UnprovenSignatureError(SignatureError):
    """Nothing contradicts a PDF's seal, but the anchor or the revocation data to judge it is missing."""


class KindError(CryptoError):
    """A statement or an envelope of another kind than the one asked for."""

    code: ClassVar[str] = "kind"


class OpeningError(CryptoError):
    """A contribution belongs to another opening."""

    code: ClassVar[str] = "opening"


class ListError(CryptoError):
    """The list of envelopes is not the closed one."""

    code: ClassVar[str] = "list"


class StateError(CryptoError):
    """The act came in a state that does not allow it."""

    code: ClassVar[str] = "state"


class TimeProofError(CryptoError):
    """Too few independent authorities prove that the moment has passed."""

    code: ClassVar[str] = "time-proof"


class TimestampError(CryptoError):
    """A time token fails one of its checks."""

    code: ClassVar[str] = "timestamp"


class UnprovenTimestampError(TimestampError):
    """Nothing contradicts a time token, but the anchor or the revocation data to judge it is missing."""


class ClockError(CryptoError):
    """The own clock says that the moment has not come."""

    code: ClassVar[str] = "clock"


class PersonError(CryptoError):
    """One person would be counted twice."""

    code: ClassVar[str] = "person"


class IdError(CryptoError):
    """The identifier is taken by something else."""

    code: ClassVar[str] = "id"


class WrapError(CryptoError):
    """A wrapped key is not the one of this kind and this object."""

    code: ClassVar[str] = "wrap"


class KeyFileError(CryptoError):
    """A key file is broken, or asks for more than it may."""

    code: ClassVar[str] = "key-file"


class PassphraseError(CryptoError):
    """The passphrase does not open the key file."""

    code: ClassVar[str] = "passphrase"


class JournalError(CryptoError):
    """A journal proof, checkpoint or leaf does not fit."""

    code: ClassVar[str] = "journal"
