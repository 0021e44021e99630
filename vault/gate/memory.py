# SPDX-License-Identifier: EUPL-1.2
"""Whether the gate remembers what the journal tells of its acts (protocol §5, T52).

Rules
  1. The gate's row comes before the journal's entry, so an entry without a row means that the gate was rolled back.
  2. `box.closed` is entered before the gate accepts the closing (C2, C4): only those of closings that the gate has
     accepted are shown here (vault.gate.told).

Left to others: the journal being behind its own checkpoint (vault.sequencer).
"""

from collections.abc import Callable, Iterable, Mapping

from sqlmodel import Session

from crypto.events import Event, EventKind
from vault.gate.records import has_closing, has_opening, has_release, policy_row


def missing_act(session: Session, events: Iterable[Event]) -> Event | None:
    """The first event of an act of the gate that has no row."""
    for event in events:
        remembers = _MEMORIES.get(event.kind)
        if remembers is not None and not remembers(session, event.subject):
            return event
    return None


def _has_policy(session: Session, policy_hash: bytes) -> bool:
    return policy_row(session, policy_hash) is not None


_MEMORIES: Mapping[EventKind, Callable[[Session, bytes], bool]] = {
    EventKind.POLICY_PUBLISHED: _has_policy,
    EventKind.POLICY_AMENDED: _has_policy,
    EventKind.BOX_CLOSED: has_closing,
    EventKind.OPENING_SIGNED: has_opening,
    EventKind.GATE_RELEASED: has_release,
}
