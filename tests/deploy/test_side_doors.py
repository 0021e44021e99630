# SPDX-License-Identifier: EUPL-1.2
"""The embedded store's side doors: what destroyed locked objects in one request meets a closed door."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from deploy.embedded import Addresses
from deploy.embedded.programs import weed_program
from tests.contracts.conftest import access
from tests.contracts.stores import new_name, now, soon
from vault.store import StoredObject
from vault.store.barrier import OutsidePromise
from vault.store.s3_objects import S3ObjectStore

CLOSED = {401, 403, 404, 405}
SHELL_PATIENCE = 6  # seconds; a shell that may enter answers in one

pytestmark = pytest.mark.proves("CONF-12")


@pytest.fixture
def store(addresses: Addresses) -> S3ObjectStore:
    return S3ObjectStore(
        access(addresses, addresses.object_bucket, addresses.vault), clock=now, barrier=OutsidePromise()
    )


@pytest.fixture
def stored(store: S3ObjectStore) -> StoredObject:
    return store.put(new_name(), b"sealed", lock_until=soon())


@pytest.fixture
def data(addresses: Addresses) -> Path:
    return addresses.store_directory.parent


@pytest.fixture
def port(data: Path) -> Callable[[str], int]:
    ports: dict[str, int] = json.loads((data / "state.json").read_text())["store"]
    return lambda name: ports[name]


def test_the_filer_shows_nothing_and_takes_nothing(
    addresses: Addresses, store: S3ObjectStore, stored: StoredObject, port: Callable[[str], int]
) -> None:
    version = f"/buckets/{addresses.object_bucket}/{stored.key}.versions/v_{stored.version_id}"

    with httpx2.Client(base_url=f"http://127.0.0.1:{port('filer.port')}", trust_env=False) as stranger:
        answers = {
            "read": stranger.get(version).status_code,
            "overwrite": stranger.put(version, content=b"x").status_code,
            "delete": stranger.delete(version).status_code,
            "delete all": stranger.delete(f"/buckets/{addresses.object_bucket}?recursive=true").status_code,
        }

    assert set(answers.values()) <= CLOSED, answers
    assert b"".join(store.stream(stored.key, stored.version_id)) == b"sealed"


def test_the_filers_local_socket_is_closed_too(
    addresses: Addresses, store: S3ObjectStore, stored: StoredObject, data: Path
) -> None:
    version = f"http://filer/buckets/{addresses.object_bucket}/{stored.key}.versions/v_{stored.version_id}"

    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(data / "conf" / "filer.sock"))) as stranger:
        answers = [stranger.delete(version).status_code, stranger.get(version).status_code]

    assert set(answers) <= CLOSED, answers
    assert b"".join(store.stream(stored.key, stored.version_id)) == b"sealed"


@pytest.mark.parametrize(
    "path", ["/dir/assign", "/vol/vacuum?garbageThreshold=0.0001", "/submit", "/col/delete?collection=COLLECTION"]
)
def test_the_master_does_nothing_for_a_stranger(
    addresses: Addresses, store: S3ObjectStore, stored: StoredObject, port: Callable[[str], int], path: str
) -> None:
    url = f"http://127.0.0.1:{port('master.port')}{path.replace('COLLECTION', addresses.object_bucket)}"

    assert httpx2.get(url, trust_env=False).status_code in CLOSED
    assert b"".join(store.stream(stored.key, stored.version_id)) == b"sealed"


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_the_volume_server_wants_a_token(port: Callable[[str], int], method: str) -> None:
    for volume in range(1, 9):
        url = f"http://127.0.0.1:{port('volume.port')}/{volume},01637037d6"

        assert httpx2.request(method, url, trust_env=False).status_code in CLOSED


@pytest.mark.parametrize("path", ["/ui/index.html", "/debug/pprof/", "/stats/disk"])
def test_the_volume_server_tells_a_stranger_nothing_of_itself(port: Callable[[str], int], path: str) -> None:
    assert httpx2.get(f"http://127.0.0.1:{port('volume.port')}{path}", trust_env=False).status_code in CLOSED


def test_the_stores_own_shell_does_not_enter_without_the_certificate(
    addresses: Addresses, store: S3ObjectStore, stored: StoredObject, port: Callable[[str], int], tmp_path: Path
) -> None:
    master = f"-master=127.0.0.1:{port('master.port')}.{port('master.port.grpc')}"
    commands = f"lock\ncollection.delete -collection {addresses.object_bucket} -force\nexit\n"
    try:
        said = subprocess.run(
            [weed_program(), "shell", master],
            input=commands,
            capture_output=True,
            text=True,
            timeout=SHELL_PATIENCE,
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as never_entered:
        said = str(never_entered.stdout)

    assert "deleted" not in said
    assert b"".join(store.stream(stored.key, stored.version_id)) == b"sealed"


def test_everything_listens_on_loopback_only(data: Path) -> None:
    ports = {port for group in json.loads((data / "state.json").read_text()).values() for port in group.values()}
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]

    ours = [address for address in listening if int(address.split(":")[1], 16) in ports]

    assert len(ours) >= 9
    assert {address.split(":")[0] for address in ours} == {"0100007F"}
