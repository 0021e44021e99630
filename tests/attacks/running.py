# SPDX-License-Identifier: EUPL-1.2
"""A running deployment with bids in it, each with strings that lie nowhere else: what thieves steal from.

Rules
  1. Everything is real: database, store, authorities, API and worker are processes, bids come over HTTP.
  2. Three procedures are alike but for their bids: many in one box of the first, one in the second's, none in the
     third's. Whoever can tell them apart can count.
  3. Besides bids that stand there are a replaced, a withdrawn and a broken-off one, and requests that are refused.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import psutil
import psycopg

from api.auth import Actor, Role, open_issuer
from api.bootstrap import compose, read_passphrase
from api.client import DepositClient, Order, Proved
from api.order import MultipartBody, Source
from crypto.policy import Part
from deploy.up import RunningVault
from tests.world.authority import TimeWorld
from tests.world.custodian import Custodian
from tests.world.world import World
from vault.settings import Settings

BIDDERS = {
    "Charpente Évrard & Fils": "siret:73282932000074",
    "Menuiserie Kerlohou": "siret:40483304800022",
    "other": "other:Zimmerei Wölfflin, Freiburg",
}
PRICES = ("1 273 946,51 €", "987654,32 EUR", "HT 1.456.789,07")
SIRETS = ("73282932000074", "40483304800022")
NAMES = ("offre/bordereau-à-1273946.xlsx", "mémoire technique Évrard.pdf", "Preisblatt.csv")
MANY = 18  # bids in one box: more than pages of a database are written anew by chance meanwhile


@dataclass(frozen=True)
class Bid:
    """One bid that was handed in."""

    order: Order
    documents: Mapping[str, bytes] = field(repr=False)


class Running(World):
    """The world on a vault that runs in processes of its own; what tests do in this process is the operator's hand."""

    def __init__(self, vault: RunningVault, home: Path) -> None:  # its parts are real: the world makes none
        self.vault = vault
        self.home = home
        self.time = TimeWorld()
        self.time.clock.now = datetime.now(UTC).replace(microsecond=0)
        self.works = compose(_settings(vault.environment))
        self.custodians = [Custodian(name, self.time.clock) for name in ("alice", "bruno", "chloe")]
        self.procedures: list[UUID] = []
        self.bids: list[Bid] = []
        self.tokens: dict[Role, str] = {}
        self.http = httpx2.Client(base_url=vault.url, trust_env=False, timeout=60)
        self.client = DepositClient(vault.url, self.bearer(Role.PLATFORM), http=self.http)
        with self.connected() as connection:
            (self.began_at,) = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone() or ("",)

    def close(self) -> None:
        self.works.engine.dispose()
        self.works.gate.engine.dispose()
        self.http.close()

    @property
    def superuser(self) -> dict[str, str]:
        """How the cluster's superuser connects: the password lies in the data directory."""
        password = json.loads((self.vault.directory.root / "secrets.json").read_text())["postgres"]
        port = urlsplit(self.vault.owner_url).port
        return {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres", "PGPASSWORD": password}

    def connected(self) -> psycopg.Connection:
        """Into the vault's database as superuser."""
        user = self.superuser
        return psycopg.connect(
            host=user["PGHOST"], port=user["PGPORT"], user=user["PGUSER"], password=user["PGPASSWORD"],
            dbname="bidvault", autocommit=True,
        )  # fmt: skip

    def bearer(self, role: Role) -> str:
        """A token of a role."""
        if role not in self.tokens:
            settings = self.works.settings
            issuer = open_issuer(settings.keys, read_passphrase(settings.passphrase_file), self.works.clock)
            self.tokens[role] = issuer.issue(Actor(f"{role.value}-1", role), timedelta(hours=1))
        return self.tokens[role]

    def publish_alike(self) -> None:
        """Three procedures that differ in nothing but their names."""
        for number in range(3):
            wanted = self.draft(k=2, n=3)
            self.publish(replace(wanted, reference=f"2026-VG-{number}", title=f"Rénovation de la halle {number}"))
            self.procedures.append(self.procedure)

    def bid_over_http(self, which: int, number: int, *, part: Part = Part.TECHNICAL) -> Bid:
        """One bid over HTTP."""
        bidder = list(BIDDERS.values())[number]
        price, name = PRICES[number], NAMES[number]
        documents = {
            name: f"{bidder}\n{list(BIDDERS)[number]}\n{price}\n".encode() * 9,
            f"prix {price}.txt": price.encode(),
        }
        sources = []
        for place, (path, content) in enumerate(documents.items()):
            file = self.home / f"document-{place}"
            file.write_bytes(content)
            sources.append(Source.read(file, path))
        order = Order(self.procedures[which], "1", part, bidder, tuple(sources))
        assert isinstance(self.client.deposit(order), Proved)
        self.client.state(order)
        self.bids.append(Bid(order, documents))
        return self.bids[-1]

    def fill(self) -> None:
        """All bids; then what is refused, broken off, withdrawn."""
        self.publish_alike()
        for number in range(MANY):
            self.bid_over_http(0, number % len(BIDDERS))
        self.bid_over_http(1, 0)
        gone = self.bid_over_http(0, 1, part=Part.FINANCIAL).order
        self.client.withdraw(procedure=gone.procedure, lot="1", envelope_id=gone.envelope_id, bidder=gone.bidder)
        with self.under_way(PRICES[0].encode() * 99_999):
            pass  # broken off in the middle of a document
        self.be_refused()

    @contextmanager
    def under_way(self, content: bytes) -> Iterator[None]:
        """A body of which all but the end has been sent; it is broken off at the end of the block."""
        file = self.home / "long"
        file.write_bytes(content)
        order = replace(self.bids[0].order, envelope_id=uuid4(), sources=(Source.read(file, NAMES[0]),))
        body = MultipartBody(order.sources)
        headers = {**self._headers(), "Content-Type": body.content_type, "Content-Length": str(body.size)}
        connection = http.client.HTTPConnection(urlsplit(self.vault.url).netloc, timeout=30)
        connection.putrequest("PUT", f"{order.path}?part=technical")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(b"".join(islice(body, 3)))
        try:
            yield
        finally:
            connection.close()

    def process(self, name: str) -> int:
        """The id of the process that serves as `api` or `worker`."""
        root = str(self.vault.directory.root)
        found = [
            one.pid
            for one in psutil.process_iter(["cmdline", "cwd"])
            if one.info["cwd"] == root and (one.info["cmdline"] or [""])[-2:] == ["deploy.serve", name]
        ]
        assert found
        return found[0]

    def be_refused(self) -> None:
        """Requests that no procedure, no method, no form fits, with names and prices wherever a stranger puts them."""
        base = self.bids[0].order.path
        for path in (f"/v1/{SIRETS[0]}/{PRICES[0]}", f"{base}x?part={NAMES[0]}", f"/v1/procedures/{NAMES[2]}"):
            for method in ("GET", "PUT", "POST"):
                answer = self.http.request(method, path, headers=self._headers(), content=NAMES[1].encode())
                assert answer.status_code >= 400
        for body in (f'{{"path": "{NAMES[1]}"', f"--x\r\n{NAMES[0]}\r\n{PRICES[1]}"):
            answer = self.http.put(f"{base}?part=technical", headers=self._headers(), content=body.encode())
            assert answer.status_code >= 400

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.bearer(Role.PLATFORM)}",
            "Bidder": BIDDERS["Menuiserie Kerlohou"],
            "Deposit-Secret": "A" * 43,
            "Content-Type": "multipart/form-data; boundary=x",
        }


def _settings(environment: Mapping[str, str]) -> Settings:
    """As the processes read them."""
    given = {name.removeprefix("BIDVAULT_").lower(): value for name, value in environment.items()}
    wanted = {name: value for name, value in given.items() if name in Settings.model_fields}
    return Settings.model_validate(
        {name: json.loads(value) if value[:1] in "[{" else value for name, value in wanted.items()}
    )
