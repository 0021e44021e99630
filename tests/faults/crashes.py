# SPDX-License-Identifier: EUPL-1.2
"""The crash table: each durable write of protocol §5, what is there without it and with it, and how it goes on.

Rules
  1. The words under `before` and `after` are read from what is stored (tests.faults.journeys).
  2. Killed before and failed leave `before`, unless `failed` says more: a live process can still note the failure.
     Killed after and failed-but-persisted leave `after`, unless `persisted` says more.
  3. Whatever is left, going on gives the same as if nothing had happened: nothing acknowledged is lost, nothing is
     twice, statements are the same byte for byte, no custodian is asked again.

Left to others: doing it (tests/attacks/test_crashes.py).
"""

from dataclasses import dataclass
from enum import StrEnum

from tests.faults.tables import Table
from tests.faults.trap import Point, Where


class Journey(StrEnum):
    """What is under way when it happens."""

    DEPOSIT = "deposit"
    NOTICE = "deposit without authorities"
    TOKEN = "deposit that gets its token later"
    WITHDRAWAL = "withdrawal"
    CLOSING = "closing"
    OPENING = "opening"
    PUBLISHING = "publishing the journal"
    PROCEDURE = "draft"
    PUBLICATION = "rehearsal and publication"
    AMENDMENT = "amendment"
    SWEEP = "sweep"


@dataclass(frozen=True)
class Crash:
    """One durable write of one step, and what is left when it fails.

    Attributes:
        step: the protocol's letter.
        write: what is made durable, in words.
        before, after: what is there without it and with it.
        then: how it goes on.
        failed, persisted: where a live process that meets an error leaves something else than a killed one.
    """

    journey: Journey
    step: str
    write: str
    at: Point
    before: str
    after: str
    then: str
    failed: str | None = None
    persisted: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.step} {self.write}"


def _database(what: str, nth: int = 1) -> Point:
    return Point(Where.DATABASE, what, nth)


def _gate(what: str) -> Point:
    return Point(Where.GATE, what)


def _objects(what: str, nth: int = 1) -> Point:
    return Point(Where.OBJECTS, what, nth)


def _keys(what: str, nth: int = 1) -> Point:
    return Point(Where.KEYS, what, nth)


REPEATED = "The depositor sends the same again: a receipt, once. The failed attempt stays as evidence."
SWEPT = "The depositor sends the same again. The key is swept after seven days: no object lies under its id."
GETS_IT = "The depositor sends the same again and gets the receipt that was made, byte for byte."
SAME_NOTICE = (
    "A repeat gives the same notice, byte for byte; the sweep fetches the token, with the old time of arrival."
)
SWEEP_AGAIN = "The next sweep asks again; the notice stays as it was, one receipt follows."
W_AGAIN = "A repeat withdraws, once, and gives one statement."
ASKED_AGAIN = "The next tick of the worker goes on; authorities are asked again."
SAME_TEXT = "The next tick goes on with the same text and list."
SAME_CLOSING = "The gate gives the same answer to the same closing; the box is closed once."
OFFERED_AGAIN = "The buyer offers again, with a new key; the seed without an opening is swept after seven days."
SIGNED_LATER = "The worker takes the prepared opening up; the same opening is offered."
SENT_AGAIN = "The custodian's tool sends the same contribution again and gets the same answer."
WORKER_ON = "The worker goes on from what is stored; no custodian is asked again; each envelope is opened once."
FINISHED = "The next run finishes the same batch: rows, tiles and head come out alike."

