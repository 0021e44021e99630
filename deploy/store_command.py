# SPDX-License-Identifier: EUPL-1.2
"""`bidvault store check`: try an object store, and say what it does.

Rules
  1. The store is that of the settings (environment, or `--data` before the verb), or of the options, which win.
  2. Secrets come from files or the environment, never from an option: options show in the list of processes.
  3. Exit 0: nothing that must be kept was broken. 1: something was, or there is no store there. 2: it is not clear
     which store is meant.

Left to others: the checks (deploy.conformance).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.clock import reference
from deploy.conformance import CHECKS, Finding, Manner, Outcome, Run, Store, check, require_answer
from deploy.embedded.weed_files import access_key as embedded_access_key
from deploy.errors import StoreUnfit
from vault.settings import Authority, BucketAccess, in_words
from vault.store.s3 import REGION, S3Access

STYLES = {
    Outcome.KEPT: "green",
    Outcome.NOT_KEPT: "red",
    Outcome.NOT_TRIED: "yellow",
    Outcome.NOT_NEEDED: "dim",
    Outcome.MEASURED: "cyan",
}
PROMISE = "Durability is the store's promise"
EMBEDDED = "Durability is ours: the vault flushes this store's disk before it acknowledges anything."

app = typer.Typer(no_args_is_help=True, add_completion=False)
aside = Console(stderr=True)


class Identity(BaseModel):
    """Credentials of one identity."""

    access_key: str
    secret_key: SecretStr


class Identities(BaseModel):
    """Whom the store may be tried as; the file of `--identities`."""

    vault: Identity | None = None
    provision: Identity | None = None
    reader: Identity | None = None


class StoreSettings(BaseSettings):
    """What of the vault's settings (vault.settings) is about its store and its clock; all of it may be missing."""

    model_config = SettingsConfigDict(env_prefix="BIDVAULT_", env_nested_delimiter="__", extra="ignore")

    s3_endpoint: str | None = None
    s3_region: str = REGION
    objects: BucketAccess | None = None
    key_store: BucketAccess | None = None
    embedded_store: Path | None = None
    store_checksum: str = "when_supported"
    authorities: tuple[Authority, ...] = ()


@app.callback()
def store() -> None:
    """Look at the object store."""


