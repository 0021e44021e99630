# SPDX-License-Identifier: EUPL-1.2
"""The embedded stack: one per directory, found again, ended with its program, closed to others."""

import os
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.embedded import Addresses, EmbeddedStack
from deploy.errors import AlreadyRunning
from tests.contracts.conftest import access
from tests.contracts.stores import new_name, now, soon
from tests.deploy.conftest import Program
from vault.store.barrier import DiskBarrier
from vault.store.s3_objects import S3ObjectStore

STARTING = """
import sys
from pathlib import Path
from deploy.embedded import EmbeddedStack
stack = EmbeddedStack(Path(sys.argv[1]))
addresses = stack.start()
print(addresses.owner_database_url, flush=True)
sys.stdin.read()
stack.stop()
print("stopped", flush=True)
"""
AS_NOBODY = [
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",  # the interpreter may lie in a closed folder
]  # fmt: skip


def objects(addresses: Addresses) -> S3ObjectStore:
    barrier = DiskBarrier(addresses.store_directory)
    return S3ObjectStore(access(addresses, addresses.object_bucket, addresses.vault), clock=now, barrier=barrier)


def ask(url: str, statement: str) -> str:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return str(connection.execute(statement).fetchall())


def children_of(data: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if str(data) in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_a_second_start_on_one_directory_is_refused_with_a_sentence(data: Path) -> None:
    with EmbeddedStack(data):
        with pytest.raises(AlreadyRunning, match=f"in use by a bidvault that is running .process {os.getpid()}"):
            EmbeddedStack(data).start()

        assert children_of(data)
    assert children_of(data) == []


def test_a_second_start_finds_what_the_first_one_kept(data: Path) -> None:
    with EmbeddedStack(data) as stack:
        first = stack.addresses(database=stack.create_database(), pair=stack.create_buckets(stack.store_access().pair))
        with psycopg.connect(first.owner_database_url.replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        stored = objects(first).put(new_name(), b"sealed", lock_until=soon())

    with EmbeddedStack(data) as stack:
        second = stack.addresses(database=stack.create_database(), pair=stack.store_access().pair)
        assert second == first
        assert ask(second.owner_database_url, "SELECT answer FROM kept") == "[(42,)]"
        assert objects(second).get_range(stored.key, stored.version_id, offset=0, size=6) == b"sealed"


@pytest.mark.proves("T41")
def test_after_kill_9_nothing_runs_on_and_nothing_acknowledged_is_lost(data: Path) -> None:
    program = Program(STARTING, str(data))
    assert program.line().startswith("postgresql")
    children = children_of(data)

    program.kill()

    assert len(children) > 2
    _, alive = psutil.wait_procs(children, timeout=30)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    with EmbeddedStack(data) as stack:
        assert ask(stack.create_database().owner, "SELECT 1") == "[(1,)]"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try an ordinary user beside itself")
def test_an_ordinary_user_runs_it_too(data: Path) -> None:
    data.parent.chmod(0o777)
    program = Program(STARTING, str(data), wrapper=AS_NOBODY)
    assert program.line().startswith("postgresql")

    owners = {process.uids().real for process in children_of(data)}

    assert owners == {65534}
    assert "stopped" in program.close()
    assert children_of(data) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="as an ordinary user everything runs as oneself")
def test_as_root_the_database_runs_as_somebody_else_behind_closed_folders(addresses: Addresses) -> None:
    data = addresses.store_directory.parent

    owners = {process.uids().real for process in children_of(data) if "postgres" in process.name()}

    assert owners
    assert 0 not in owners
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_files_are_for_their_owner_only(addresses: Addresses) -> None:
    data = addresses.store_directory.parent
    kept = [data, data / "store", *data.glob("*.json"), *data.glob("conf/**/*"), *data.glob("logs/*")]

    open_to_others = [path for path in kept if path.stat().st_mode & 0o077]

    assert open_to_others == []


def test_secrets_are_not_printed(addresses: Addresses) -> None:
    shown = repr(addresses)

    assert addresses.vault.secret_key not in shown
    assert addresses.database_url not in shown


class TestDatabase:
    def test_it_keeps_checksums_and_flushes(self, addresses: Addresses) -> None:
        names = ("data_checksums", "fsync", "synchronous_commit", "full_page_writes", "jit", "wal_sync_method")

        values = [ask(addresses.database_url, f"SHOW {name}") for name in names]

        assert values == ["[('on',)]"] * 4 + ["[('off',)]", "[('fdatasync',)]"]

    def test_it_wants_a_password(self, addresses: Addresses) -> None:
        url = addresses.owner_database_url.replace("+psycopg", "")
        secret = url.split(":")[2].split("@")[0]

        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            ask(url.replace(secret, "guess"), "SELECT 1")

    def test_the_vaults_role_sees_nothing_of_the_gate(self, addresses: Addresses) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(addresses.database_url, "SELECT * FROM gate.closed")

    def test_the_gates_role_sees_nothing_of_the_vault(self, addresses: Addresses) -> None:
        with pytest.raises(psycopg.Error):
            ask(addresses.gate_database_url, "SELECT * FROM public.journal")

    @pytest.mark.parametrize("role", ["api", "gate"])
    def test_serving_roles_make_no_tables(self, addresses: Addresses, role: str) -> None:
        url = addresses.database_url if role == "api" else addresses.gate_database_url

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(url, "CREATE TABLE public.mine (id int)")
