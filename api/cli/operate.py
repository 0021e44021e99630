# SPDX-License-Identifier: EUPL-1.2
"""`bidvault token`: issue a bearer token of the local issuer.

Rules
  1. The token alone goes to standard output, or into a file that only its owner reads; everything else to the other.
  2. It is in the journal before it is shown.

Left to others: what tokens say (api.auth), the entry (api.tokens), finding the vault (deploy.command, environment).
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api import tokens
from api.auth import DEFAULT_PLATFORM, ISSUER, Actor, Role, open_issuer
from api.bootstrap import compose, read_passphrase
from api.errors import ApiError
from crypto.errors import CryptoError
from crypto.policy import person_id
from vault.errors import VaultError
from vault.settings import Settings

DAYS = 30

app = typer.Typer(help="Issue a token of the local issuer.")
people = Console(stderr=True)


@app.command()
def token(
    role: Annotated[Role, typer.Argument(help="What the token allows.", case_sensitive=False)],
    subject: Annotated[str, typer.Argument(help="For whom it is, such as the platform's or the person's login.")],
    *,
    organisation: Annotated[str | None, typer.Option(help="SIRET; buyers need it.")] = None,
    card: Annotated[str | None, typer.Option(help="kid of the custodian's card, 32 hex digits.")] = None,
    platform: Annotated[str, typer.Option(help="The tender platform it belongs to.")] = DEFAULT_PLATFORM,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")] = DAYS,
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of the terminal.")] = None,
) -> None:
    """Issue a bearer token for one role."""
    try:
        actor = _actor(role, subject, organisation=organisation, card=card, platform=platform)
        settings = Settings.model_validate({})  # all of it from the environment
        works = compose(settings)
        issuer = open_issuer(settings.keys, read_passphrase(settings.passphrase_file), works.clock)
        issued = tokens.issue(works, issuer, actor, lifetime=timedelta(days=days))
    except (ApiError, VaultError, CryptoError, ValueError) as error:
        people.print(f"[red]No token was issued:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
    if out is None:
        typer.echo(issued)
        return
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(issued + "\n")
    people.print(f"The token of {role.value} {subject}, good for {days} days, is in {out}.")


def _actor(role: Role, subject: str, *, organisation: str | None, card: str | None, platform: str) -> Actor:
    is_custodian = role is Role.CUSTODIAN
    return Actor(
        subject=subject,
        role=role,
        platform=platform,
        organisation=organisation,
        kid=bytes.fromhex(card) if card else None,
        person=person_id(ISSUER, subject) if is_custodian else None,
    )
