# SPDX-License-Identifier: EUPL-1.2
"""Bad input, over the API and at the command: a sentence that says what to do, nothing lost, nothing left behind.

`PROVED_BY` names for each kind the tests that show it, here and elsewhere; a test finds each of them.
"""

import ast
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import func
from sqlmodel import select

from api.auth import Role
from tests.api.depositing import Envelope, Site, slug
from tests.api.desk import Desk
from tests.api.multipart import Sent, announcement, body, end, part
from tests.world.world import BUYER, World
from vault import procedures
from vault.models import Attempt, JournalRow
from vault.models import Envelope as EnvelopeRow

ROOT = Path(__file__).parents[2]
PRICE = Sent("prix.txt", b"42\n")
LONG = 1 << 41
SOCKETS = "tests/api/test_upload_sockets.py"


@dataclass(frozen=True)
class Kept:
    """How much there is of what a deposit leaves."""

    envelopes: int
    attempts: int
    entries: int
    objects: int
    uploads: int


def kept(world: World) -> Kept:
    with world.works.open() as work:
        envelopes, attempts, entries = (
            work.session.exec(select(func.count()).select_from(table)).one()
            for table in (EnvelopeRow, Attempt, JournalRow)
        )
    objects = sum(name.startswith("o/") for name in world.store.versions)
    return Kept(envelopes, attempts, entries, objects, len(world.store.uploads))


Change = Callable[[Envelope], httpx2.Response]


def whole(*documents: Sent, announced: bytes | None = None) -> Change:
    return lambda envelope: envelope.put(content=body(list(documents), announced=announced))


def cut(*, at: int) -> Change:
    return lambda envelope: envelope.put(content=body([PRICE])[:at])


def said(**changes: object) -> Change:
    return lambda envelope: Envelope(envelope.site, id=envelope.id, **changes).put()  # type: ignore[arg-type]


def drafted(envelope: Envelope) -> httpx2.Response:
    """A deposit into a procedure that is not published."""
    world = envelope.site.world
    draft = procedures.draft(world.works, BUYER, world.draft(k=1, n=2))
    return Envelope(envelope.site, id=envelope.id, procedure=draft).put()


def twice(envelope: Envelope) -> httpx2.Response:
    """Two documents under one path."""
    return envelope.put(content=body([PRICE, PRICE]))


def shorter(envelope: Envelope) -> httpx2.Response:
    first = part("announcement", announcement([Sent("prix.txt", b"42 euros\n")]))
    return envelope.put(content=first + part("document", b"42\n", filename="prix.txt") + end())


def longer(envelope: Envelope) -> httpx2.Response:
    first = part("announcement", announcement([PRICE]))
    return envelope.put(content=first + part("document", b"42 euros\n", filename="prix.txt") + end())


def other_digest(envelope: Envelope) -> httpx2.Response:
    first = part("announcement", announcement([Sent("prix.txt", b"43\n")]))
    return envelope.put(content=first + part("document", b"42\n", filename="prix.txt") + end())


def too_large(envelope: Envelope) -> httpx2.Response:
    announced = f'[{{"path": "plans.zip", "size": {(1 << 40) - 1}}}]'.encode()
    return envelope.put(content=part("announcement", announced) + part("document", b"", filename="plans.zip"))


HOSTILE = (
    "../prix.txt",
    "/etc/passwd",
    "a\\b",
    "a\0b",
    "a\nb",
    "a//b",
    "a/./b",
    "a\u202etxt.exe",
    "x" * 256,
)

