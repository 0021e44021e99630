# SPDX-License-Identifier: EUPL-1.2
"""Procedures over HTTP: a buyer drafts and publishes, custodians rehearse, sign and confirm; what is refused."""

from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest

from api.auth import Actor, Role
from crypto.policy import Policy
from crypto.statement import Kind, parse_note, parse_text
from tests.api.depositing import Site, slug
from tests.world.custodian import Custodian
from tests.world.world import PLATFORM, SIRET

BUYER = Actor("buyer@rennes", Role.BUYER, PLATFORM, organisation=SIRET)
STRANGER = Actor("buyer@nantes", Role.BUYER, PLATFORM, organisation="55208131766522")
Json = dict[str, object]


def custodian_actor(one: Custodian) -> Actor:
    return Actor(one.subject, Role.CUSTODIAN, PLATFORM, person=one.person)


def wanted(site: Site, **changes: object) -> Json:
    """What a buyer sends: one lot of two parts, 2 of 2 custodians."""
    deadline = (site.world.now + timedelta(days=3)).isoformat()
    cards = [one.card_file.decode() for one in site.world.custodians[:2]]
    part: Json = {"deadline": deadline, "k": 2, "custodians": cards}
    parts = [{"part": "technical", **part}, {"part": "financial", "after": ["technical"], **part}]
    return {
        "reference": "2026-MP-018",
        "title": "Toiture",
        "siret": "213 502 388 00019",
        "buyer": "Ville de Rennes",
        "lots": [{"id": "1", "title": "Toiture", "parts": parts}],
        **changes,
    }


def post(site: Site, path: str, body: Json | bytes, *, who: Actor = BUYER) -> httpx2.Response:
    where = f"/v1/procedures{path}"
    headers = site.bearer(who)
    if isinstance(body, bytes):
        return site.http.post(where, content=body, headers={**headers, "Content-Type": "text/plain"})
    return site.http.post(where, json=body, headers=headers)


def get(site: Site, path: str, *, who: Actor = BUYER) -> httpx2.Response:
    return site.http.get(f"/v1/procedures{path}", headers=site.bearer(who))


def drafted(site: Site) -> str:
    answer = post(site, "", wanted(site))
    assert answer.status_code == 201, answer.text
    return f"/{answer.json()['id']}"


def rehearse(site: Site, path: str, one: Custodian, *, epoch: int = 0) -> None:
    """What the tool does: the canary, the rehearsal, the signature."""
    who = custodian_actor(one)
    text = get(site, f"{path}/policies/{epoch}", who=who).content
    is_first = b"\n\n" not in text
    policy = Policy.of(parse_text(text, Kind.POLICY) if is_first else parse_note(text, Kind.POLICY))
    canary = get(site, f"{path}/policies/0/canaries/1", who=who).content
    for said in one.rehearse(policy, [canary]):
        answer = post(site, f"{path}/policies/0/rehearsals", said.note, who=who)
        assert (answer.status_code, answer.json()) == (201, {"canary": 1})
    answer = post(site, f"{path}/policies/0/signatures", one.sign(policy.statement).note, who=who)
    assert answer.status_code == 201


@pytest.mark.proves("KEY-02", "CONF-12", "DEP-12", "TIME-07")
def test_a_procedure_from_draft_to_amendment(site: Site) -> None:
    path = drafted(site)
    first, second = site.world.custodians[:2]
    rehearse(site, path, first)
    early = post(site, f"{path}/publish", {})
    assert (early.status_code, slug(early)) == (409, "not-ready")
    assert second.subject in early.json()["missing"]
    rehearse(site, path, second)

    published = post(site, f"{path}/publish", {}).json()
    printed = {"policy_hash": published["policy_hash"]}
    assert post(site, f"{path}/confirmations", printed, who=custodian_actor(first)).status_code == 204
    shown = get(site, path, who=Actor("platform", Role.PLATFORM, PLATFORM)).json()
    assert (shown["state"], shown["unconfirmed"]) == ("published", [second.subject])
    assert (shown["boxes"][1]["after"], shown["modalities"]["time_quorum"]) == ([1], 2)

    later = (site.world.now + timedelta(days=4)).isoformat()
    moves = [{"lot": "1", "part": "technical", "deadline": later}]
    amended = post(site, f"{path}/amendments", {"reason": "visite reportée", "moves": moves})
    assert amended.json()["epochs"][1]["state"] == "preparing"
    signed: Json = {}
    for one in (first, second):
        text = get(site, f"{path}/policies/1", who=custodian_actor(one)).content
        policy = Policy.decode(parse_text(text.split(b"\n\n")[0].rstrip(b"\n") + b"\n", Kind.POLICY).payload)
        note = one.sign(policy.statement).note
        signed = post(site, f"{path}/policies/1/signatures", note, who=custodian_actor(one)).json()
    assert signed["is_in_force"] is True
    latest = parse_note(get(site, f"{path}/policies/latest").content, Kind.POLICY)
    assert Policy.of(latest).epoch == 1


