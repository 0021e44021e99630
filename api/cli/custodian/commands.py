# SPDX-License-Identifier: EUPL-1.2
"""`bidvault custodian …`: what a person who holds a key does.

Rules
  1. Every act works online (`--url`, `--token-file`) and as file in, file out.
  2. A passphrase is asked for, or read from a file that only its owner reads; it is never an argument.
  3. A refusal is one sentence that says what to do; the exit code is 1.

Left to others: checks and signatures (acts), what is remembered (memory).
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli.custodian import acts
from api.cli.custodian.memory import Pins
from api.cli.remote import Vault, VaultRefused
from crypto.errors import CryptoError
from crypto.keys.file import MasterKey, open_key_file
from crypto.keys.memory import keep_memory_private
from crypto.policy import LOCAL_ISSUER, Card, Policy, Role, person_id, write_card_file
from crypto.statement import Kind, parse_note

app = typer.Typer(no_args_is_help=True, help="Keys, rehearsals, confirmations, contributions and decisions.")
people = Console(stderr=True)
KEY_LIFETIME = timedelta(days=3 * 365)  # protocol 3.2: at most three years

KeyFile = Annotated[Path, typer.Option("--key", help="Your key file.", exists=True, dir_okay=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File that holds the passphrase; asked for without it.", exists=True, dir_okay=False)
]
Url = Annotated[str | None, typer.Option(help="The vault's address.", envvar="BIDVAULT_URL")]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds your token.", exists=True, dir_okay=False)]
Procedure = Annotated[str | None, typer.Option(help="The procedure's id.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write the signed file here instead of sending it.")]


@app.command()
def init(
    out: Annotated[Path, typer.Argument(help="Folder for the key file and the card file.")],
    *,
    name: Annotated[str, typer.Option(help="Your name, as the policy and the minutes show it.")],
    organisation: Annotated[str, typer.Option(help="Your organisation.")],
    subject: Annotated[str, typer.Option(help="Your login at the vault; your token must bear it.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make your key, protected by a passphrase, and the card that you give to the buyer."""
    with _told():
        stem = "".join(letter if letter.isalnum() else "-" for letter in subject)
        key_path, card_path = out / f"{stem}.key", out / f"{stem}.card"
        if key_path.exists() or card_path.exists():
            raise VaultRefused(f"{key_path} or {card_path} exists already; a key is never overwritten")
        passphrase = _new_passphrase(passphrase_file)
        keep_memory_private()
        master = MasterKey.generate(Role.CUSTODIAN)
        now = datetime.now(UTC)
        card = Card(
            role=Role.CUSTODIAN,
            kem=master.kem.public,
            sig=master.sig,
            name=name,
            organisation=organisation,
            person=person_id(LOCAL_ISSUER, subject),
            valid_from=now,
            valid_to=now + KEY_LIFETIME,
        )
        out.mkdir(parents=True, exist_ok=True)
        _write(key_path, master.seal_into_file(passphrase), mode=0o600)
        _write(card_path, write_card_file(card), mode=0o644)
        people.print(f"Key: [bold]{key_path}[/bold] (keep it, and its passphrase, apart and backed up)")
        people.print(f"Card: [bold]{card_path}[/bold] (give it to the buyer)")
        people.print(f"Key id, to be compared by telephone: [bold]{master.kid.hex()}[/bold]")


@app.command()
def rehearse(
    *,
    key: KeyFile,
    procedure: Procedure = None,
    url: Url = None,
    token_file: TokenFile = None,
    policy: Annotated[Path | None, typer.Option(help="The policy as a file, offline.", exists=True)] = None,
    canary: Annotated[list[Path], typer.Option(help="Canary files, offline.", exists=True)] = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for the signed files, offline.")] = None,
    accept_anchor: Annotated[list[str], typer.Option(help="A time authority's root whose owner you know.")] = [],  # noqa: B006
    passphrase_file: PassphraseFile = None,
) -> None:
    """Open the canary with your key, sign the rehearsal and the policy, and pin the policy."""
    with _told():
        master = _open(key, passphrase_file)
        vault = None if policy else _vault(url, token_file)
        data = policy.read_bytes() if policy else _require(vault).get(f"/v1/procedures/{procedure}/policies/0")
        said = Policy.of(acts.read_policy(data))
        _show(said, master.kid, acts.owners(said, accepted=[bytes.fromhex(one) for one in accept_anchor]))
        canaries = [one.read_bytes() for one in canary] or list(_canaries(_require(vault), str(procedure)))
        mine = acts.canaries_for(said, master.kid, canaries)
        done = acts.rehearse(data, mine, master=master, pins=Pins(master.kid))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _write(out / "policy.signed", done.signed.note)
            for number, one in enumerate(done.rehearsals, start=1):
                _write(out / f"rehearsal-{number}.signed", one.note)
        else:
            where = f"/v1/procedures/{procedure}/policies/0"
            for one in done.rehearsals:
                _require(vault).post(f"{where}/rehearsals", one.note)
            _require(vault).post(f"{where}/signatures", done.signed.note)
        people.print(f"Rehearsed, signed and pinned. Policy hash: [bold]{said.hash.hex()}[/bold]")
        people.print("Compare it with the hash printed in the notice: `bidvault custodian confirm`.")


