# SPDX-License-Identifier: EUPL-1.2
"""Platforms that deposit over HTTP into a running vault, and do not give up when it falls silent."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from api.client import DepositClient, Noticed, Order, Proved, Source, Unreachable
from bench.stage import LOT, Stage
from crypto.policy import Part

CLIENTS = 4
PATIENCE = 120.0  # seconds for one deposit on a busy machine


@dataclass
class Platforms:
    """Clients that deposit, one after the other each, the same again until there is a receipt."""

    stage: Stage
    source: Source
    acknowledged: list[tuple[Order, bytes]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _news: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Let all clients deposit until `end`."""
        self._threads = [threading.Thread(target=self._work) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until so many more deposits were acknowledged."""
        for _ in range(count):
            assert self._news.acquire(timeout=PATIENCE), "no deposit is acknowledged any more"

    def end(self) -> list[tuple[Order, bytes]]:
        """Let each bring its deposit to its end; all receipts."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged

    def order(self) -> Order:
        """One deposit to be."""
        return Order(self.stage.procedure, LOT, Part.TECHNICAL, f"other:{uuid4().hex}", (self.source,))

    def send(self, order: Order) -> bytes:
        """Deposit until the vault answers; the receipt, or the notice while it has no token."""
        while True:
            with self._client() as client:
                try:
                    given: Proved | Noticed = client.deposit(order)
                except Unreachable:
                    continue
                return given.note

    def held(self, order: Order) -> bytes | None:
        """The receipt that the vault gives out for a deposit now."""
        with self._client() as client:
            proved = client.receipt(order)
        return None if proved is None else proved.note

    def _work(self) -> None:
        while not self._over.is_set():
            order = self.order()
            self.acknowledged.append((order, self.send(order)))
            self._news.release()

    def _client(self) -> DepositClient:
        anchors = self.stage.works.authorities.anchors
        return DepositClient(
            self.stage.vault.url, self.stage.platform, anchors=anchors, patience=timedelta(seconds=PATIENCE)
        )


def write_document(folder: Path, *, size: int) -> Source:
    """A document large enough to be on its way for a while."""
    file = folder / "plans.pdf"
    file.write_bytes(b"%PDF-1.7 " + bytes(size))
    return Source.read(file, file.name)
