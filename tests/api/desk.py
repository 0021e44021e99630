# SPDX-License-Identifier: EUPL-1.2
"""A platform's desk: files, a token, and the commands against a served site."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from api.cli import deposit, withdraw
from tests.api.depositing import Site
from tests.api.frame import serving
from tests.world.world import ACME


@dataclass
class Desk:
    """A platform's desk: files, a token, and the commands."""

    site: Site
    url: str
    home: Path

    def deposit(self, *files: str, **options: object) -> Result:
        """Run `bidvault deposit`; options replace or add to good ones."""
        good = {"lot": "1", "part": "technical", "bidder": ACME, "wait": 0}
        return self._run(deposit.app, [str(self.home / file) for file in files], {**good, **options})

    def withdraw(self, envelope_id: UUID, **options: object) -> Result:
        """Run `bidvault withdraw`."""
        return self._run(withdraw.app, [str(envelope_id)], {"lot": "1", "bidder": ACME, **options})

    def kept(self, envelope_id: UUID) -> Path:
        """The folder of an envelope."""
        return self.home / "receipts" / str(envelope_id)

    def _run(self, app: object, arguments: Sequence[str], options: dict[str, object]) -> Result:
        common = {
            "url": self.url,
            "token-file": self.home / "token",
            "procedure": self.site.world.procedure,
            "out": self.home / "receipts",
        }
        words = [word for name, value in {**common, **options}.items() for word in (f"--{name}", str(value))]
        return CliRunner().invoke(app, [*arguments, *words])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(cast("FastAPI", site.http.app)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def desk(site: Site, url: str, tmp_path: Path) -> Desk:
    (tmp_path / "plans" / "étage 1").mkdir(parents=True)
    (tmp_path / "plans" / "étage 1" / "façade.pdf").write_bytes(b"%PDF-1.7 " * 5000)
    (tmp_path / "prix.txt").write_bytes(b"42\n")
    (tmp_path / "token").write_text(site.bearer()["Authorization"].removeprefix("Bearer "))
    return Desk(site, url, tmp_path)
