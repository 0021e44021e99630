# SPDX-License-Identifier: EUPL-1.2
"""The archive face and `bidvault export`."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from api.auth import Role
from api.cli import archive
from deploy.embedded import Addresses
from retention.verification import Outcome, Wanted, read_trust, verify
from tests.api.depositing import Site, slug
from tests.api.exported import OWNER, STRANGER
from tests.api.frame import serving
from tests.retention.opened import write_trust
from tests.world.world import World


def address(opened_site: Site) -> str:
    """Where the package is."""
    return f"/v1/procedures/{opened_site.world.procedure}/package"


def test_another_buyer_is_told_that_there_is_nothing(opened_site: Site) -> None:
    answer = opened_site.http.get(address(opened_site), headers=opened_site.bearer(STRANGER))
    assert (answer.status_code, slug(answer)) == (404, "not-found")


def test_nobody_but_a_buyer_may_ask(opened_site: Site) -> None:
    for role in set(Role) - {Role.BUYER}:
        assert opened_site.http.get(address(opened_site), headers=opened_site.bearer(role)).status_code == 403


def test_a_procedure_with_an_open_box_is_refused_with_a_sentence(fresh_addresses: Addresses) -> None:
    world = World(fresh_addresses)
    world.publish(world.draft(k=1, n=2))
    site = Site(world)
    answer = site.http.get(address(site), headers=site.bearer(OWNER))
    world.close()
    assert answer.status_code == 409
    assert "box 1 open" in answer.text
    assert "every box closed" in answer.text


@pytest.mark.proves("ARC-13", "ARC-08")
def test_the_same_package_comes_twice_over_http_as_long_as_announced(opened_site: Site) -> None:
    first, second = (opened_site.http.get(address(opened_site), headers=opened_site.bearer(OWNER)) for _ in range(2))
    assert first.headers["content-type"] == "application/x-tar"
    assert int(first.headers["content-length"]) == len(first.content)
    assert first.content == second.content


def run(opened_site: Site, out: Path, token: Path) -> str:
    """`bidvault export` against the API on a real port."""
    token.write_text(opened_site.bearer(OWNER)["Authorization"].removeprefix("Bearer "))
    app = opened_site.http.app
    assert isinstance(app, FastAPI)
    with serving(app) as port:
        arguments = [str(opened_site.world.procedure), "-o", str(out), "--url", f"http://127.0.0.1:{port}"]
        result = CliRunner().invoke(archive.app, [*arguments, "--token-file", str(token)])
    return f"{result.exit_code} {' '.join(result.output.split())}"


@pytest.mark.proves("ARC-08")
def test_the_command_writes_a_tar_and_a_directory_that_are_sound(opened_site: Site, tmp_path: Path) -> None:
    trust = read_trust(write_trust(tmp_path / "trust"))
    for out in (tmp_path / "here" / "package.tar", tmp_path / "here" / "package"):
        assert run(opened_site, out, tmp_path / "token").startswith("0 ")
        assert verify(Wanted(out), trust).outcome is Outcome.SOUND
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"package.tar", "package"}


def test_the_command_writes_over_nothing(opened_site: Site, tmp_path: Path) -> None:
    (tmp_path / "package.tar").write_text("mine")
    told = run(opened_site, tmp_path / "package.tar", tmp_path / "token")
    assert told.startswith("1 ")
    assert "exists already" in told
    assert (tmp_path / "package.tar").read_text() == "mine"
