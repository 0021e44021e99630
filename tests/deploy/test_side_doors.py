# SPDX-License-Identifier: EUPL-1.2
"""The embedded store's side doors: what destroys locked objects in one request where nobody stops it is shut here.

Every attack is tried twice: on the hardened store, where it gains nothing, and on an open one, where it works; so no
attack of this list can be shut out by a mistake of the test.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from deploy.embedded import Addresses
from deploy.embedded.doors import closed_doors
from tests.contracts.conftest import access
from tests.deploy.burglary import ATTACKS, CLOSED, LEFT_OPEN, SHUT_ANYWAY, Attack, Attempt, Gain
from tests.deploy.premises import OpenStore, Premises, burgled, hardened, start_open
from tests.deploy.test_embedded import children_of

each_attack = pytest.mark.parametrize(("attack", "gain"), ATTACKS.values(), ids=list(ATTACKS))
each_shut = pytest.mark.parametrize("attack", SHUT_ANYWAY.values(), ids=list(SHUT_ANYWAY))


@pytest.fixture
def behind_doors(addresses: Addresses) -> Premises:
    return hardened(addresses.store_directory.parent, access(addresses, addresses.object_bucket, addresses.vault))


@pytest.fixture(scope="module")
def open_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="bidvault-open-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def open_store(open_home: Path) -> Iterator[OpenStore]:
    store = start_open(open_home)
    yield store
    store.stop()


@pytest.fixture
def in_the_open(open_store: OpenStore, open_home: Path) -> Premises:
    return burgled(open_store, open_home)


def succeeded(attempt: Attempt, gain: Gain, at: Premises) -> bool:
    if gain is Gain.GONE:
        return not at.is_intact()
    if gain is Gain.DOOMED:
        return httpx2.get(at.url("volume.port", f"/{at.file_id}"), trust_env=False).status_code == 404
    return at.content[:64] in attempt.loot if gain is Gain.READ else not set(attempt.answers) <= CLOSED


@each_attack
def test_on_the_hardened_store_it_gains_nothing(behind_doors: Premises, attack: Attack, gain: Gain) -> None:
    attempt = attack(behind_doors)

    assert set(attempt.answers) <= CLOSED, attempt
    assert not succeeded(attempt, gain, behind_doors)
    assert behind_doors.is_intact()


@each_attack
def test_on_an_open_store_the_same_attack_works(in_the_open: Premises, attack: Attack, gain: Gain) -> None:
    attempt = attack(in_the_open)  # not read before: what is read is remembered

    assert succeeded(attempt, gain, in_the_open), attempt


@each_shut
def test_a_stranger_is_refused_over_s3(behind_doors: Premises, attack: Attack) -> None:
    attempt = attack(behind_doors)

    assert set(attempt.answers) <= CLOSED, attempt
    assert behind_doors.content[:64] not in attempt.loot
    assert behind_doors.is_intact()


@pytest.mark.parametrize("path", ["/debug/pprof/", "/stats/disk", "/stats/memory"])
def test_the_volume_server_tells_a_stranger_nothing_of_itself(behind_doors: Premises, path: str) -> None:
    assert httpx2.get(behind_doors.url("volume.port", path), trust_env=False).status_code in CLOSED


@pytest.mark.parametrize(("port", "path"), [(port, path) for port, paths in LEFT_OPEN.items() for path in paths])
def test_what_is_left_open_names_no_object(behind_doors: Premises, port: str, path: str) -> None:
    answer = httpx2.get(behind_doors.url(port, path), trust_env=False)

    assert answer.status_code == 200
    assert behind_doors.stored.key not in answer.text
    assert behind_doors.stored.version_id not in answer.text


def test_the_stores_own_check_finds_every_door_shut_and_an_open_store_out(
    behind_doors: Premises, in_the_open: Premises
) -> None:
    shut = closed_doors(behind_doors.data, bucket=behind_doors.bucket)
    found = [door.says for door in closed_doors(in_the_open.data, bucket=in_the_open.bucket) if not door.is_closed]

    assert [door.says for door in shut if not door.is_closed] == []
    for part in ("filer /healthz", "master /dir/assign", "volume /ui", "filer.sock", "master.port.grpc in clear"):
        assert any(says.startswith(part) for says in found), (part, found)


def test_the_store_listens_nowhere_but_on_the_ports_it_was_given(behind_doors: Premises) -> None:
    (process,) = (one for one in children_of(behind_doors.data) if one.name() == "weed")

    listening = {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}

    assert listening <= set(behind_doors.ports.values())
    assert len(listening) >= 8


def test_it_opens_no_connection_to_elsewhere(behind_doors: Premises) -> None:
    (process,) = (one for one in children_of(behind_doors.data) if one.name() == "weed")

    peers = {one.raddr.ip for one in process.net_connections("tcp") if len(one.raddr)}

    assert peers <= {"127.0.0.1"}


def test_everything_listens_on_loopback_only(behind_doors: Premises) -> None:
    state = json.loads((behind_doors.data / "state.json").read_text())
    ports = {port for group in state.values() for port in group.values()}
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]

    ours = [address for address in listening if int(address.split(":")[1], 16) in ports]

    assert len(ours) >= 9
    assert {address.split(":")[0] for address in ours} == {"0100007F"}