DEPOSITS = (
    Crash(Journey.DEPOSIT, "D1", "key of the object", _keys("^put 2/"), "", "key", SWEPT),
    Crash(Journey.DEPOSIT, "D2", "attempt", _database("INSERT INTO attempt"), "key", "key, attempt open", SWEPT),
    Crash(
        Journey.DEPOSIT,
        "D3",
        "sealed object",
        _objects("^complete o/"),
        "key, attempt open",
        "key, attempt open, object",
        REPEATED,
        failed="key, attempt failed",
        persisted="key, attempt failed, object",
    ),
    Crash(
        Journey.DEPOSIT,
        "D3",
        "flush of the key store",
        _keys("^durable"),
        "key, attempt open, object",
        "key, attempt open, object",
        REPEATED,
        failed="key, attempt failed, object",
        persisted="key, attempt failed, object",
    ),
    Crash(
        Journey.DEPOSIT,
        "D3",
        "flush of the store",
        _objects("^durable"),
        "key, attempt open, object",
        "key, attempt open, object",
        REPEATED,
        failed="key, attempt failed, object",
        persisted="key, attempt failed, object",
    ),
    Crash(
        Journey.DEPOSIT,
        "D4",
        "time token",
        Point(Where.AUTHORITY, "^token"),
        "key, attempt open, object",
        "key, attempt open, object",
        REPEATED,
        failed="key, attempt done, object, envelope received",
        persisted="key, attempt done, object, envelope received",
    ),
    Crash(
        Journey.DEPOSIT,
        "D5",
        "verdict, entry, receipt",
        _database("INSERT INTO envelope"),
        "key, attempt open, object",
        "key, attempt done, object, envelope sealed",
        GETS_IT,
        failed="key, attempt failed, object",
    ),
    Crash(
        Journey.NOTICE,
        "D4",
        "received, entry, notice",
        _database("INSERT INTO envelope"),
        "key, attempt open, object",
        "key, attempt done, object, envelope received",
        SAME_NOTICE,
        failed="key, attempt failed, object",
    ),
    Crash(
        Journey.TOKEN,
        "D4",
        "time token, later",
        Point(Where.AUTHORITY, "^token"),
        "envelope received",
        "envelope received",
        SWEEP_AGAIN,
    ),
    Crash(
        Journey.TOKEN,
        "D5",
        "verdict, entry, receipt, later",
        _database("UPDATE envelope"),
        "envelope received",
        "envelope sealed",
        SWEEP_AGAIN,
    ),
    Crash(
        Journey.WITHDRAWAL,
        "W",
        "token of the withdrawal",
        Point(Where.AUTHORITY, "^token"),
        "envelope sealed",
        "envelope sealed",
        W_AGAIN,
    ),
    Crash(
        Journey.WITHDRAWAL,
        "W",
        "withdrawal, entry, statement",
        _database("UPDATE envelope"),
        "envelope sealed",
        "envelope withdrawn",
        W_AGAIN,
    ),
)
CLOSINGS = (
    Crash(
        Journey.CLOSING,
        "C1",
        "token of a deposit that waited",
        _database("UPDATE envelope"),
        "box open, 1 waits for a token",
        "box open",
        ASKED_AGAIN,
    ),
    Crash(
        Journey.CLOSING,
        "C1",
        "proof that the time has come",
        _database("INSERT INTO stamp"),
        "box open",
        "box open, time proved",
        ASKED_AGAIN,
    ),
    Crash(
        Journey.CLOSING,
        "C2",
        "list, text, entry",
        _database("INSERT INTO closing"),
        "box open, time proved",
        "box closing, time proved, list",
        ASKED_AGAIN,
    ),
    Crash(
        Journey.CLOSING,
        "C2",
        "text as a locked object",
        _objects("^put text/"),
        "box closing, time proved, list",
        "box closing, time proved, list, text kept",
        SAME_TEXT,
    ),
    Crash(
        Journey.CLOSING,
        "C2",
        "list as a locked object",
        _objects("^put text/", 2),
        "box closing, time proved, list, text kept",
        "box closing, time proved, list, text kept",
        SAME_TEXT,
    ),
    Crash(
        Journey.CLOSING,
        "C3",
        "tokens over the closing",
        _database("INSERT INTO stamp", 2),
        "box closing, time proved, list, text kept",
        "box closing, time proved, list, text kept, stamped",
        SAME_TEXT,
    ),
    Crash(
        Journey.CLOSING,
        "C3",
        "signature",
        _database("UPDATE closing SET note"),
        "box closing, time proved, list, text kept, stamped",
        "box closing, time proved, list, text kept, stamped, signed",
        SAME_TEXT,
    ),
    Crash(
        Journey.CLOSING,
        "C4",
        "head of the journal",
        _database("INSERT INTO checkpoint"),
        "box closing, time proved, list, text kept, stamped, signed",
        "box closing, time proved, list, text kept, stamped, signed",
        SAME_CLOSING,
    ),
    Crash(
        Journey.CLOSING,
        "C4",
        "the gate's row",
        _gate("INSERT INTO gate.closed"),
        "box closing, time proved, list, text kept, stamped, signed",
        "box closing, time proved, list, text kept, stamped, signed, gate accepted",
        SAME_CLOSING,
    ),
    Crash(
        Journey.CLOSING,
        "C4",
        "box closed",
        _database("UPDATE closing SET is_accepted"),
        "box closing, time proved, list, text kept, stamped, signed, gate accepted",
        "box closed, time proved, list, text kept, stamped, signed, gate accepted",
        SAME_CLOSING,
    ),
)
_SIGNED = "box opening, offered, seed, gate signed"
_ASKED = f"{_SIGNED}, 2 contributions"
_RELEASED = "box opening, released, seed, gate signed, 2 contributions, 2 accepted, gate released"
_KEYS = "2 contributions, 2 accepted, gate released, read again, 2 file keys"
_KEYED = f"box keyed, keyed, gate signed, {_KEYS}"
OPENINGS = (
    Crash(
        Journey.OPENING,
        "O0",
        "proof of not_before",
        _database("INSERT INTO stamp"),
        "box closed",
        "box closed",
        ASKED_AGAIN,
    ),
    Crash(
        Journey.OPENING,
        "O1",
        "seed of the opening key",
        _keys("^put 4/"),
        "box closed",
        "box closed, seed",
        OFFERED_AGAIN,
    ),
    Crash(
        Journey.OPENING,
        "O2",
        "opening's text",
        _database("INSERT INTO opening"),
        "box closed, seed",
        "box opening, prepared, seed",
        f"Before: {OFFERED_AGAIN} After: {SIGNED_LATER}",
    ),
    Crash(
        Journey.OPENING,
        "O2",
        "text as a locked object",
        _objects("^put text/"),
        "box opening, prepared, seed",
        "box opening, prepared, seed",
        SIGNED_LATER,
    ),
    Crash(
        Journey.OPENING,
        "O2",
        "the gate's row",
        _gate("INSERT INTO gate.signed"),
        "box opening, prepared, seed",
        "box opening, prepared, seed, gate signed",
        SIGNED_LATER,
    ),
    Crash(
        Journey.OPENING,
        "O2",
        "signatures, entry",
        _database("UPDATE opening SET state=[^;]*note="),
        "box opening, prepared, seed, gate signed",
        _SIGNED,
        SIGNED_LATER,
    ),
    Crash(
        Journey.OPENING,
        "O3",
        "contribution, entry, job",
        _database("INSERT INTO contribution"),
        _SIGNED,
        f"{_SIGNED}, 1 contribution",
        SENT_AGAIN,
    ),
    Crash(
        Journey.OPENING,
        "O3",
        "shares tried",
        _database("UPDATE contribution"),
        _ASKED,
        f"{_ASKED}, 1 accepted",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O4",
        "the gate's release",
        _gate("INSERT INTO gate.released"),
        f"{_ASKED}, 2 accepted",
        f"{_ASKED}, 2 accepted, gate released",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O4",
        "release, entry",
        _database("UPDATE opening SET state=[^;]*release="),
        f"{_ASKED}, 2 accepted, gate released",
        _RELEASED,
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O4a",
        "what re-reading found",
        _database("UPDATE opening SET rotten"),
        _RELEASED,
        f"{_RELEASED}, read again",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O5",
        "first file key",
        _keys("^put 5/"),
        f"{_RELEASED}, read again",
        f"{_RELEASED}, read again, 1 file key",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O5",
        "last file key",
        _keys("^put 5/", 2),
        f"{_RELEASED}, read again, 1 file key",
        f"{_RELEASED}, read again, 2 file keys",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O6",
        "keyed, entry",
        _database("UPDATE opening SET state=[^;]*keyed="),
        f"{_RELEASED}, read again, 2 file keys",
        f"box keyed, keyed, seed, gate signed, {_KEYS}",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O6",
        "seed destroyed",
        _keys("^delete 4/"),
        f"box keyed, keyed, seed, gate signed, {_KEYS}",
        _KEYED,
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O7",
        "first envelope opened, entry",
        _database("INSERT INTO document"),
        _KEYED,
        f"{_KEYED}, 1 opened",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O7",
        "last envelope opened, entry",
        _database("INSERT INTO document", 2),
        f"{_KEYED}, 1 opened",
        f"{_KEYED}, 2 opened",
        WORKER_ON,
    ),
    Crash(
        Journey.OPENING,
        "O8",
        "minutes, entry, box opened",
        _database("UPDATE opening SET state=[^;]*minutes="),
        f"{_KEYED}, 2 opened",
        f"box opened, minuted, gate signed, {_KEYS}, 2 opened",
        WORKER_ON,
    ),
)
OTHERS = (
    Crash(
        Journey.SWEEP,
        "sweep",
        "key without an object destroyed",
        _keys("^delete 2/"),
        "key",
        "",
        "A new worker looks at it for seven days anew, then destroys it.",
    ),
)
_COPIED = "entries placed, copy kept, copy done"
JOURNAL = (
    Crash(
        Journey.PUBLISHING,
        "journal",
        "places of the entries",
        _database("UPDATE journal"),
        "entries",
        "entries placed",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "number of a copy of the rows",
        _database("UPDATE mirror SET begun"),
        "entries placed",
        "entries placed",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "copy of the rows as a locked object",
        _objects("^put mirror/"),
        "entries placed",
        "entries placed, copy kept",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "flush of the store",
        _objects("^durable"),
        "entries placed, copy kept",
        "entries placed, copy kept",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "copy done",
        _database("DELETE FROM unmirrored"),
        "entries placed, copy kept",
        _COPIED,
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING, "journal", "first tile", _objects("^put tile/"), _COPIED, f"{_COPIED}, some tiles", FINISHED
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "signed head as a locked object",
        _objects("^put checkpoint/"),
        f"{_COPIED}, some tiles",
        f"{_COPIED}, some tiles, head kept",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "flush of the store",
        _objects("^durable", 2),
        f"{_COPIED}, some tiles, head kept",
        f"{_COPIED}, some tiles, head kept",
        FINISHED,
    ),
    Crash(
        Journey.PUBLISHING,
        "journal",
        "row of the head",
        _database("INSERT INTO checkpoint"),
        f"{_COPIED}, some tiles, head kept",
        f"{_COPIED}, some tiles, head kept, head published",
        FINISHED,
    ),
)
DRAFTED_AGAIN = "The buyer drafts again; the keys of the draft that broke off stay, and nothing was sealed under them."
REHEARSED_AGAIN = "The custodian's tool sends the same again; it counts once."
PUBLISHED_AGAIN = "The buyer publishes again; the gate gives the same signature to the same policy."
ENACTED = "The job of the last signature, or the custodian's tool sending it again, puts the same epoch in force, once."
_REHEARSED = "drafted, 1 rehearsed"
_READY = f"{_REHEARSED}, 1 signed"
_AMENDED = "published, epoch 1 preparing"
PROCEDURES = (
    Crash(Journey.PROCEDURE, "4.1", "key of the procedure", _keys("^put 1/"), "", "key", DRAFTED_AGAIN),
    Crash(Journey.PROCEDURE, "4.1", "seed of the gate", _keys("^put 3/"), "key", "key, gate seed", DRAFTED_AGAIN),
    Crash(
        Journey.PROCEDURE,
        "4.1",
        "policy, canaries",
        _database("INSERT INTO procedure"),
        "key, gate seed",
        "key, gate seed, drafted",
        DRAFTED_AGAIN,
    ),
    Crash(
        Journey.PUBLICATION,
        "4.1",
        "rehearsal, entry",
        _database("UPDATE holder_act SET rehearsals"),
        "drafted",
        _REHEARSED,
        REHEARSED_AGAIN,
    ),
    Crash(
        Journey.PUBLICATION,
        "4.1",
        "signature",
        _database("UPDATE policy SET note"),
        _REHEARSED,
        _READY,
        REHEARSED_AGAIN,
    ),
    Crash(
        Journey.PUBLICATION,
        "4.1",
        "policy as a locked object",
        _objects("^put text/"),
        _READY,
        f"{_READY}, text kept",
        PUBLISHED_AGAIN,
    ),
    Crash(
        Journey.PUBLICATION,
        "4.1",
        "the gate's row",
        _gate("INSERT INTO gate.policy"),
        f"{_READY}, text kept",
        f"{_READY}, text kept, gate accepted",
        PUBLISHED_AGAIN,
    ),
    Crash(
        Journey.PUBLICATION,
        "4.1",
        "published, boxes, entry",
        _database("INSERT INTO box"),
        f"{_READY}, text kept, gate accepted",
        "published, 1 rehearsed, 1 signed, text kept, gate accepted",
        PUBLISHED_AGAIN,
    ),
    Crash(
        Journey.AMENDMENT,
        "3.3",
        "next epoch in preparation",
        _database("INSERT INTO policy"),
        "published, epoch 0 in_force",
        _AMENDED,
        "The buyer amends again: one next epoch is in preparation.",
    ),
    Crash(
        Journey.AMENDMENT,
        "3.3",
        "last signature, job",
        _database("UPDATE policy SET note"),
        _AMENDED,
        f"{_AMENDED}, signed",
        ENACTED,
    ),
    Crash(
        Journey.AMENDMENT,
        "3.3",
        "the gate's row",
        _gate("INSERT INTO gate.policy"),
        f"{_AMENDED}, signed",
        f"{_AMENDED}, signed, gate accepted",
        ENACTED,
    ),
    Crash(
        Journey.AMENDMENT,
        "3.3",
        "in force, dates, entry",
        _database("UPDATE box"),
        f"{_AMENDED}, signed, gate accepted",
        "published, epoch 1 in_force, signed, gate accepted",
        ENACTED,
    ),
)
TABLE = (*PROCEDURES, *DEPOSITS, *CLOSINGS, *OPENINGS, *JOURNAL, *OTHERS)


def table() -> Table:
    """As the reliability page shows it."""
    rows = [[one.journey.value, f"**{one.step}**", one.write, *_left(one), one.then] for one in TABLE]
    return Table(
        "A process dies, or what it asks fails",
        "For each durable write of the protocol: killed just before it, killed just after it, an error instead of it, "
        "and an error although it was made. What is then there is read from the stores; a new process goes on; and the "
        "end is the same as if nothing had happened.",
        ["while", "step", "durable write", "not made", "made", "how it goes on"],
        rows,
    )


def _left(one: Crash) -> tuple[str, str]:
    def say(killed: str, failed: str | None) -> str:
        return killed or "nothing" if failed is None else f"killed: {killed}<br>failed: {failed}"

    return say(one.before, one.failed), say(one.after, one.persisted)
