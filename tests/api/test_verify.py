# SPDX-License-Identifier: EUPL-1.2
"""`bidvault verify`: what it says, how it ends, and that it needs nothing of the vault's."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import verify
from retention.export import export
from retention.formats.bagit import stream_tar, unpack
from tests.api.depositing import Site
from tests.retention.breaking import flip
from tests.retention.opened import write_trust
from tests.world.world import BUYER

FORBIDDEN = ("sqlmodel", "sqlalchemy", "psycopg", "boto3", "minio", "httpx2", "fastapi", "procrastinate", "vault")


@pytest.fixture(scope="module")
def home(opened_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with package, package.tar and trust."""
    folder = tmp_path_factory.mktemp("verify")
    tar = folder / "package.tar"
    tar.write_bytes(b"".join(stream_tar(export(opened_site.world.works, BUYER, opened_site.world.procedure))))
    unpack(tar, folder / "package")
    write_trust(folder / "trust")
    yield folder
    shutil.rmtree(folder)


def run(*arguments: object) -> tuple[int, list[str]]:
    """Exit code and lines."""
    result = CliRunner().invoke(verify.app, [str(one) for one in arguments])
    return result.exit_code, result.output.splitlines()


def test_a_broken_package_ends_with_1_and_names_each_broken_file_on_its_own_line(home: Path, tmp_path: Path) -> None:
    package = Path(shutil.copytree(home / "package", tmp_path / "package"))
    document = next(package.glob("data/box-1/envelopes/*/documents/prix.txt"))
    flip(document)
    code, lines = run(package, "--trust", home / "trust")
    named = document.relative_to(package).as_posix()
    assert code == 1
    assert [line for line in lines if line.startswith(f"BROKEN {named}")]
    assert lines[-1].startswith("Not sound")


def test_a_package_without_trust_ends_with_2_and_names_what_is_missing(home: Path) -> None:
    code, lines = run(home / "package")
    assert code == 2
    assert sum(line.startswith("MISSING ") for line in lines) >= 4  # as many as the package has authorities and prints
    assert not any(line.startswith("BROKEN") for line in lines)


def test_a_sound_package_ends_with_0_step_by_step(home: Path) -> None:
    code, lines = run(home / "package.tar", "--trust", home / "trust")
    assert code == 0
    assert next(line for line in lines if line[:1].isdigit()) == "1. The bag"
    assert sum(line.startswith("   ✓ ") for line in lines) > 15


def test_the_json_says_the_same(home: Path) -> None:
    code, lines = run(home / "package", "--trust", home / "trust", "--json")
    said = json.loads("\n".join(lines))
    assert (code, said["exit"], said["outcome"]) == (0, 0, "sound")
    assert said["steps"][0]["checks"][0]["result"] == "ok"


def test_what_cannot_be_checked_at_all_ends_with_3(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    assert run(home / "nothing", "--trust", home / "trust")[0] == 3
    assert run(home / "package", "--trust", home / "nothing")[0] == 3
    assert run(home / "package", "--trust", tmp_path)[0] == 3


def test_a_hostile_name_does_not_reach_the_terminal(home: Path, tmp_path: Path) -> None:
    package = Path(shutil.copytree(home / "package", tmp_path / "package"))
    (package / "data" / "evil\x1b[2J").write_text("")
    code, lines = run(package, "--trust", home / "trust")
    assert code == 1
    assert not any("\x1b" in line for line in lines)


@pytest.mark.proves("LOG-04", "ARC-08")
def test_a_stranger_with_package_and_trust_alone_checks_it(home: Path, tmp_path: Path) -> None:
    """Another process, no environment, no home of ours, nothing imported that could ask a vault."""
    program = (
        "import sys\n"
        "from deploy.command import main\n"
        "try:\n    main()\n"
        f"finally:\n    print('LOADED', sorted(set({FORBIDDEN!r}) & set(sys.modules)))\n"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program, "verify", str(home / "package"), "--trust", str(home / "trust")],
        env={"PYTHONPATH": str(root), "PATH": "", "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LOADED []" in done.stdout