@app.command()
def sign(
    *,
    key: KeyFile,
    epoch: Annotated[int, typer.Option(help="The epoch of the amendment.")],
    procedure: Annotated[str, typer.Option(help="The procedure's id.")],
    url: Url = None,
    token_file: TokenFile = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign an amendment that moves a deadline later, and pin it."""
    with _told():
        master = _open(key, passphrase_file)
        vault = _vault(url, token_file)
        where = f"/v1/procedures/{procedure}/policies/{epoch}"
        amendment = vault.get(where)
        _show(Policy.of(acts.read_policy(amendment)), master.kid, {})
        signed = acts.sign_amendment(
            vault.policies(procedure, last=epoch - 1),
            amendment,
            master=master,
            pins=Pins(master.kid),
            now=datetime.now(UTC),
        )
        vault.post(f"{where}/signatures", signed.note)
        people.print(f"Signed and pinned: epoch {epoch}, policy hash [bold]{Policy.of(signed).hash.hex()}[/bold]")


@app.command()
def confirm(
    printed: Annotated[str, typer.Argument(help="The policy hash as printed in the notice, 64 hex digits.")],
    *,
    key: KeyFile,
    procedure: Annotated[str, typer.Option(help="The procedure's id.")],
    url: Url = None,
    token_file: TokenFile = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Enter the hash printed in the notice: a difference to what you rehearsed is fraud."""
    with _told():
        master = _open(key, passphrase_file)
        given = bytes.fromhex(printed.strip())
        vault = _vault(url, token_file)
        try:
            acts.confirm(bytes.fromhex(procedure.replace("-", "")), given, pins=Pins(master.kid))
        finally:
            vault.post_json(f"/v1/procedures/{procedure}/confirmations", {"policy_hash": given.hex()})
        people.print("Confirmed: the notice names the policy you rehearsed.")


@app.command()
def contribute(
    bundle: Annotated[Path | None, typer.Argument(help="The opening's bundle as a file, offline.")] = None,
    *,
    key: KeyFile,
    opening: Annotated[str | None, typer.Option(help="The opening's id, online.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    out: Out = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Check the opening and give your shares, sealed to its key."""
    with _told():
        master = _open(key, passphrase_file)
        now, pins = datetime.now(UTC), Pins(master.kid)
        if bundle is not None:
            with bundle.open("rb") as stream:
                made = acts.contribute_to(stream, master=master, pins=pins, now=now)
        else:
            with _vault(url, token_file).stream(f"/v1/openings/{opening}/bundle") as stream:
                made = acts.contribute_to(stream, master=master, pins=pins, now=now)
        for failure in made.failures:
            people.print(f"[yellow]Envelope {failure.envelope_id.hex()} gave no share: {failure.reason}[/yellow]")
        if out is not None:
            _write(out, made.statement.note)
            people.print(f"Contribution written to [bold]{out}[/bold]; send it with `bidvault custodian send`.")
        else:
            answer = _vault(url, token_file).post(f"/v1/openings/{opening}/contributions", made.statement.note)
            people.print(f"Contributed: {answer['accepted']} of {answer['needed']} custodians.")


@app.command()
def decide(
    text: Annotated[Path | None, typer.Argument(help="The decision's text as a file, offline.")] = None,
    *,
    key: KeyFile,
    procedure: Annotated[str, typer.Option(help="The procedure's id.")],
    envelope: Annotated[str | None, typer.Option(help="The late or review envelope's id, online.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is admitted; all k sign the same words.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy in force as a file, offline.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    out: Out = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Admit a late or review envelope: with k custodians it is opened in an opening of its own."""
    with _told():
        master = _open(key, passphrase_file)
        if text is not None and policy is not None:
            drafted, in_force = text.read_bytes(), policy.read_bytes()
        else:
            vault = _vault(url, token_file)
            wanted: dict[str, object] = {"envelope": envelope, "reason": reason}
            drafted = vault.post_json(f"/v1/procedures/{procedure}/decisions/draft", wanted)
            in_force = vault.get(f"/v1/procedures/{procedure}/policies/latest")
        named = Policy.of(parse_note(in_force, Kind.POLICY))
        decision, signed = acts.sign_decision(drafted, master=master, policy=named, pins=Pins(master.kid))
        people.print(f"Admits envelope {decision.entry.envelope_id.hex()} of box {decision.box}: {decision.reason}")
        if out is not None:
            _write(out, signed.note)
        else:
            answer = _vault(url, token_file).post(f"/v1/procedures/{procedure}/decisions", signed.note)
            people.print(f"{answer['signed']} custodians have signed.")


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="A signed file made offline.", exists=True, dir_okay=False)],
    *,
    procedure: Procedure = None,
    opening: Annotated[str | None, typer.Option(help="The opening's id, for a contribution.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Send a file that was signed on a machine without network."""
    with _told():
        data = file.read_bytes()
        kind = data.split(b"\n", 1)[0].decode("ascii", "replace").removeprefix("bidvault/").removesuffix("/v1")
        paths = {
            "policy": f"/v1/procedures/{procedure}/policies/0/signatures",
            "rehearsal": f"/v1/procedures/{procedure}/policies/0/rehearsals",
            "contribution": f"/v1/openings/{opening}/contributions",
            "decision": f"/v1/procedures/{procedure}/decisions",
        }
        if kind not in paths:
            raise VaultRefused(f"{file} is no file that a custodian sends")
        if "None" in paths[kind]:
            raise VaultRefused("name the procedure (--procedure), or the opening for a contribution (--opening)")
        _vault(url, token_file).post(paths[kind], data)
        people.print(f"Sent: {kind}.")


def _show(policy: Policy, kid: bytes, owners: dict[bytes, str]) -> None:
    """What is about to be signed, for the person's eye."""
    people.print(f"[bold]{policy.reference}[/bold] {policy.title} · {policy.buyer} ({policy.siret})")
    table = Table("box", "lot", "part", "deadline", "not before", "k of n", title="Boxes")
    for box in policy.boxes:
        group = policy.groups[box.custodians]
        part = box.part.name.lower()
        quorum = f"{group.k} of {len(group.cards)}"
        table.add_row(str(box.number), box.lot, part, _when(box.deadline), _when(box.not_before), quorum)
    people.print(table)
    holders = Table("custodian", "organisation", "key id: compare it by another way", title="Your fellows")
    for card in acts.fellows(policy, kid):
        holders.add_row(card.name, card.organisation, card.kid.hex())
    people.print(holders)
    for owner in owners.values():
        people.print(f"Time authority: {owner}")


def _when(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _canaries(vault: Vault, procedure: str) -> Iterator[bytes]:
    number = 1
    while True:
        try:
            yield vault.get(f"/v1/procedures/{procedure}/policies/0/canaries/{number}")
        except VaultRefused:
            if number == 1:
                raise
            return
        number += 1


def _open(path: Path, passphrase_file: Path | None) -> MasterKey:
    keep_memory_private()
    passphrase = (
        _passphrase(passphrase_file) if passphrase_file else typer.prompt("Passphrase", hide_input=True, err=True)
    )
    return open_key_file(path.read_bytes(), passphrase)


def _passphrase(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\n")


def _new_passphrase(path: Path | None) -> str:
    if path is not None:
        return _passphrase(path)
    return str(typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True))


def _vault(url: str | None, token_file: Path | None) -> Vault:
    if url is None or token_file is None:
        raise VaultRefused("name the vault (--url) and your token (--token-file), or give files")
    return Vault(url, token_file.read_text(encoding="ascii").strip())


def _require(vault: Vault | None) -> Vault:
    if vault is None:
        raise VaultRefused("offline, give --policy, --canary and --out")
    return vault


def _write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.replace(path)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what was refused in one sentence, and end with 1."""
    try:
        yield
    except (CryptoError, VaultRefused, ValueError, OSError) as error:
        people.print(f"[red]Refused:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