@pytest.mark.proves("T57")
def test_another_hash_in_the_notice_is_called_fraud(site: Site) -> None:
    path = drafted(site)
    for one in site.world.custodians[:2]:
        rehearse(site, path, one)
    post(site, f"{path}/publish", {})

    answer = post(site, f"{path}/confirmations", {"policy_hash": "00" * 32}, who=custodian_actor(one))

    assert (answer.status_code, slug(answer)) == (409, "notice-differs")
    assert "fraud" in answer.json()["title"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"siret": "21350238800018"}, "siret"),
        ({"lots": []}, "lots"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"settle": 1}, "settle"),
        ({"title": "\u202egnirts"}, "title"),
        ({"unknown": 1}, "unknown"),
        ({"limits": {"document": 1, "envelope": 1 << 50, "documents": 1, "deposits": 1}}, "limits"),
    ],
)
def test_bad_fields_are_named(site: Site, changes: Json, field: str) -> None:
    answer = post(site, "", wanted(site, **changes))

    assert (answer.status_code, slug(answer)) == (422, "invalid-input")
    assert field in answer.json()["errors"][0]["field"]


def test_a_deadline_without_zone_is_refused(site: Site) -> None:
    body = wanted(site)
    body["lots"][0]["parts"][0]["deadline"] = "2027-01-15T17:00:00"  # type: ignore[index]

    answer = post(site, "", body)

    assert answer.status_code == 422
    assert "deadline" in answer.json()["errors"][0]["field"]


@pytest.mark.parametrize("note", [b"", b"\xff", b"bidvault/policy/v1\nAAAA\n", b"x" * 100_000])
@pytest.mark.parametrize("where", ["rehearsals", "signatures"])
def test_what_is_no_statement_is_refused_and_loses_nothing(site: Site, where: str, note: bytes) -> None:
    path = drafted(site)
    who = custodian_actor(site.world.custodians[0])

    answer = post(site, f"{path}/policies/0/{where}", note, who=who)

    assert answer.status_code == 422
    assert get(site, path).json()["epochs"][0]["signed_by"] == []


def test_strangers_and_unknown_ids_get_the_same_answer(site: Site) -> None:
    path, unknown = drafted(site), f"/{uuid4()}"
    mallory = custodian_actor(Custodian("mallory", site.world.time.clock))
    for who, tails in {STRANGER: ["", "/policies/0"], mallory: ["", "/policies/0/canaries/1"]}.items():
        for tail in tails:
            hidden, absent = get(site, path + tail, who=who), get(site, unknown + tail, who=who)
            assert (hidden.status_code, slug(hidden)) == (404, "not-found")
            assert hidden.json() == absent.json()
    for tail in ("/publish", "/archive"):
        assert post(site, path + tail, {}, who=STRANGER).json() == post(site, unknown + tail, {}, who=STRANGER).json()


def test_each_route_has_its_roles(site: Site) -> None:
    path = drafted(site)
    custodian = custodian_actor(site.world.custodians[0])
    for who, tail in ((custodian, "/publish"), (BUYER, "/policies/0/rehearsals"), (BUYER, "/confirmations")):
        answer = post(site, path + tail, {}, who=who)
        assert (answer.status_code, slug(answer)) == (403, "role-not-allowed")
    assert site.http.get(f"/v1/procedures{path}").status_code == 401


def test_a_buyer_lists_only_their_own(site: Site) -> None:
    path = drafted(site)

    assert path.removeprefix("/") in get(site, "").json()
    assert get(site, "", who=STRANGER).json() == []


def test_a_draft_is_cancelled_with_a_reason(site: Site) -> None:
    path = drafted(site)

    assert post(site, f"{path}/cancel", {}).status_code == 422
    assert post(site, f"{path}/cancel", {"reason": "besoin abandonné"}).status_code == 204
    assert get(site, path).json()["state"] == "cancelled"