REFUSED: Mapping[str, tuple[Change, int, str]] = {
    "unknown procedure": (said(procedure=UUID(int=7)), 404, "not-found"),
    "unpublished procedure": (drafted, 404, "not-found"),
    "missing token": (lambda one: one.put(headers={"Authorization": ""}), 401, "unauthenticated"),
    "wrong token": (lambda one: one.put(headers={"Authorization": "Bearer x.y.z"}), 401, "unauthenticated"),
    "token of another role": (lambda one: one.put(headers=one.site.bearer(Role.AUDITOR)), 403, "role-not-allowed"),
    "wrong lot": (said(lot="9"), 404, "not-found"),
    "wrong part": (said(part="identity"), 404, "not-found"),
    "part that is none": (said(part="price"), 422, "invalid-input"),
    "body shorter than announced": (shorter, 422, "body-mismatch"),
    "body longer than announced": (longer, 422, "body-mismatch"),
    "announced digest not met": (other_digest, 422, "body-mismatch"),
    "body broken off": (cut(at=-20), 400, "body-broken"),
    "body broken off in the announcement": (cut(at=60), 400, "body-broken"),
    "empty body": (lambda one: one.put(content=b""), 400, "body-broken"),
    "no documents": (whole(announced=b"[]"), 422, "announcement-refused"),
    "empty document": (whole(Sent("prix.txt", b"")), 422, "announcement-refused"),
    "too large": (too_large, 413, "too-large"),
    "longer than can be": (
        whole(announced=f'[{{"path": "a", "size": {LONG}}}]'.encode()),
        422,
        "announcement-refused",
    ),
    "duplicate name": (twice, 422, "invalid-input"),
    "names that differ by case": (whole(PRICE, Sent("PRIX.txt", b"43\n")), 422, "invalid-input"),
    "names that differ by form": (
        whole(*(Sent(unicodedata.normalize(form, "é.txt"), b"1") for form in ("NFC", "NFD"))),
        422,
        "invalid-input",
    ),
    "path too long": (whole(Sent("/".join(["x" * 200] * 6), b"1")), 422, "announcement-refused"),
    **{f"name {name[:12]!r}": (whole(Sent(name, b"1")), 422, "invalid-input") for name in HOSTILE},
}


@pytest.mark.proves("DEP-17", "DEP-18", "DEP-04", "DEP-08", "OPS-03", "LOG-02")
@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_a_sentence_and_the_right_one_is_taken_after(site: Site, case: str) -> None:
    send, status, problem = REFUSED[case]
    envelope, before = Envelope(site, documents=(PRICE,)), kept(site.world)

    answer = send(envelope)

    after = kept(site.world)
    assert (answer.status_code, slug(answer)) == (status, problem), answer.text
    assert len(answer.json()["detail"]) > 20  # what to do
    assert (after.envelopes, after.objects, after.uploads) == (before.envelopes, before.objects, before.uploads)
    assert after.entries > before.entries
    assert envelope.put().status_code == 201


@pytest.mark.proves("DEP-17")
@pytest.mark.parametrize(
    "name",
    [
        "Évaluation \u2013 e\u0301te\u0301.pdf",
        "报价.pdf",
        "CON",
        "nul.txt",
        "aux/com1.",
        ".profile",
        "-rf",
        "%2e%2e%2fprix",
        "a b;c'd<e>f|g?h*.txt",
        "x" * 255,
        "/".join(["y" * 200] * 4),
        "\u200bprix.txt",
    ],
    ids=repr,
)
def test_an_unusual_name_comes_out_of_the_opening_as_it_went_in(site: Site, name: str) -> None:
    envelope = Envelope(site, documents=(Sent(name, b"1"),))

    answer = envelope.put()

    assert answer.status_code == 201, answer.text
    print_ = site.http.post("/v1/receipts/pdf", json=envelope.held(answer.text, envelope.ask(tail="/evidence").content))
    assert print_.status_code == 200  # the tag covers the name, byte for byte


@pytest.mark.proves("T45", "DEP-07")
@pytest.mark.parametrize("how", ["withdrawn", "other bytes"])
def test_an_id_that_is_used_takes_nothing_else(site: Site, how: str) -> None:
    envelope = Envelope(site)
    first = envelope.put()
    if how == "withdrawn":
        assert envelope.ask("DELETE").status_code == 200
        other = envelope
    else:
        other = Envelope(site, id=envelope.id, documents=(PRICE,), secret=envelope.secret)
    before = kept(site.world)

    answer = other.put()

    after = kept(site.world)
    assert (answer.status_code, slug(answer)) == (409, "id-taken" if how == "withdrawn" else "other-content")
    assert (after.envelopes, after.objects) == (before.envelopes, before.objects)
    assert envelope.ask().json()["receipt"] == first.text


COMMANDS: Mapping[str, tuple[list[str], dict[str, object], str]] = {
    "unknown procedure": (["prix.txt"], {"procedure": uuid4()}, "nothing here"),
    "wrong token": (["prix.txt"], {"token-file": "other"}, "token"),
    "wrong lot": (["prix.txt"], {"lot": "9"}, "nothing here"),
    "wrong part": (["prix.txt"], {"part": "identity"}, "nothing here"),
    "bidder that is none": (["prix.txt"], {"bidder": "siret:1"}, "Bidder"),
    "missing file": (["gone.txt"], {}, "gone.txt"),
    "empty document": (["empty.txt"], {}, "empty"),
    "no documents": (["nothing"], {}, "1 to 65535 documents"),
    "duplicate name": (["prix.txt", "prix.txt"], {}, "same path"),
    "hostile name": (["a\nb"], {}, "path"),
    "secret that is none": (["prix.txt"], {"secret-file": "short"}, "secret"),
}


