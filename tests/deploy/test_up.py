# SPDX-License-Identifier: EUPL-1.2
"""`bidvault up`: serves until it is told to stop, keeps its addresses, starts again what was killed."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import psutil
import pytest

from deploy.authorities import AuthorityAddresses, write_seal, write_trust
from deploy.embedded import Addresses, S3Credentials
from tests.deploy.conftest import ROOT
from tests.deploy.test_embedded import children_of
from vault.store.compaction import SOCKET

ENTRY = "from deploy.command import main; main()"
PATIENCE = 90.0
DUMPABLE = "import ctypes, resource; from crypto.keys.memory import keep_memory_private; keep_memory_private(); \
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"


class Up:
    """One `bidvault up` in a process of its own."""

    def __init__(self, data: Path, *options: str, settings: Mapping[str, str] | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIDVAULT_")}
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", ENTRY, "up", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**environment, **(settings or {}), "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        )

    def url(self) -> str:
        """Wait until it says where it serves."""
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"serves at (http://\S+)", line):
                return found[1]
        raise AssertionError(said)

    def stop(self) -> str:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=PATIENCE)
        return said


@pytest.fixture
def up(data: Path) -> Iterator[Up]:
    running = Up(data)
    yield running
    if running.process.poll() is None:
        running.stop()


def serving(data: Path, name: str) -> psutil.Process | None:
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(data) and (process.info["cmdline"] or [""])[-2:] == ["deploy.serve", name]
    ]
    return found[0] if found else None


def wait_for(what: str, data: Path, *, other_than: int) -> psutil.Process:
    """The kernel and the supervisor take their time; a test that hangs says for what."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if (process := serving(data, what)) is not None and process.pid != other_than:
            return process
        time.sleep(0.1)
    raise AssertionError(f"no other {what} came")


def test_it_serves_stops_whole_and_serves_at_the_same_address_again(up: Up) -> None:
    url = up.url()
    assert httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
    assert url.startswith("http://127.0.0.1:")
    assert stat.S_IMODE((up.data / SOCKET).stat().st_mode) == 0o600

    said = up.stop()

    assert "Stopped" in said
    assert up.process.returncode == 0
    assert children_of(up.data) == []
    again = Up(up.data)
    assert again.url() == url
    refused = Up(up.data)
    assert "in use by a bidvault that is running" in refused.process.communicate(timeout=PATIENCE)[0]
    assert refused.process.returncode == 1
    again.stop()


@pytest.mark.proves("T41")
def test_a_killed_worker_is_started_again(up: Up) -> None:
    url = up.url()
    worker = serving(up.data, "worker")
    assert worker is not None

    worker.kill()

    assert wait_for("worker", up.data, other_than=worker.pid).is_running()
    assert httpx2.get(f"{url}/livez", trust_env=False).status_code == 200


def test_killed_test_authorities_are_started_again_where_everybody_knows_them(up: Up) -> None:
    up.url()
    address = (up.data / "authorities" / "authorities.port").read_text()
    (before,) = authorities_of(up.data)

    before.kill()

    until = time.monotonic() + PATIENCE
    while not (again := [one for one in authorities_of(up.data) if one.pid != before.pid]):
        assert time.monotonic() < until, "no other authorities came"
        time.sleep(0.1)
    assert again[0].is_running()
    assert (up.data / "authorities" / "authorities.port").read_text() == address
    assert "Stopped" in up.stop()
    assert authorities_of(up.data) == []


def authorities_of(data: Path) -> list[psutil.Process]:
    return [one for one in children_of(data) if "deploy.authorities" in one.info["cmdline"]]


@pytest.mark.parametrize(("given", "says"), [("--store-quota=much", "write bytes, or as 200GiB")])
def test_a_quota_that_is_none_is_refused(data: Path, given: str, says: str) -> None:
    up = Up(data, given)

    said, _ = up.process.communicate(timeout=PATIENCE)

    assert up.process.returncode == 2
    assert says in said


def test_it_serves_on_outside_parts_and_starts_none_of_its_own(
    fresh_addresses: Addresses, authorities: AuthorityAddresses, data: Path
) -> None:
    write_trust(authorities, data.parent / "roots")
    write_seal(authorities, data.parent / "keys", passphrase=b"the operator's")
    passphrase = data.parent / "passphrase"
    passphrase.write_text("the operator's\n")
    tsas = [
        f"--tsa={one.address}={data.parent}/roots/time-{which}.pem"
        for one, which in zip(authorities.time, "ab", strict=True)
    ]
    up = Up(
        data,
        f"--database-url={fresh_addresses.database_url.replace('+psycopg', '')}",
        f"--gate-database-url={fresh_addresses.gate_database_url}",
        f"--owner-database-url={fresh_addresses.owner_database_url}",
        f"--s3-endpoint={fresh_addresses.s3_endpoint}",
        f"--passphrase-file={passphrase}",
        *tsas,
        settings={
            "BIDVAULT_OBJECTS": bucket(fresh_addresses.object_bucket, fresh_addresses.vault),
            "BIDVAULT_KEYS": str(data.parent / "keys"),
            "BIDVAULT_KEY_STORE": bucket(fresh_addresses.key_bucket, fresh_addresses.keys),
        },
    )
    url = up.url()

    started = {Path(process.exe()).name for process in children_of(data)}

    assert httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
    assert not {"weed", "postgres"} & started
    assert "level 0" not in up.stop()
    assert not (data / "postgres").exists()


def test_a_store_that_is_not_there_is_told_in_one_sentence(data: Path) -> None:
    nobody = S3Credentials("nobody", "nothing")
    up = Up(
        data,
        "--s3-endpoint=http://127.0.0.1:9",
        settings={"BIDVAULT_OBJECTS": bucket("objects", nobody), "BIDVAULT_KEY_STORE": bucket("keys", nobody)},
    )

    said, _ = up.process.communicate(timeout=PATIENCE)

    assert up.process.returncode == 1
    assert "start-refused: the " in said
    assert "store-unfit: the store at http://127.0.0.1:9 does not answer" in said
    assert "BIDVAULT_S3_ENDPOINT (or --endpoint) its address?" in said
    assert "Traceback" not in said


def test_one_time_authority_is_refused(data: Path) -> None:
    up = Up(data, "--tsa=http://127.0.0.1:1/tsa=missing.pem")

    said, _ = up.process.communicate(timeout=PATIENCE)

    assert up.process.returncode == 2
    assert "two authorities" in said


def bucket(name: str, who: S3Credentials) -> str:
    return json.dumps({"bucket": name, "access_key": who.access_key, "secret_key": who.secret_key})


@pytest.mark.proves("T3", "KEY-07")
def test_serving_processes_leave_no_dump_and_let_nobody_look_inside() -> None:
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DUMPABLE], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout

    assert said.strip() == "0 (0, 0)"
