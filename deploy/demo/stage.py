# SPDX-License-Identifier: EUPL-1.2
"""What every chapter is given: the running vault, the screen, the folders, and what has happened so far.

Rules
  1. Commands are called as `bidvault` calls them; what they told people is kept, what they refused is raised.
  2. The vault's state is asked over the API with somebody's token.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from api.cli import procedure as buyer_command
from api.cli.custodian import commands as custodian_command
from api.cli.remote import Vault
from api.client import DepositClient
from deploy.demo.cast import Custodian, Deposited
from deploy.demo.errors import CommandRefused, DemoFailed
from deploy.demo.places import Places
from deploy.demo.screen import Screen
from deploy.up import RunningVault
from vault.work import Works

LOOK_EVERY = 0.5  # seconds
PATIENCE = timedelta(seconds=120)
BUYER, PLATFORM, AUDITOR = "anne.rolland", "marches-bretagne", "chambre.regionale"


@dataclass
class Stage:
    """The demo as far as it has come."""

    screen: Screen
    places: Places
    vault: RunningVault
    works: Works = field(repr=False)
    procedure: UUID = field(default_factory=lambda: UUID(int=0))
    policy_hash: str = ""
    deadline: datetime = field(default=datetime.max.replace(tzinfo=UTC))
    settle: timedelta = timedelta()
    deposited: dict[str, Deposited] = field(default_factory=dict)  # by the bid's name
    openings: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.vault.url

    def token_file(self, subject: str) -> Path:
        """The file with somebody's token."""
        return self.places.keys / f"{subject}.token"

    def token(self, subject: str) -> str:
        """Somebody's token."""
        return self.token_file(subject).read_text(encoding="ascii").strip()

    def depositor(self, url: str = "") -> DepositClient:
        """The tender platform's client."""
        return DepositClient(url or self.url, self.token(PLATFORM), anchors=self.works.authorities.anchors)

    def asked(self, path: str, *, by: str = BUYER) -> bytes:
        """What lies at an address of the API."""
        return Vault(self.url, self.token(by)).get(path)

    def shown(self) -> dict[str, object]:
        """The procedure as its buyer sees it."""
        return dict(json.loads(self.asked(f"/v1/procedures/{self.procedure}")))

    def as_buyer(self, command: Callable[..., None], *arguments: object, **options: object) -> str:
        """Call one of `bidvault procedure …` and tell what it printed."""
        with told(buyer_command.out, buyer_command.people) as printed:
            command(*arguments, url=self.url, token_file=self.token_file(BUYER), **options)
        return printed()

    def as_custodian(
        self, custodian: Custodian, command: Callable[..., None], *arguments: object, **options: object
    ) -> str:
        """Call one of `bidvault custodian …` with this person's key and tell what it printed."""
        keys = self.places.keys
        with told(custodian_command.people) as printed:
            command(
                *arguments,
                key=custodian.key(keys),
                passphrase_file=custodian.passphrase(keys),
                url=self.url,
                token_file=custodian.token(keys),
                **options,
            )
        return printed()

    def wait_for(self, what: str, is_there: Callable[[], bool], *, patience: timedelta = PATIENCE) -> None:
        """Look again and again until something has happened.

        Raises:
            DemoFailed: it did not.
            PartFailed: a part of the vault ended meanwhile.
        """
        give_up = time.monotonic() + patience.total_seconds()
        with self.screen.busy(what):
            while not is_there():
                self.vault.watch()
                if time.monotonic() > give_up:
                    raise DemoFailed(
                        f"{what}: not within {patience.total_seconds():.0f} seconds; see {self.vault.directory.logs}"
                    )
                time.sleep(LOOK_EVERY)


@contextmanager
def told(*consoles: Console) -> Iterator[Callable[[], str]]:
    """Keep what a command prints; afterwards the function given tells it in one line.

    Raises:
        CommandRefused: the command ended with a refusal, told in its own words.
    """
    kept: list[str] = []
    with ExitStack() as stack:
        captures = [stack.enter_context(console.capture()) for console in consoles]
        refusal: typer.Exit | None = None
        try:
            yield lambda: _in_one_line(kept)
        except typer.Exit as ended:
            refusal = ended
    kept.extend(capture.get() for capture in captures)
    if refusal is not None and refusal.exit_code:
        raise CommandRefused(_in_one_line(kept).removeprefix("Refused: ")) from refusal


def _in_one_line(printed: list[str]) -> str:
    """Words without colours and line ends."""
    return " ".join(Text.from_ansi(" ".join(printed)).plain.split())
