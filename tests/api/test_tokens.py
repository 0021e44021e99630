# SPDX-License-Identifier: EUPL-1.2
"""Issuing tokens: in the journal first, then in somebody's hand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import col, select
from typer.testing import CliRunner

from api import tokens
from api.auth import LIFETIME_LIMIT, Role, TokenIssuer, TokenVerifier
from api.cli.operate import app
from crypto.encoding import sha256
from crypto.events import Event, EventKind
from tests.api.depositing import Site
from tests.api.frame import actor
from vault import journal
from vault.errors import DatabaseUnavailable
from vault.hidden import reveal
from vault.models import JournalRow
from vault.rows import JournalFacts
from vault.work import connect


def issued(site: Site) -> list[Event]:
    """The entries of issued tokens, as whoever holds the root reads them."""
    works = site.world.works
    key = works.keys.platform_facts("default")
    with works.open() as work:
        rows = work.session.exec(select(JournalRow).where(col(JournalRow.bucket) == b"")).all()
    events = []
    for row in rows:
        if row.procedure_id is None and row.seq is not None:
            facts = reveal(key, row.facts, table=journal.TABLE, row_id=row.seq, state=journal.STATE)
            events.append(Event.decode(JournalFacts.decode(facts).event))
    return [event for event in events if event.kind is EventKind.TOKEN_ISSUED]


@pytest.mark.proves("LOG-01")
def test_an_issued_token_is_in_the_journal_by_its_digest(site: Site) -> None:
    works, private = site.world.works, Ed25519PrivateKey.generate()
    token = tokens.issue(works, TokenIssuer(private, works.clock), actor(Role.AUDITOR), lifetime=timedelta(days=1))

    assert TokenVerifier(private.public_key(), works.clock).actor(token) == actor(Role.AUDITOR)
    entry = next(event for event in issued(site) if event.subject == sha256(token.encode()))
    assert (entry.data or b"").startswith(b"auditor auditor-1 until ")
    assert token.encode() not in (entry.data or b"")


@pytest.mark.proves("LOG-07")
def test_while_the_journal_cannot_be_written_no_token_is_issued(site: Site) -> None:
    away = connect("postgresql+psycopg://nobody@127.0.0.1:9/nowhere?connect_timeout=1")
    works = replace(site.world.works, engine=away)
    issuer = TokenIssuer(Ed25519PrivateKey.generate(), works.clock)

    with pytest.raises(DatabaseUnavailable):
        tokens.issue(works, issuer, actor(Role.AUDITOR), lifetime=timedelta(days=1))


def test_a_token_of_endless_life_is_neither_issued_nor_journaled(site: Site) -> None:
    works, before = site.world.works, len(issued(site))
    issuer = TokenIssuer(Ed25519PrivateKey.generate(), works.clock)

    with pytest.raises(ValueError, match="lives at most"):
        tokens.issue(works, issuer, actor(Role.AUDITOR), lifetime=LIFETIME_LIMIT * 2)
    assert len(issued(site)) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["platform", "megalis"], "database_url"),
        (["buyer", "rennes"], "organisation"),
        (["platform", "a b"], "subject"),
        (["platform", "a", "--platform", "../x"], "platform"),
        (["custodian", "alice", "--card", "zz"], "hex"),
    ],
)
def test_the_command_says_why_no_token_was_issued(arguments: list[str], word: str) -> None:
    result = CliRunner().invoke(app, arguments, env={"BIDVAULT_DATABASE_URL": None})

    assert result.exit_code == 1
    assert word in result.stderr
    assert result.stdout == ""
