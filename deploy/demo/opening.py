# SPDX-License-Identifier: EUPL-1.2
"""Closing, and opening by three: the list is fixed first, the technical parts open, then the financial ones."""

import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypedDict

from api.cli import procedure as buyer_command
from api.cli.custodian import commands as custodian_command
from api.cli.remote import Vault, VaultRefused
from crypto.closings import Closing
from crypto.statement import Kind, parse_note
from deploy.demo.cast import BIDDERS, CUSTODIANS, Deposited
from deploy.demo.errors import CommandRefused, DemoFailed
from deploy.demo.procedure import BOXES
from deploy.demo.screen import Advance, steps
from deploy.demo.stage import BUYER, Stage

TECHNICAL_BOXES, FINANCIAL_BOXES = (1, 3), (2, 4)
OPENERS = (CUSTODIANS[0], CUSTODIANS[2], CUSTODIANS[4])
CLOSING_PATIENCE = timedelta(seconds=90)


class DocumentSeen(TypedDict):
    """One opened document, as the API lists it."""

    number: int
    path: str
    size: int
    sha256: str


class EnvelopeSeen(TypedDict):
    """One envelope of a closed box, as the API lists it."""

    id: str
    box: int
    state: str
    bidder: str
    documents: list[DocumentSeen]


def tell_closing(stage: Stage) -> None:
    """The boxes close by themselves once two authorities prove that the time has come."""
    stage.screen.chapter(
        "Closing",
        "Deadline and settle have passed, and two time authorities under different roots prove it: the lists of "
        "envelopes are fixed, signed and stamped. From now on nothing can be added or dropped.",
    )
    stage.screen.wait_until(stage.deadline + stage.settle, "The last receipts settle")
    stage.wait_for("The boxes close", lambda: _states(stage) == {"closed"}, patience=CLOSING_PATIENCE)
    for box, name in BOXES.items():
        note = stage.asked(f"/v1/procedures/{stage.procedure}/boxes/{box}/closing")
        count = Closing.of(parse_note(note, Kind.CLOSING)).count
        stage.screen.done(
            f"Box {box} ({name}) is closed", f"{count} {'envelope stands' if count == 1 else 'envelopes stand'}"
        )


def tell_prints(stage: Stage) -> None:
    """Closing lists and minutes as PDFs, as the worker has printed and stored them."""
    wanted = {f"closing-box-{box}": f"/v1/procedures/{stage.procedure}/boxes/{box}/closing.pdf" for box in BOXES}
    wanted |= {
        f"minutes-{name}": f"/v1/openings/{opening}/minutes.pdf"
        for name, opening in zip(("technical", "financial"), stage.openings, strict=True)
    }
    for name, address in wanted.items():
        for language in ("fr", "en"):
            target = stage.places.minutes / f"{name}.{language}.pdf"
            stage.wait_for(
                "Printing lists and minutes", partial(_save, stage, f"{address}?language={language}", target)
            )
    stage.screen.done(
        f"{2 * len(wanted)} lists and minutes as PDF in French and English, signed with the vault's seal",
        "each carries the signed statement that it prints",
    )


def tell_opening(stage: Stage) -> None:
    """Three of five open the technical parts, then the financial ones."""
    stage.screen.chapter(
        "Opening",
        "Three of the five custodians contribute, each from where they are. Their shares meet in the vault only now, "
        "and the gate adds its own only because the time is proved.",
    )
    _show_wrong_order(stage)
    for name, boxes in (("technical", TECHNICAL_BOXES), ("financial", FINANCIAL_BOXES)):
        _open(stage, name, boxes)
    stage.screen.table(
        "",
        ("bidder", "lot", "part", "state", "documents"),
        [_row(one) for one in envelopes(stage)],
    )


