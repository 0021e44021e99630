# SPDX-License-Identifier: EUPL-1.2
"""Procedures: drafted, rehearsed, published, amended, ended (protocol 4.1, 3.3).

Each module is one act of the journey; `reading` shows what came of them.
"""

from vault.procedures.access import Caller
from vault.procedures.amendment import Change, Move, amend, enact
from vault.procedures.draft import draft
from vault.procedures.ending import archive, cancel
from vault.procedures.plan import LotDraft, PartDraft, ProcedureDraft
from vault.procedures.publication import confirm, publish
from vault.procedures.rehearsal import rehearse, sign
from vault.procedures.relocking import relock

__all__ = [
    "Caller",
    "Change",
    "LotDraft",
    "Move",
    "PartDraft",
    "ProcedureDraft",
    "amend",
    "archive",
    "cancel",
    "confirm",
    "draft",
    "enact",
    "publish",
    "rehearse",
    "relock",
    "sign",
]
