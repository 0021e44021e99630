# SPDX-License-Identifier: EUPL-1.2
"""The file beside a receipt, and the check of both without a network (`receipt.evidence`).

    {1 policy notes from epoch 0 to the one judged by, 2 anchors DER, 3 revocation evidence per token}

Rules
  1. A receipt is sound when the policies follow each other and are in force, the vault's key of its policy signed it,
     every token is over its record, and the verdict is one its own token allows.
  2. A depositor checks more: that the record's tag is over its own documents, under its own secret.
  3. Anchors in the file are only looked at where the policy names them; a trust list of the checker's comes first.

Left to others: asking for tokens (vault.authorities), prints, packages (retention.verification).
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto.certificates import MAX_CERTIFICATE, Anchor, RevocationEvidence, choose_anchors, make_anchor
from crypto.deposit import DepositRecord, Receipt, Ruling, Withdrawal, WithdrawalRecord
from crypto.encoding import Fields, encode, require_bstr
from crypto.errors import ManifestError, PolicyError, TimestampError
from crypto.manifest import Document, documents_tag, tag_key
from crypto.policy import Policy, require_amendment, require_in_force
from crypto.statement import MAX_POLICY, Kind, Statement, parse_note, require_signers
from crypto.timestamp import VerifiedTimestamp, judge_token

MAX_EVIDENCE_FILE = 64 << 20  # a revocation list of a public authority may have megabytes
MAX_EPOCHS = 1024
MAX_ANCHORS = 64
MAX_TOKENS = 8
MAX_REVOCATION = 32 << 20


@dataclass(frozen=True)
class ReceiptEvidence:
    """What lies beside a receipt or withdrawal so that it can be checked alone.

    Attributes:
        policies: signed policy notes, epoch 0 first, the one that judged last.
        anchors: self-signed certificates of the authorities, DER.
        revocation: for each token of the statement, what was received beside it.
    """

    policies: tuple[bytes, ...]
    anchors: tuple[bytes, ...]
    revocation: tuple[RevocationEvidence, ...] = field(repr=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode({1: self.policies, 2: self.anchors, 3: [one.encode() for one in self.revocation]})

    @classmethod
    def decode(cls, data: bytes) -> "ReceiptEvidence":
        """Read the file strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_EVIDENCE_FILE, mandatory=range(1, 4))
        revocation = fields.array(3, most=MAX_TOKENS)
        return cls(
            policies=tuple(require_bstr(one, most=MAX_POLICY) for one in fields.array(1, least=1, most=MAX_EPOCHS)),
            anchors=tuple(require_bstr(one, most=MAX_CERTIFICATE) for one in fields.array(2, most=MAX_ANCHORS)),
            revocation=tuple(RevocationEvidence.decode(require_bstr(one, most=MAX_REVOCATION)) for one in revocation),
        )


@dataclass(frozen=True)
class CheckedReceipt:
    """A receipt or withdrawal that passed every check; it cannot be made otherwise than by checking.

    Attributes:
        statement: the receipt or withdrawal as signed.
        record: what was deposited or withdrawn.
        ruling: the verdict and what belongs to it.
        policy: the policy the record names.
        judged_by: the policy in force at the verdict.
        tokens: the verified tokens over the record.
    """

    statement: Statement
    record: DepositRecord | WithdrawalRecord
    ruling: Ruling
    policy: Policy
    judged_by: Policy
    tokens: tuple[VerifiedTimestamp, ...]


def check_receipt(
    note: bytes, evidence: ReceiptEvidence, *, kind: Kind = Kind.RECEIPT, anchors: Sequence[Anchor] = ()
) -> CheckedReceipt:
    """Check a receipt (or withdrawal) and what lies beside it, offline.

    Args:
        note: the signed statement.
        evidence: the file beside it.
        kind: receipt or withdrawal.
        anchors: the checker's own trust list; without it, the file's, as far as the policy names them.

    Raises:
        CryptoError: which of the checks fails; its text says how.
    """
    # 1. Policies: in force, each following the one before.
    policies = {policy.hash: policy for policy in require_chain(evidence.policies)}
    # 2. The statement, by the vault's key of the policy that judged.
    statement = parse_note(note, kind)
    record, ruling = _read(statement)
    policy, judged_by = policies.get(record.policy_hash), policies.get(ruling.judged_by)
    if policy is None or judged_by is None:
        raise PolicyError("the evidence lacks a policy that the receipt names")
    require_signers(statement, [judged_by.vault_verifier], 1)
    # 3. The record, as far as the policy speaks of it.
    policy.box(record.box)
    # 4. Tokens over the record, under anchors that the policy names.
    if len(evidence.revocation) != len(ruling.tokens):
        raise TimestampError("the evidence is not that of these tokens")
    trusted = choose_anchors(anchors or [make_anchor(der) for der in evidence.anchors], policy.time.anchors)
    tokens = tuple(
        judge_token(token, record.imprint, anchors=trusted, evidence=beside)
        for token, beside in zip(ruling.tokens, evidence.revocation, strict=True)
    )
    return CheckedReceipt(statement, record, ruling, policy, judged_by, tokens)


def require_chain(notes: Sequence[bytes]) -> tuple[Policy, ...]:
    """Policies from epoch 0 on, each in force and allowed to follow the one before; PolicyError, SignatureError."""
    policies: list[Policy] = []
    for note in notes:
        policy = require_in_force(parse_note(note, Kind.POLICY))
        if policies:
            require_amendment(policies[-1], policy)
        elif policy.epoch != 0:
            raise PolicyError("the first policy of the chain is missing")
        policies.append(policy)
    return tuple(policies)


def require_documents(record: DepositRecord, documents: Sequence[Document], *, secret: bytes) -> None:
    """Check that a record is about exactly these documents, in this order, under this secret (rule 2).

    Raises:
        ManifestError: the tag is over something else.
    """
    tag = documents_tag(tag_key(secret, record.envelope_id), documents)
    if record.documents_tag is None or not hmac.compare_digest(tag, record.documents_tag):
        raise ManifestError("the receipt is not about these documents")


def _read(statement: Statement) -> tuple[DepositRecord | WithdrawalRecord, Ruling]:
    if statement.kind is Kind.WITHDRAWAL:
        withdrawal = Withdrawal.decode(statement.payload)
        return withdrawal.record, withdrawal.ruling
    receipt = Receipt.decode(statement.payload)
    return receipt.record, receipt.ruling