def tell_downloads(stage: Stage) -> None:
    """Every opened document is downloaded and compared with what was handed in."""
    opened = [one for one in envelopes(stage) if one["state"] == "opened"]
    stage.screen.chapter(
        "The same bytes",
        "The buyer downloads every opened document; each is compared byte for byte with the file that was handed in.",
    )
    count = whole = 0
    with stage.screen.working("Downloading", sum(each["size"] for one in opened for each in one["documents"])) as moved:
        for one in opened:
            for each in one["documents"]:
                _compare(stage, _deposited(stage, one["id"]), each, moved)
                count, whole = count + 1, whole + each["size"]
    stage.screen.done(f"{count} documents, {whole / 1e6:,.1f} MB: every byte as it was handed in")


def envelopes(stage: Stage) -> list[EnvelopeSeen]:
    """The envelopes of the closed boxes, as the buyer sees them."""
    found: list[EnvelopeSeen] = json.loads(stage.asked(f"/v1/procedures/{stage.procedure}/envelopes"))
    return found


def _save(stage: Stage, address: str, target: Path) -> bool:
    """Save a print once it is made."""
    try:
        target.write_bytes(stage.asked(address))
    except VaultRefused:
        return False
    return True


def _states(stage: Stage) -> set[str]:
    boxes = stage.shown()["boxes"]
    return {str(one["state"]) for one in boxes} if isinstance(boxes, list) else set()


def _show_wrong_order(stage: Stage) -> None:
    try:
        stage.as_buyer(buyer_command.open_boxes, str(stage.procedure), box=list(FINANCIAL_BOXES))
    except CommandRefused as refusal:
        stage.screen.refused("The buyer opens the prices before the technical parts", str(refusal))
        return
    raise DemoFailed("prices could be opened before the technical parts")


def _open(stage: Stage, name: str, boxes: tuple[int, ...]) -> None:
    with stage.screen.busy(f"The buyer offers the opening of the {name} parts"):
        opening = stage.as_buyer(buyer_command.open_boxes, str(stage.procedure), box=list(boxes)).split()[0]
    stage.openings.append(opening)
    stage.screen.told(f"The opening of the {name} parts is offered", "every stored byte was read once and is intact")
    for custodian in OPENERS:
        with stage.screen.busy(f"{custodian.name} checks the list and contributes"):
            said = stage.as_custodian(custodian, custodian_command.contribute, opening=opening)
        stage.screen.done(f"{custodian.name}, {custodian.organisation}", said)
    stage.wait_for(f"The {name} parts open", lambda: _state(stage, opening) == "minuted")
    stage.screen.done(f"The {name} parts are opened; the minutes are signed")


def _state(stage: Stage, opening: str) -> str:
    return str(json.loads(stage.asked(f"/v1/openings/{opening}"))["state"])


def _row(one: EnvelopeSeen) -> tuple[str, ...]:
    lot, part = BOXES[one["box"]].removeprefix("lot ").split(", ")
    names = ", ".join(each["path"] for each in one["documents"])
    return BIDDERS[one["bidder"]].name, lot, part, one["state"], names or "—"


def _deposited(stage: Stage, envelope: str) -> Deposited:
    return next(one for one in stage.deposited.values() if str(one.id) == envelope)


def _compare(stage: Stage, made: Deposited, document: DocumentSeen, moved: Advance) -> None:
    """Download one document and compare it."""
    target = stage.places.opened / made.bid.name / document["path"]
    target.parent.mkdir(parents=True, exist_ok=True)
    path = f"/v1/procedures/{stage.procedure}/envelopes/{made.id}/documents/{document['number']}"
    Vault(stage.url, stage.token(BUYER)).download(path, target, progress=steps(moved))
    original = made.bid.folder(stage.places.documents) / document["path"]
    with original.open("rb") as first, target.open("rb") as second:
        while True:
            one, two = first.read(1 << 20), second.read(1 << 20)
            if one != two:
                raise DemoFailed(f"{target} is not what was handed in")
            if not one:
                return
