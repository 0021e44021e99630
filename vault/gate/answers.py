# SPDX-License-Identifier: EUPL-1.2
"""What the gate answers is checked before anything is written on its word: it may be elsewhere, and lines may lie.

An answer that does not hold is the gate's fault and nobody else's: nothing is written, and the same act asks it again.
"""

from crypto.errors import CryptoError
from crypto.opening_rules import DueOpening, require_release
from crypto.policy import Policy, Role
from crypto.statement import Statement, require_signers
from vault.errors import GateUnsound


def require_signature(asked: Statement, answer: Statement, policy: Policy) -> None:
    """Refuse an answer that is not the statement asked about with a gate's good signature; GateUnsound."""
    try:
        require_signers(answer, [card.verifier for card in policy.cards(Role.GATE)], 1)
    except CryptoError as error:
        raise GateUnsound(error.code) from error
    if answer.id != asked.id:
        raise GateUnsound("another statement")


def require_shares(answer: Statement, due: DueOpening) -> None:
    """Refuse a release that is not this opening's, or not a gate's of it; GateUnsound."""
    try:
        require_release(answer, due)
    except CryptoError as error:
        raise GateUnsound(error.code) from error
