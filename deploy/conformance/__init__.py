# SPDX-License-Identifier: EUPL-1.2
"""What an object store must really do, tried on it: `bidvault store check`, and at every start.

Rules
  1. Everything is put under `check/<run>/`, locked for a minute or two; later runs delete what no lock holds any more.
  2. A check tries what `vault.store.s3_objects` would never send, so this package talks to the store itself.
  3. Each check says what the store answered.

Left to others: the table on the screen (deploy.store_command), making buckets (deploy.provision).
"""

from deploy.conformance.findings import Check, Finding, Outcome, Weight
from deploy.conformance.run import AT_START, Manner, Reference, Run, Store
from deploy.conformance.table import CHECKS, TRIED_AT_START, check, require_answer, require_conformance

__all__ = [
    "AT_START",
    "CHECKS",
    "TRIED_AT_START",
    "Check",
    "Finding",
    "Manner",
    "Outcome",
    "Reference",
    "Run",
    "Store",
    "Weight",
    "check",
    "require_answer",
    "require_conformance",
]
