# SPDX-License-Identifier: EUPL-1.2
"""Drafting a procedure: what does not fit is refused with its field, before a key is made."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from crypto.encoding import encode
from crypto.policy import Card, Limits, Part, Role
from crypto.statement import Kind, Statement
from tests.vault.convening import STRANGER
from tests.world.custodian import Custodian
from tests.world.world import BUYER, World
from vault import procedures
from vault.errors import InvalidInput, NotAllowed
from vault.procedures import LotDraft, ProcedureDraft, reading


def _with_part(world: World, **changes: object) -> ProcedureDraft:
    wanted = world.draft()
    part = replace(wanted.lots[0].parts[0], **changes)  # type: ignore[arg-type]
    return replace(wanted, lots=(replace(wanted.lots[0], parts=(part,)),))


def _misfits(world: World) -> dict[str, tuple[ProcedureDraft, str]]:
    wanted = world.draft()
    lot = wanted.lots[0]
    return {
        "siret with wrong check digits": (replace(wanted, siret="21350238800018"), "siret"),
        "no reference": (replace(wanted, reference=" "), "reference"),
        "control character in the title": (replace(wanted, title="a\x07"), "title"),
        "unknown zone": (replace(wanted, zone="Europe/Rennes"), "zone"),
        "settle too short": (replace(wanted, settle=timedelta(seconds=44)), "settle"),
        "settle too long": (replace(wanted, settle=timedelta(seconds=3601)), "settle"),
        "limits above the deployment's": (replace(wanted, limits=Limits(1, 1 << 50, 1, 1)), "limits"),
        "document above envelope": (replace(wanted, limits=Limits(2, 1, 1, 1)), "limits"),
        "no lot": (replace(wanted, lots=()), "lots"),
        "lot twice": (replace(wanted, lots=(lot, lot)), "lots[1].id"),
        "lot's id with a slash": (replace(wanted, lots=(replace(lot, id="a/b"),)), "lots[0].id"),
        "lot's id too long": (replace(wanted, lots=(replace(lot, id="x" * 33),)), "lots[0].id"),
        "lot without part": (replace(wanted, lots=(replace(lot, parts=()),)), "lots[0].parts"),
        "part twice": (replace(wanted, lots=(replace(lot, parts=(lot.parts[0],) * 2),)), "lots[0].parts"),
        **_misfit_parts(world),
    }


def _misfit_parts(world: World) -> dict[str, tuple[ProcedureDraft, str]]:
    lot, now = world.draft().lots[0], world.now
    return {
        "deadline without zone": (_with_part(world, deadline=now.replace(tzinfo=None)), "lots[0].parts[0].deadline"),
        "deadline behind": (_with_part(world, deadline=now), "lots[0].parts[0].deadline"),
        "not_before too early": (
            _with_part(world, not_before=lot.parts[0].deadline + timedelta(seconds=59)),
            "lots[0].parts[0].not_before",
        ),
        "k above n": (_with_part(world, k=6), "lots[0].parts[0].k"),
        "k of nothing": (_with_part(world, k=0), "lots[0].parts[0].k"),
        "no custodian": (_with_part(world, custodians=()), "lots[0].parts[0].custodians"),
        "33 custodians": (_with_part(world, custodians=(b"x",) * 33), "lots[0].parts[0].custodians"),
        **_misfit_cards(world),
        "a box after itself": (_with_part(world, after=(("1", Part.TECHNICAL),)), "lots[0].parts[0].after"),
        "a box after an unknown one": (_with_part(world, after=(("9", Part.TECHNICAL),)), "lots[0].parts[0].after"),
    }


def _misfit_cards(world: World) -> dict[str, tuple[ProcedureDraft, str]]:
    now, card = world.now, world.custodians[0].card
    twin = replace(Custodian("alice", world.time.clock))
    foreign = Custodian("zoe", world.time.clock)
    old = replace(foreign.card, valid_to=now + timedelta(hours=1))
    ageless = replace(foreign.card, valid_to=foreign.card.valid_from + timedelta(days=2000))
    return {
        "no card file": (_with_part(world, custodians=(b"bidvault/card/v1\nAAAA\n",), k=1), "custodians[0]"),
        "a card twice": (_with_part(world, custodians=(world.custodians[0].card_file,) * 2, k=1), "custodians"),
        "one person, two keys": (
            _with_part(world, custodians=(world.custodians[0].card_file, twin.card_file), k=1),
            "custodians",
        ),
        "a card of another role": (
            _with_part(world, custodians=(_file(replace(card, role=Role.GATE)),), k=1),
            "custodians[0]",
        ),
        "a card of nobody": (
            _with_part(world, custodians=(_file(replace(card, person=bytes(16))),), k=1),
            "custodians[0]",
        ),
        "a key that ends before the opening": (_with_part(world, custodians=(_file(old),), k=1), "custodians[0]"),
        "a key that lives too long": (_with_part(world, custodians=(_file(ageless),), k=1), "custodians[0]"),
    }


def _file(card: Card) -> bytes:
    return Statement(Kind.CARD, encode(card.to_cbor())).note


def test_a_draft_that_does_not_fit_is_refused_with_its_field_and_nothing_is_made(world: World) -> None:
    for name, (wanted, field) in _misfits(world).items():
        with pytest.raises(InvalidInput) as refused:
            procedures.draft(world.works, BUYER, wanted)
        assert field in refused.value.field, name

    with world.works.open() as work:
        assert work.session.execute(text("SELECT count(*) FROM procedure")).scalar_one() == 0


def test_a_key_in_two_different_groups_is_refused(world: World) -> None:
    wanted = world.draft()
    technical, financial = wanted.lots[0].parts
    fewer = replace(financial, custodians=financial.custodians[:4])
    lots = (replace(wanted.lots[0], parts=(technical, fewer)),)

    with pytest.raises(InvalidInput, match="a key stands twice"):
        procedures.draft(world.works, BUYER, replace(wanted, lots=lots))


def test_a_draft_for_another_organisation_is_not_allowed(world: World) -> None:
    with pytest.raises(NotAllowed):
        procedures.draft(world.works, STRANGER, world.draft())


@pytest.mark.proves("DEP-11", "DEP-12")
def test_boxes_are_numbered_in_the_order_of_lots_and_parts_and_equal_groups_are_one(world: World) -> None:
    wanted = world.draft()
    technical, financial = wanted.lots[0].parts
    last = replace(financial, after=(("1", Part.TECHNICAL), ("all", Part.TECHNICAL)))
    lots = (replace(wanted.lots[0], id="all"), LotDraft("1", "Toiture", (technical, last)))
    procedure = procedures.draft(world.works, BUYER, replace(wanted, lots=lots))

    policy = reading.show(world.works, BUYER, procedure).policy

    assert [(box.number, box.lot, box.part.name) for box in policy.boxes] == [
        (1, "all", "TECHNICAL"),
        (2, "all", "FINANCIAL"),
        (3, "1", "TECHNICAL"),
        (4, "1", "FINANCIAL"),
    ]
    assert policy.boxes[3].after == (1, 3)
    assert {box.groups for box in policy.boxes} == {(0, 1)}
    assert [group.role for group in policy.groups] == [Role.CUSTODIAN, Role.GATE]


@pytest.mark.proves("TIME-06")
def test_a_deadline_with_its_zone_is_kept_in_utc(world: World) -> None:
    paris = datetime.fromisoformat("2027-03-28T17:00:00.123456+02:00")
    procedure = procedures.draft(world.works, BUYER, _with_part(world, deadline=paris))

    box = reading.show(world.works, BUYER, procedure).policy.boxes[0]

    assert box.deadline == datetime(2027, 3, 28, 15, 0, 0, 123000, tzinfo=UTC)
    assert box.not_before == box.deadline + timedelta(seconds=60)
