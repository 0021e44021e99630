# SPDX-License-Identifier: EUPL-1.2
"""A platform shows a running vault the receipt it holds: what was lost of it after a restore is there again."""

from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest

from api.auth import Role
from deploy.embedded import Addresses
from tests.api.depositing import Envelope, Site
from tests.api.frame import actor
from tests.world.backup import Backup
from tests.world.world import ZENITH, World
from vault import sequencer
from vault.recovery import recover


@pytest.fixture
def site(world: World) -> Site:
    """A site of one test's own: its database is restored."""
    world.publish(world.draft(k=1, n=2))
    return Site(world)


@pytest.fixture
def lost(site: Site, fresh_addresses: Addresses) -> tuple[Envelope, str]:
    """An envelope whose row went with the database, and the receipt of its holder."""
    sequencer.publish(site.world.works)
    backup = Backup.of(fresh_addresses)
    envelope = Envelope(site)
    receipt = envelope.put().text
    backup.put_back(fresh_addresses)
    recover(site.world.works, progress=lambda *_: None)
    return envelope, receipt


def show(envelope: Envelope, note: str, **changed: str) -> httpx2.Response:
    """Post a statement to an envelope's address."""
    headers = {**envelope.site.bearer(), "Bidder": envelope.bidder, "Content-Type": "text/plain", **changed}
    return envelope.site.http.post(f"{envelope.address}/statements", headers=headers, content=note.encode())


@pytest.mark.proves("T64")
def test_a_receipt_that_is_shown_brings_the_envelope_back(lost: tuple[Envelope, str]) -> None:
    envelope, receipt = lost
    assert envelope.ask().status_code == 404

    answer = show(envelope, receipt)

    assert (answer.status_code, answer.json()["state"], answer.json()["receipt"]) == (200, "sealed", receipt)
    assert envelope.ask().json()["receipt"] == receipt


@pytest.mark.proves("T64", "T47")
def test_a_receipt_shown_by_anyone_else_is_answered_like_an_envelope_that_is_not_there(
    lost: tuple[Envelope, str],
) -> None:
    envelope, receipt = lost
    nobodys = Envelope(envelope.site, id=uuid4())

    answers = [
        show(envelope, receipt, Bidder=ZENITH),
        show(nobodys, receipt),
        show(envelope, receipt, **envelope.site.bearer(replace(actor(Role.PLATFORM), platform="another"))),
        nobodys.ask(),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["type"] for answer in answers}) == 1
    assert envelope.ask().status_code == 404


def test_a_receipt_shown_without_need_changes_nothing(site: Site) -> None:
    envelope = Envelope(site)
    receipt = envelope.put().text
    before = envelope.ask().json()

    assert show(envelope, receipt).json() == before


def test_a_note_that_the_vault_never_signed_is_refused(lost: tuple[Envelope, str]) -> None:
    envelope, receipt = lost
    text, _, signature = receipt.rpartition("\n\n")

    answer = show(envelope, f"{text}\n\n{signature.replace(signature.split()[-1], 'A' * 90 + '==')}")

    assert answer.status_code in {400, 403, 422}
    assert envelope.ask().status_code == 404
