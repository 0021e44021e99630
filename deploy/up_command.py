# SPDX-License-Identifier: EUPL-1.2
"""`bidvault up`: start a vault, say where it is, serve until Ctrl-C, stop what was started."""

import os
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console

from crypto.errors import CryptoError
from deploy.command import default_data
from deploy.embedded.postgres import DatabaseUrls
from deploy.errors import DeployError
from deploy.up import LOOPBACK, Listening, Outside, RunningVault
from vault.errors import VaultError
from vault.settings import Authority

WATCH_EVERY = 1.0  # seconds
FEWEST_AUTHORITIES = 2

app = typer.Typer(add_completion=False)
console = Console()


@app.command()
def up(  # noqa: PLR0913, PLR0917 - options of a command
    data: Annotated[Path | None, typer.Option(help="Data directory; made at the first start.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 is a free one, kept from start to start.")] = 0,
    database_url: Annotated[
        str | None, typer.Option(envvar="BIDVAULT_DATABASE_URL", help="An outside PostgreSQL, as the vault's role.")
    ] = None,
    gate_database_url: Annotated[
        str | None, typer.Option(envvar="BIDVAULT_GATE_DATABASE_URL", help="The same, as the gate's role.")
    ] = None,
    owner_database_url: Annotated[
        str | None,
        typer.Option(envvar="BIDVAULT_OWNER_DATABASE_URL", help="The same, as the role that owns the tables."),
    ] = None,
    s3_endpoint: Annotated[
        str | None,
        typer.Option(envvar="BIDVAULT_S3_ENDPOINT", help="An outside S3 store; BIDVAULT_OBJECTS__… say who enters."),
    ] = None,
    store_quota: Annotated[
        str | None,
        typer.Option(
            envvar="BIDVAULT_STORE_QUOTA", help="What the embedded store may take, as 200GiB; else half the disk."
        ),
    ] = None,
    tsa: Annotated[
        list[str] | None, typer.Option(help="An outside time authority, URL=ROOT.pem; at least two.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(envvar="BIDVAULT_KEYS", help="Directory of the vault's keys.")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(envvar="BIDVAULT_PASSPHRASE_FILE", help="Their passphrase.")
    ] = None,
) -> None:
    """Start the vault and serve until Ctrl-C. What is not given from outside is started here, on loopback."""
    outside = Outside(
        database=_database(database_url, gate_database_url, owner_database_url),
        s3_endpoint=s3_endpoint,
        authorities=_authorities(tsa or []),
        keys=keys and keys.absolute(),
        passphrase_file=passphrase_file and passphrase_file.absolute(),
        has_one_role=database_url is not None and gate_database_url is None,
    )
    vault = RunningVault(
        data or default_data(), outside=outside, listening=Listening(host, port), store_quota=_quota(store_quota)
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    try:
        _serve(vault, ended)
    except (DeployError, VaultError, CryptoError) as error:
        console.print(f"[red]{error.code}[/]: {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def outside_of_environment() -> Outside:
    """The parts that are not ours, as the environment names them: for commands that start a vault's parts alone."""
    named = {name: os.environ.get(f"BIDVAULT_{name}") for name in ("DATABASE_URL", "GATE_DATABASE_URL")}
    keys, passphrase_file = os.environ.get("BIDVAULT_KEYS"), os.environ.get("BIDVAULT_PASSPHRASE_FILE")
    owner = os.environ.get("BIDVAULT_OWNER_DATABASE_URL")
    return Outside(
        database=_database(named["DATABASE_URL"], named["GATE_DATABASE_URL"], owner),
        s3_endpoint=os.environ.get("BIDVAULT_S3_ENDPOINT"),
        authorities=_authorities([]),
        keys=Path(keys).absolute() if keys else None,
        passphrase_file=Path(passphrase_file).absolute() if passphrase_file else None,
        has_one_role=named["DATABASE_URL"] is not None and named["GATE_DATABASE_URL"] is None,
    )


def _serve(vault: RunningVault, ended: threading.Event) -> None:
    with console.status("Starting the vault"):
        vault.start()
    try:
        _tell(vault)
        while not ended.wait(WATCH_EVERY):
            vault.watch()
    finally:
        with console.status("Stopping the vault"):
            vault.stop()
    console.print("Stopped. The next start finds everything again.")


def _tell(vault: RunningVault) -> None:
    console.print(f"bidvault serves at [bold]{vault.url}[/] (its interface: {vault.url}/docs)", highlight=False)
    console.print(f"Data directory: {vault.directory.root}", highlight=False)
    if vault.is_development:
        console.print("[yellow]For development: sealed at level 0, no promise of secrecy.[/]", highlight=False)
    elif vault.outside.s3_endpoint is None:
        console.print("[yellow]The embedded store binds everybody but the owner of this machine.[/]", highlight=False)
    if os.geteuid() == 0 and vault.outside.database is None:
        console.print("PostgreSQL runs as a system user of its own, which stays on this machine.", highlight=False)
    console.print("Ctrl-C stops it and everything it started.")


def _database(vault_url: str | None, gate_url: str | None, owner_url: str | None) -> DatabaseUrls | None:
    if vault_url is None:
        if gate_url or owner_url:
            raise typer.BadParameter("--database-url is missing", param_hint="--database-url")
        return None
    urls = [_with_driver(url) for url in (owner_url or vault_url, vault_url, gate_url or vault_url)]
    return DatabaseUrls(owner=urls[0], api=urls[1], gate=urls[2])


def _quota(given: str | None) -> int | None:
    if given is None:
        return None
    try:
        return TypeAdapter(ByteSize).validate_python(given)
    except ValidationError as error:
        raise typer.BadParameter(f"{given}: write bytes, or as 200GiB", param_hint="--store-quota") from error


def _with_driver(url: str) -> str:
    """Accept the plain form too."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def _authorities(given: list[str]) -> tuple[Authority, ...]:
    if not given and (listed := os.environ.get("BIDVAULT_AUTHORITIES")):
        return tuple(TypeAdapter(list[Authority]).validate_json(listed))
    if 0 < len(given) < FEWEST_AUTHORITIES:
        raise typer.BadParameter("two authorities under different roots are needed", param_hint="--tsa")
    return tuple(_authority(number, text) for number, text in enumerate(given, start=1))


def _authority(number: int, text: str) -> Authority:
    url, separator, anchor = text.rpartition("=")
    if not separator or not Path(anchor).is_file():
        raise typer.BadParameter(f"{text}: write URL=ROOT.pem, the root's file", param_hint="--tsa")
    return Authority(name=f"Time authority {number}", url=url, anchor=Path(anchor).absolute())