@pytest.mark.proves("DEP-17", "DEP-18")
@pytest.mark.parametrize("case", COMMANDS)
def test_the_command_says_why_in_a_sentence_and_keeps_no_receipt(desk: Desk, case: str) -> None:
    files, options, says = COMMANDS[case]
    for name, content in {"empty.txt": b"", "a\nb": b"1", "other": b"x.y.z", "short": b"x"}.items():
        (desk.home / name).write_bytes(content)
    (desk.home / "nothing").mkdir()
    given = {name: desk.home / str(value) if name.endswith("-file") else value for name, value in options.items()}
    before = kept(desk.site.world)

    result = desk.deposit(*files, **given)

    assert result.exit_code == 1, result.output
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert not list(desk.home.glob("receipts/*/receipt"))
    assert kept(desk.site.world).envelopes == before.envelopes


PROVED_BY: Mapping[str, tuple[str, ...]] = {
    "unknown or unpublished procedure": (
        "tests/api/test_bad_input.py::test_bad_input_is_refused_in_a_sentence_and_the_right_one_is_taken_after",
        "tests/vault/test_deposit_refused.py::test_a_procedure_that_is_not_published_is_not_found",
    ),
    "missing or wrong token": (
        "tests/api/test_auth.py::test_missing_broken_and_expired_tokens_get_one_answer",
        "tests/api/test_app.py::test_every_route_refuses_a_stranger_and_every_role_it_does_not_name",
        "tests/api/test_refused.py::test_every_refusal_is_one_entry",
    ),
    "wrong lot or part": (
        "tests/vault/test_deposit_refused.py::test_a_place_that_is_not_there_for_a_platform_is_not_found",
    ),
    "body shorter or longer than announced": (
        "tests/vault/test_deposit_refused.py::test_a_body_that_is_not_as_announced_leaves_nothing_but_its_attempt",
    ),
    "announced digest not met": (
        "tests/vault/test_deposit_refused.py::test_a_bit_that_flips_on_the_way_is_refused_with_the_documents_name",
    ),
    "body broken off": (
        f"{SOCKETS}::test_a_body_broken_off_anywhere_leaves_a_typed_error_and_nothing_taken",
        "tests/api/test_parts.py::test_a_body_cut_anywhere_is_broken_or_refused_and_never_whole",
    ),
    "empty body, empty document": (
        "tests/vault/test_deposit_refused.py::test_an_empty_deposit_and_an_empty_document_are_refused",
    ),
    "too large": (f"{SOCKETS}::test_too_large_is_answered_after_the_announcement_before_a_byte_of_the_bid_is_sent",),
    "hostile names": (
        "tests/vault/test_deposit_refused.py::test_a_hostile_name_is_refused_before_a_byte_is_read",
        "tests/api/test_bad_input.py::test_an_unusual_name_comes_out_of_the_opening_as_it_went_in",
    ),
    "same id with other bytes, deposit under a withdrawn id": (
        "tests/api/test_bad_input.py::test_an_id_that_is_used_takes_nothing_else",
    ),
    "the same person contributing twice": ("tests/api/test_bad_contributions.py::test_a_person_counts_once",),
    "share of another procedure": (
        "tests/api/test_bad_contributions.py::test_a_contribution_to_another_procedure_is_refused_and_harms_none",
    ),
    "corrupt key file, wrong passphrase": (
        "tests/api/test_bad_contributions.py::test_a_key_that_does_not_open_is_said_in_a_sentence",
        "tests/crypto/test_key_file.py::test_attack_T55_a_wrong_passphrase_is_refused",
    ),
    "authorities, store, database down or lying; disk full": (
        "tests/faults/test_dependencies.py::test_a_journey_meets_a_fault_as_the_table_says",
    ),
    "SIGTERM and kill -9 in mid-upload": (
        "tests/api/test_mid_upload.py::test_an_upload_under_way_when_the_server_is_told_to_stop_gets_its_receipt",
        "tests/api/test_mid_upload.py::test_an_upload_cut_by_kill_9_leaves_nothing_and_is_taken_when_it_comes_again",
    ),
}


@pytest.mark.parametrize("kind", PROVED_BY)
def test_what_is_said_to_prove_it_exists(kind: str) -> None:
    for test in PROVED_BY[kind]:
        path, _, name = test.partition("::")
        found = {one.name for one in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(one, ast.FunctionDef)}
        assert name in found, test
