# SPDX-License-Identifier: EUPL-1.2
"""The procedure: drafted by its buyer, rehearsed and signed by each custodian, published, confirmed."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api.cli import procedure as buyer_command
from api.cli.custodian import commands as custodian_command
from deploy.demo.cast import BUYER, BUYER_SIRET, CUSTODIANS, QUORUM, REFERENCE, TITLE
from deploy.demo.errors import CommandRefused, DemoFailed
from deploy.demo.stage import Stage

SETTLE = timedelta(seconds=45)  # the least that the protocol allows
LOTS = (("1", "Gros œuvre"), ("2", "Menuiseries extérieures"))
BOXES = {1: "lot 1, technical", 2: "lot 1, financial", 3: "lot 2, technical", 4: "lot 2, financial"}
ROOM_FOR_DEPOSITS = 65.0  # seconds from publication to deadline where the machine is quick
KEY_USES = 10  # times that a key file is opened between draft and publication's last confirmation


def tell(stage: Stage, *, key_seconds: float) -> None:
    """Draft, rehearse, publish, confirm.

    Args:
        key_seconds: how long making one key has taken here: tells how far away the deadline must be.
    """
    stage.screen.chapter(
        "The procedure",
        "A buyer drafts it. Every custodian opens a test envelope before it can be published: no key is found missing "
        "on the day of the opening.",
    )
    room = timedelta(seconds=ROOM_FOR_DEPOSITS + 2.5 * KEY_USES * key_seconds)
    stage.settle = SETTLE
    stage.deadline = (datetime.now(UTC) + room).replace(microsecond=0)
    _draft(stage)
    _show_too_early(stage)
    _rehearse(stage)
    stage.policy_hash = stage.as_buyer(buyer_command.publish, str(stage.procedure)).split()[0]
    stage.screen.done("Published; the notice prints the hash of its rules", stage.policy_hash)
    _confirm(stage)
    stage.screen.told(
        f"Deadline for all four boxes: {stage.deadline.astimezone():%H:%M:%S}",
        f"in {(stage.deadline - datetime.now(UTC)).total_seconds():.0f} seconds; real ones are weeks away",
    )


def _draft(stage: Stage) -> None:
    wanted = {
        "reference": REFERENCE,
        "title": TITLE,
        "siret": BUYER_SIRET,
        "buyer": BUYER,
        "settle": int(SETTLE.total_seconds()),
        "lots": [{"id": lot, "title": title, "parts": _parts(stage)} for lot, title in LOTS],
    }
    file = stage.places.keys / "procedure.json"
    file.write_text(json.dumps(wanted, indent=1, ensure_ascii=False), encoding="utf-8")
    with stage.screen.busy("The buyer drafts the procedure"):
        stage.procedure = UUID(stage.as_buyer(buyer_command.create, file).split()[0])
    stage.screen.done(f"Drafted: {REFERENCE}, {TITLE}", "two lots, each with a technical and a financial part")


def _parts(stage: Stage) -> list[dict[str, object]]:
    cards = [custodian.card(stage.places.keys).name for custodian in CUSTODIANS]
    part: dict[str, object] = {"deadline": stage.deadline.isoformat(), "k": QUORUM, "custodians": cards}
    return [{**part, "part": "technical"}, {**part, "part": "financial", "after": ["technical"]}]


def _show_too_early(stage: Stage) -> None:
    try:
        stage.as_buyer(buyer_command.publish, str(stage.procedure))
    except CommandRefused as refusal:
        stage.screen.refused("The buyer publishes before the rehearsals", str(refusal))
        return
    raise DemoFailed("the procedure could be published without a rehearsal")


def _rehearse(stage: Stage) -> None:
    for custodian in CUSTODIANS:
        with stage.screen.busy(f"{custodian.name} rehearses"):
            stage.as_custodian(custodian, custodian_command.rehearse, procedure=str(stage.procedure))
    stage.screen.done("Five custodians have opened the test envelope with their key, and signed and pinned the rules")


def _confirm(stage: Stage) -> None:
    for custodian in CUSTODIANS:
        with stage.screen.busy(f"{custodian.name} confirms"):
            stage.as_custodian(custodian, custodian_command.confirm, stage.policy_hash, procedure=str(stage.procedure))
    stage.screen.done("Each has typed the hash from the notice: everybody knows the same rules")