@app.command("check")
def check_store(  # noqa: PLR0913, PLR0917 - options of a command
    ctx: typer.Context,
    endpoint: Annotated[str | None, typer.Option(help="Address of the store; else that of the settings.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Bucket of objects; it must have Object Lock.")] = None,
    region: Annotated[str | None, typer.Option(help="Region that requests are signed for.")] = None,
    checksum: Annotated[
        str | None, typer.Option(help="As BIDVAULT_STORE_CHECKSUM: when_supported, when_required or md5.")
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            help='JSON file {"vault": {"access_key": …, "secret_key": …}, "provision": …, "reader": …}: whom to try it '
            "as; provision and reader are optional.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    durability: Annotated[
        str | None,
        typer.Option(help="What the store's operator says an acknowledged write survives; printed with the findings."),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Findings as JSON, for programs.")] = False,  # noqa: FBT002
) -> None:
    """Try all that a vault relies on; takes about a minute and a half, for a lock must be seen to end.

    What is tried lies under check/ in the bucket, locked for a minute or two. Exit 1 when a must is not kept.
    """
    settings = _settings()
    tried = _store(settings, _read(identities), endpoint=endpoint, bucket=bucket)
    tried = replace(
        tried,
        access=replace(tried.access, region=region or settings.s3_region, checksum=checksum or settings.store_checksum),
    )
    manner = ctx.obj if isinstance(ctx.obj, Manner) else Manner()  # whoever calls us from a program may wait less
    run = Run(tried, manner, reference(settings.authorities))
    try:
        require_answer(run)
    except StoreUnfit as error:
        aside.print(f"[red]{error.code}[/]: {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    findings = _with_progress(run)
    run.tidy()
    _print_json(tried, findings, durability) if is_json else _print(tried, findings, durability)
    raise typer.Exit(1 if any(finding.is_fatal for finding in findings) else 0)


def _settings() -> StoreSettings:
    try:
        return StoreSettings()
    except ValidationError as error:
        raise typer.BadParameter(f"the settings in the environment do not fit: {in_words(error)}") from None


def _read(identities: Path | None) -> Identities:
    if identities is None:
        return Identities()
    try:
        return Identities.model_validate_json(identities.read_bytes())
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(said, param_hint="--identities") from None


def _store(settings: StoreSettings, whom: Identities, *, endpoint: str | None, bucket: str | None) -> Store:
    """Which store is meant: options first, then settings; of an embedded one we know all identities."""
    address = endpoint or settings.s3_endpoint
    is_ours = settings.embedded_store is not None and address == settings.s3_endpoint
    name = bucket or (settings.objects.bucket if settings.objects else None)
    given = settings.objects
    vault = whom.vault
    if vault is None and given is not None:
        vault = Identity(access_key=given.access_key, secret_key=given.secret_key)
    if not address or not name or vault is None:
        raise typer.BadParameter(
            "which store? Give --endpoint, --bucket and --identities, or BIDVAULT_S3_ENDPOINT and BIDVAULT_OBJECTS__…, "
            "or name a running vault: bidvault --data DIR store check"
        )
    if is_ours and settings.embedded_store is not None:
        whom = _embedded(settings.embedded_store.parent, whom)

    def access(one: Identity | BucketAccess, name: str = name) -> S3Access:
        return S3Access(address, name, one.access_key, one.secret_key.get_secret_value())

    key_store = settings.key_store if address == settings.s3_endpoint else None

    return Store(
        access=access(vault),
        provision=access(whom.provision) if whom.provision else None,
        reader=access(whom.reader) if whom.reader else None,
        keys=access(key_store, key_store.bucket) if key_store else None,
        embedded=settings.embedded_store if is_ours else None,
    )


def _embedded(data: Path, whom: Identities) -> Identities:
    """The identities of our own store, which lie in the data directory for its owner."""
    try:
        known: dict[str, str] = json.loads((data / "secrets.json").read_bytes())
    except OSError:
        return whom
    provision, reader = (
        Identity(access_key=embedded_access_key(name), secret_key=SecretStr(known[name]))
        for name in ("provision", "reader")
    )
    return whom.model_copy(update={"provision": whom.provision or provision, "reader": whom.reader or reader})


def _with_progress(run: Run) -> list[Finding]:
    """Run all checks; on a terminal it shows which one is being tried."""
    findings: list[Finding] = []
    with _progress() as progress:
        task = progress.add_task("", total=len(CHECKS))
        progress.update(task, description=CHECKS[0].says)
        for finding in check(run):
            findings.append(finding)
            coming = CHECKS[len(findings)].says if len(findings) < len(CHECKS) else "tidying up"
            progress.update(task, completed=len(findings), description=coming)
    return findings


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=aside, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress


def _print(tried: Store, findings: Sequence[Finding], durability: str | None) -> None:
    table = Table(title=f"Bucket {tried.access.bucket} at {tried.access.endpoint}", title_justify="left")
    for heading in ("", "what is tried", "expected", "", "outcome", "the store's answer"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        one = finding.check
        word = f"[{STYLES[finding.outcome]}]{finding.outcome}[/]"
        table.add_row(str(one.number), one.says, one.expected, one.weight, word, _plain(finding.answer))
    console = Console()  # as wide as the screen is now
    console.print(table)
    console.print(_durability(tried, durability), highlight=False)
    console.print(_verdict(findings), highlight=False)


def _durability(tried: Store, durability: str | None) -> str:
    if tried.embedded is not None:
        return EMBEDDED
    if durability:
        return f"{PROMISE}. Its operator says: {_plain(durability)}"
    return (
        f"{PROMISE}, which no check can see: ask its operator what an acknowledged write survives (power, disk, site), "
        "and name it with --durability"
    )


def _verdict(findings: Sequence[Finding]) -> str:
    broken = [finding.check.number for finding in findings if finding.is_fatal]
    untried = [finding.check.number for finding in findings if finding.outcome is Outcome.NOT_TRIED]
    says = f" Not tried, so not known: {', '.join(map(str, untried))}." if untried else ""
    if broken:
        return f"[red]No vault should stand on this store: {', '.join(map(str, broken))} not kept.[/]{says}"
    return f"[green]A vault may stand on this store.[/]{says}"


def _print_json(tried: Store, findings: Sequence[Finding], durability: str | None) -> None:
    told = {
        "endpoint": tried.access.endpoint,
        "bucket": tried.access.bucket,
        "is_fit": not any(finding.is_fatal for finding in findings),
        "is_embedded": tried.embedded is not None,
        "durability": durability,
        "checks": [
            {
                "number": finding.check.number,
                "says": finding.check.says,
                "expected": finding.check.expected,
                "weight": finding.check.weight,
                "outcome": finding.outcome,
                "answer": finding.answer,
            }
            for finding in findings
        ],
    }
    sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _plain(text: str) -> str:
    """A store's words are not our markup."""
    return text.replace("[", r"\[")
