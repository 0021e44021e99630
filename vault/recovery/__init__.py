# SPDX-License-Identifier: EUPL-1.2
"""Recovery: after a database or a key store was restored from an older copy, all that was acknowledged is found again.

`journey` is the act; each other module is one of its steps; `findings` what came of it.
"""

from vault.recovery.claims import Shown, read_claim, settle, settle_own
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.recovery.journey import recover, require_nothing_lost
from vault.recovery.vigil import Vigil

__all__ = [
    "Done",
    "Findings",
    "Loss",
    "Lost",
    "Shown",
    "Vigil",
    "read_claim",
    "recover",
    "require_nothing_lost",
    "settle",
    "settle_own",
]
