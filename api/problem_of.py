# SPDX-License-Identifier: EUPL-1.2
"""Which problem each error's code is answered with; a test compares it with every error there is.

Rules
  1. All refusals of sealed bytes are one problem, all refusals of statements another (protocol 4.12).
  2. What only our own fault can cause is `internal`, whatever its code says.
"""

from collections.abc import Mapping

PROBLEM_OF: Mapping[str, str] = {
    # on the way in
    "unauthenticated": "unauthenticated",
    "role-not-allowed": "role-not-allowed",
    "not-multipart": "not-multipart",
    "body-malformed": "body-malformed",
    "announcement-refused": "announcement-refused",
    "token-key": "internal",
    "not-this-receipt": "not-this-receipt",
    "busy": "busy",
    # the vault's
    "not-found": "not-found",
    "not-allowed": "not-allowed",
    "invalid-input": "invalid-input",
    "wrong-state": "wrong-state",
    "not-ready": "not-ready",
    "notice-differs": "notice-differs",
    "too-large": "too-large",
    "deposit-limit": "deposit-limit",
    "body-mismatch": "body-mismatch",
    "body-broken": "body-broken",
    "other-content": "other-content",
    "id-taken": "id-taken",
    "time-unproven": "time-unproven",
    "authority-unavailable": "unavailable",
    "store-unavailable": "unavailable",
    "database-unavailable": "unavailable",
    "gate-unsound": "unavailable",
    "store-full": "store-full",
    "store-conflict": "internal",
    "object-missing": "internal",
    "object-changed": "internal",
    "store-refused": "internal",
    "cannot-compact": "internal",
    "rolled-back": "unavailable",
    "row-changed": "internal",
    "cannot-start": "unavailable",
    "still-running": "unavailable",
    "cannot-recover": "unavailable",
    # sealed bytes: one answer for all
    "format": "seal-refused",
    "truncated": "seal-refused",
    "chunk": "seal-refused",
    "commitment": "seal-refused",
    "manifest": "seal-refused",
    "already-sealed": "seal-refused",
    "share": "seal-refused",
    "holders": "seal-refused",
    "dealt": "seal-refused",
    "wrap": "internal",
    # statements of custodians and others
    "signature": "statement-refused",
    "kind": "statement-refused",
    "policy": "statement-refused",
    "opening": "statement-refused",
    "list": "statement-refused",
    "quorum": "statement-refused",
    "person": "statement-refused",
    "timestamp": "statement-refused",
    "journal": "statement-refused",
    "state": "wrong-state",
    "id": "id-taken",
    "time-proof": "time-unproven",
    "clock": "time-unproven",
    "key-file": "internal",
    "passphrase": "internal",
}
