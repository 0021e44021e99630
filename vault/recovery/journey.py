# SPDX-License-Identifier: EUPL-1.2
"""The recovery, step by step (protocol §5, T52, T64).

Rules
  1. It runs alone: no API, no worker. It can be broken off anywhere and begun again; a second run finds nothing to do.
  2. The store's locked objects decide; then what gate and vault know of each other; then what holders show.
  3. Nothing is made up: what was signed is adopted byte for byte, what is gone is named.
  4. A rehearsal does all of it in transactions that are thrown away, on stores that keep nothing.

Left to others: going on with closings, openings and received deposits, which is the worker's ordinary work.
"""

from collections.abc import Iterable, Sequence

from crypto.encoding import encode, sha256
from crypto.events import EventKind
from vault import journal, sequencer
from vault.errors import CallerError, OutsideError, RolledBack, VaultError
from vault.gate import told
from vault.journal import Place
from vault.keys import EVERYBODY
from vault.recovery import claims, gates, log, objects, rehearsal, rows, texts, wraps
from vault.recovery.claims import Claim, Shown
from vault.recovery.findings import Findings, Loss, Lost
from vault.recovery.log import ToldEntry
from vault.recovery.rows import Progress
from vault.work import Works, alone


def recover(works: Works, *, shown: Iterable[Shown] = (), progress: Progress, is_rehearsal: bool = False) -> Findings:
    """Bring back what a restored database and a restored key store have lost.

    Args:
        works: the vault, put together without its checks at start.
        shown: receipts, notices and withdrawals as their holders show them.
        progress: told what is looked at, how many are done, of how many (0: unknown).
        is_rehearsal: find out all of it and change nothing.

    Raises:
        StillRunning: an API or a worker runs on the database.
        CannotRecover: what is stored contradicts itself.
        StoreUnavailable, DatabaseUnavailable: begin again.
    """
    with alone(works.engine):
        if not is_rehearsal:
            return _recover(works, list(shown), progress=progress)
        with rehearsal.rehearsing(works) as harmless:
            return _recover(harmless, list(shown), progress=progress, is_last=False)


def require_nothing_lost(works: Works) -> None:
    """What every start asks; RolledBack where a recovery is due."""
    sequencer.require_not_rolled_back(works)
    told.require_remembered(works)


def _recover(works: Works, shown: Sequence[Shown], *, progress: Progress, is_last: bool = True) -> Findings:
    found = Findings()
    # 1. Rows from the copies in the store.
    rows.put_back(works, found, progress=progress)
    # 2. The log goes on at the newest head; entries that nobody else tells come from the shown statements.
    read = claims.read_claims(works, shown, found)
    log.continue_log(works, found, told=_told(works, read), progress=progress)
    # 3. Vault and gate know the same acts; closings that neither has come from their texts.
    gates.agree(works, found)
    texts.adopt_closings(works, found, progress=progress)
    # 4. Keys: derived again or named.
    wraps.look(works, found, progress=progress)
    # 5. Objects without a row: registered by the statements shown, else named.
    _claim(works, found, read, progress=progress)
    # 6. ◆ The journal says so; with its next head everything is copied again.
    if found.done:
        _tell(works, found)
    if is_last:
        sequencer.publish(works)
        _require_agreement(works, found)
    return found


def _told(works: Works, read: Sequence[Claim]) -> dict[bytes, ToldEntry]:
    entries = []
    for claim in read:
        try:
            entries.append(ToldEntry(*claim.entry, place=claims.place_of(works, claim)))
        except CallerError:
            continue  # named when it is worked off
    return {one.leaf: one for one in entries}


def _claim(works: Works, found: Findings, read: Sequence[Claim], *, progress: Progress) -> None:
    loose = objects.look(works, found, progress=progress)
    for place, claim in enumerate(read):
        progress("statements", place, len(read))
        try:
            done = claims.settle(works, claim, loose=loose)
        except (VaultError, ValueError) as error:
            reason = getattr(error, "code", "format")
            found.name(Loss(Lost.STATEMENT, claim.name, box=claim.said.record.box, reason=str(reason)))
            continue
        if done is not None:
            found.did(done)
        claims.name_after_closing(works, found, claim)
    objects.name(works, found, loose)


def _tell(works: Works, found: Findings) -> None:
    said = encode([[what.value, count] for what, count in sorted(found.done.items())])
    place = Place(EVERYBODY)
    with works.open() as work:
        subject = sha256(said)
        event = journal.event(EventKind.VAULT_RECOVERED, at=work.now, place=place, subject=subject, data=said)
        journal.append(works, work, event, place=place)


def _require_agreement(works: Works, found: Findings) -> None:
    """The checks of every start; what the gate still does not remember is named, and it goes on refusing."""
    sequencer.require_not_rolled_back(works)
    try:
        told.require_remembered(works)
    except (RolledBack, OutsideError) as error:
        found.name(Loss(Lost.GATE, str(error), reason=error.code))
