# SPDX-License-Identifier: EUPL-1.2
"""What becomes of each journey while a part that it needs is away, slow, errs, gives wrong bytes or lies.

The table is read by the test (tests/faults/test_dependencies.py) and by docs/reference/reliability.md. It has a
line for each part and fault, and in it what every journey shows outside; a journey that is not named goes on as if
nothing were. In every case nothing acknowledged is lost, and the same act succeeds once the part is as before,
unless the line says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.faults.outages import OUTAGES, Dependency, Fault
from tests.faults.paths import BROKEN_OFF, NOTICE, Journey
from tests.faults.tables import Table

EVERY = tuple(Journey)
DATABASE = tuple(one for one in Journey if one is not Journey.PRINT)  # a print is made from what its holder sends
REPEAT = "repeating the act"


@dataclass(frozen=True)
class Expected:
    """One line.

    Attributes:
        seen: by journey, the problem or error seen outside; the others go on.
        after: what is so afterwards.
        heals: what makes it good.
        kept: findings of check_everything that stay until that is done.
        stays: journeys that the repeat alone does not heal.
    """

    seen: Mapping[Journey, str] = field(default_factory=dict)
    after: str = "nothing was changed"
    heals: str = REPEAT
    kept: tuple[str, ...] = ()
    stays: tuple[Journey, ...] = ()

    @property
    def needs(self) -> frozenset[Journey]:
        """The journeys that it stops or changes."""
        return frozenset(self.seen)


def _all(word: str, *journeys: Journey) -> dict[Journey, str]:
    return dict.fromkeys(journeys, word)


P, D, W, CL, CO, OP, R, PR, E = EVERY
UNAVAILABLE = "unavailable"
_AWAY = {**_all(UNAVAILABLE, *DATABASE), CL: "database-unavailable"}
_STORE_AWAY = {**_all(UNAVAILABLE, P, D, OP, R, E), CL: "store-unavailable"}
_KEYS_AWAY = _all(UNAVAILABLE, P, D, OP, R, E)
_ONE_AUTHORITY = Expected(
    {CL: "time-unproven"},
    after="the other is asked: receipts as ever; a closing waits for both",
    heals="the authority's return; the worker asks again at every tick",
)
_NO_AUTHORITY = Expected(
    {D: NOTICE, W: UNAVAILABLE, CL: "time-unproven", PR: UNAVAILABLE, E: UNAVAILABLE},
    after="deposits are received and acknowledged by a notice with their time; openings use the closing's tokens",
    heals="an authority's return; the sweep fetches receipts, the worker closes",
)
_ROW = Expected(
    {P: "internal", **_all("internal", CO, OP, E)},
    after="nothing is done under a policy that its holders did not sign; deposits go by the signed one",
    heals="`bidvault recover`, or the row from a copy",
)

EXPECTED: Mapping[tuple[Dependency, Fault], Expected] = {
    (Dependency.DATABASE, Fault.DOWN): Expected(_AWAY),
    (Dependency.DATABASE, Fault.SLOW): Expected(
        _AWAY, after="the statement is given up after its patience; nothing was changed"
    ),
    (Dependency.DATABASE, Fault.ERROR): Expected(_AWAY, after="an act whose entry cannot be written does not happen"),
    (Dependency.DATABASE, Fault.WRONG): _ROW,
    (Dependency.DATABASE, Fault.LIES): _ROW,
    (Dependency.OBJECTS, Fault.DOWN): Expected(_STORE_AWAY),
    (Dependency.OBJECTS, Fault.SLOW): Expected(_STORE_AWAY, after="what was written in vain is swept one day"),
    (Dependency.OBJECTS, Fault.ERROR): Expected(_STORE_AWAY),
    (Dependency.OBJECTS, Fault.WRONG): Expected(
        {CL: "rolled-back", R: "internal", E: BROKEN_OFF},
        after="no head is signed over changed tiles; an opening names the envelope and leaves it sealed",
        heals="the objects, restored from a copy",
    ),
    (Dependency.OBJECTS, Fault.LIES): Expected(
        after="an envelope that it did not keep is named before anyone is asked, and stays sealed; no head is signed "
        "over tiles that it did not keep",
        heals="`bidvault store check` and another store; the bidder deposits again",
        kept=(
            "object-rotten",
            "text-of-another-statement",
            "head-not-in-the-store",
            "tile-not-as-derived",
            "bundle-not-as-derived",
            "acknowledged-not-provable",
            "mirror-not-as-written",
        ),
    ),
    (Dependency.KEYS, Fault.DOWN): Expected(_KEYS_AWAY),
    (Dependency.KEYS, Fault.SLOW): Expected(_KEYS_AWAY),
    (Dependency.KEYS, Fault.ERROR): Expected(_KEYS_AWAY),
    (Dependency.KEYS, Fault.WRONG): Expected(
        _all("internal", P, OP, R, E),
        after="no key is guessed: a changed wrap opens nothing",
        heals="the key store, restored from its copy",
    ),
    (Dependency.KEYS, Fault.LIES): Expected(
        {OP: "wrap"},
        after="an envelope whose key it did not keep is named before anyone is asked, and stays sealed",
        heals="the buyer abandons the opening and offers another; the bidder deposits again",
        kept=("object-rotten", "object-without-key", "opening-without-seed"),
        stays=(OP,),
    ),
    **{(one, fault): _ONE_AUTHORITY for one in (Dependency.A, Dependency.B) for fault in Fault},
    **{(Dependency.BOTH, fault): _NO_AUTHORITY for fault in Fault},
    (Dependency.GATE, Fault.DOWN): Expected({P: UNAVAILABLE, CL: "database-unavailable", OP: UNAVAILABLE}),
    (Dependency.GATE, Fault.SLOW): Expected({P: UNAVAILABLE, CL: "database-unavailable", OP: UNAVAILABLE}),
    (Dependency.GATE, Fault.ERROR): Expected({P: "internal", CL: "ZeroDivisionError", OP: "internal"}),
    (Dependency.GATE, Fault.WRONG): Expected(
        {P: UNAVAILABLE, OP: UNAVAILABLE}, after="nothing is written on an answer that does not hold"
    ),
    (Dependency.GATE, Fault.LIES): Expected(
        {P: UNAVAILABLE, OP: UNAVAILABLE},
        after="nothing is written on an answer that does not hold; a closing that it forgot is refused at the opening",
        heals=f"{REPEAT}; `bidvault recover` shows it the closing again",
        kept=("closing-the-gate-does-not-know",),
    ),
    (Dependency.DISK, Fault.DOWN): Expected({**_all(UNAVAILABLE, P, D, OP, E), CL: "store-unavailable"}),
    (Dependency.DISK, Fault.ERROR): Expected(
        {D: "store-full"}, after="refused before a byte of the bid is read; reading and opening go on", heals="room"
    ),
    (Dependency.DISK, Fault.LIES): Expected(
        _AWAY, after="an act whose entry cannot be written does not happen; what reads goes on", heals="room"
    ),
}


def rows() -> list[list[str]]:
    """The table's lines, as a page shows them."""
    return [
        [str(dependency), f"{fault}: {words}", _words(expected), expected.after, expected.heals]
        for (dependency, fault), (words, _) in OUTAGES.items()
        for expected in (EXPECTED[dependency, fault],)
    ]


def _words(expected: Expected) -> str:
    if not expected.seen:
        return "all go on"
    grouped: dict[str, list[str]] = {}
    for journey, word in expected.seen.items():
        grouped.setdefault(word, []).append(str(journey))
    said = "; ".join(f"`{word}`: {', '.join(journeys)}" for word, journeys in grouped.items())
    return said if len(expected.seen) == len(EVERY) else f"{said}; the others go on"


def table() -> Table:
    """For docs/reference/reliability.md."""
    return Table(
        "Parts that fail",
        "Each part, each way to fail, and what every journey shows outside: the problem of the API, or the error's "
        "code in the worker's log. Nothing acknowledged is lost in any line. A share of the cells is tried on every "
        "run, all of them in the long tests.",
        ("part", "fault", "seen outside", "afterwards", "what heals it"),
        rows(),
    )
