# SPDX-License-Identifier: EUPL-1.2
"""What a recovery found, did, and could not do: values, worded nowhere here (the words are api's or deploy's).

Rules
  1. What came back is counted; what cannot be had again is named, one by one.
  2. A finding tells procedures, boxes and ids, and never a bidder, a document or a key.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Done(StrEnum):
    """What a recovery did."""

    ROWS = "rows"  # put back from the copies
    PLACES = "places"  # entries of the journal placed as the log in the store says
    HEADS = "heads"  # signed heads of the log adopted
    POLICIES = "policies"  # epochs that the gate had stored, put in force
    CLOSINGS = "closings"  # closings adopted byte for byte
    OPENINGS = "openings"  # openings that the gate had signed, adopted
    GATE = "gate"  # acts that the gate remembers again
    KEYS = "keys"  # file keys of keyed envelopes, recovered from stored contributions
    KEYED = "keyed"  # a box whose keys are all there, said to be keyed again
    REPEATED = "repeated"  # openings given up, so that a new attempt restores their keys
    REGISTERED = "registered"  # envelopes, by the receipt or notice that their holder showed
    JUDGED = "judged"  # received envelopes that have their verdict back
    WITHDRAWN = "withdrawn"  # withdrawals, by the statement that their holder showed


class Lost(StrEnum):
    """What could not be had again, or needs somebody."""

    COPY = "copy"  # a copy of rows is gone or damaged
    ENTRY = "entry"  # an entry of the journal whose content nobody has
    PROCEDURE_KEY = "procedure-key"
    GATE_SEED = "gate-seed"
    OBJECT_KEY = "object-key"
    OBJECT = "object"
    PROCEDURE = "procedure"  # the gate knows its policy, and no row tells whose it is
    UNCLAIMED = "unclaimed"  # an object that no row names: its depositor's receipt brings it back
    UNREADABLE = "unreadable"  # an object that no row names, and that no key opens
    STATEMENT = "statement"  # a shown statement that could not be used
    AFTER_CLOSING = "after-closing"  # in time by its receipt, and its box was closed without it
    GATE = "gate"  # the gate does not take an act back


@dataclass(frozen=True)
class Loss:
    """One thing that is named.

    Attributes:
        subject: what it is, for people: an id, a name, a range.
        procedure, box: where it belongs, if that is known.
        reason: a stable word that says why, where there are several.
    """

    kind: Lost
    subject: str
    procedure: UUID | None = None
    box: int = 0
    reason: str = ""


@dataclass
class Findings:
    """Grows while a recovery goes on."""

    done: dict[Done, int] = field(default_factory=dict)
    lost: list[Loss] = field(default_factory=list)

    def did(self, what: Done, count: int = 1) -> None:
        """Count something done; nothing is nothing."""
        if count:
            self.done[what] = self.done.get(what, 0) + count

    def name(self, loss: Loss) -> None:
        """Name something once."""
        if loss not in self.lost:
            self.lost.append(loss)

    def of(self, kind: Lost) -> Iterator[Loss]:
        """What was named of one kind."""
        return (one for one in self.lost if one.kind is kind)
