# SPDX-License-Identifier: EUPL-1.2
"""PostgreSQL from the wheel's binaries, under our own initdb and supervision (storage.md 2.2).

Rules
  1. Every connection needs a password (scram); there is no Unix socket.
  2. Checksums, fsync and synchronous commit are on.
  3. PostgreSQL refuses to run as root: there it runs as a system user of its own, which passes closed parent folders by
     one capability instead of having them opened.
  4. Three roles: the owner makes tables, the API's role works with them, the gate's role sees its schema only. What
     each may do with a table is said by the migration that makes it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.embedded.child import SETPRIV, Child, Launch
from deploy.embedded.directory import PRIVATE_DIRECTORY, DataDirectory
from deploy.embedded.programs import postgres_programs
from deploy.errors import PartFailed

SYSTEM_USER = "bidvault-pg"
SUPERUSER, OWNER, API, GATE = "postgres", "bidvault_owner", "bidvault_api", "bidvault_gate"
GATE_SCHEMA = "gate"
DATABASE = "bidvault"
START_PATIENCE = 30.0  # seconds; after a kill -9 orphaned backends may hold the directory for a while
SETTINGS = {
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",  # pglz; the wheel's build has no lz4 and would not start
    "max_wal_size": "4GB",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    "log_parameter_max_length": "0",  # no value of a statement reaches a log
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database as its three roles see it."""

    owner: str = field(repr=False)
    api: str = field(repr=False)
    gate: str = field(repr=False)


class EmbeddedPostgres:
    """One cluster in `DATA/postgres`."""

    def __init__(self, directory: DataDirectory, port: int) -> None:
        """Name its place; nothing is touched before `start`."""
        self._directory = directory
        self._port = port
        self._passwords = directory.secrets(SUPERUSER_AND_ROLES)
        self._child: Child | None = None

    def start(self) -> None:
        """Make the cluster at the first start, run it, and make the roles."""
        account = _account()
        if not (self._directory.postgres / "PG_VERSION").exists():
            self._make_cluster(account)
        self._run(account)
        self._make_roles()

    def stop(self) -> None:
        """Fast shutdown: running transactions are rolled back, everything is flushed."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def require_running(self) -> None:
        """Raise PartFailed when it has ended."""
        if self._child is not None:
            self._child.require_running()

    def create_database(self, name: str = DATABASE, *, template: str = "template0") -> DatabaseUrls:
        """Make a database and let in the three roles, unless it is there."""
        with self._connect("postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if known is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
                parts = map(sql.Identifier, (name, OWNER, template))
                connection.execute(statement.format(*parts))
        with self._connect(name) as connection:
            for right in _RIGHTS:
                connection.execute(sql.SQL(right).format(database=sql.Identifier(name)))
        return self.urls(name)

    def drop_database(self, name: str) -> None:
        """Throw a database away with whoever is connected: for tests."""
        with self._connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def urls(self, name: str = DATABASE) -> DatabaseUrls:
        """Addresses of a database, one for each role."""
        return DatabaseUrls(owner=self._url(OWNER, name), api=self._url(API, name), gate=self._url(GATE, name))

    def _url(self, role: str, database: str) -> str:
        return f"postgresql+psycopg://{role}:{self._passwords[role]}@127.0.0.1:{self._port}/{database}"

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def _make_cluster(self, account: pwd.struct_passwd | None) -> None:
        """A cluster that was cut off while being made holds nothing yet: it is made anew."""
        place = self._directory.postgres
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=PRIVATE_DIRECTORY)
        password = self._directory.write_private("postgres-password", self._passwords[SUPERUSER])
        if account is not None:
            os.chown(place, account.pw_uid, account.pw_gid)
            os.chown(password, account.pw_uid, account.pw_gid)
        command = [
            str(postgres_programs() / "initdb"), "-D", str(place), "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
            "--data-checksums", "--auth-local=reject", "--auth-host=scram-sha-256", f"--pwfile={password}",
        ]  # fmt: skip
        made = subprocess.run(  # noqa: S603 - the command is ours, no shell
            [*([SETPRIV, *_privileges(account)] if account else []), *command],
            capture_output=True, text=True, check=False, cwd="/", env=_ENVIRONMENT,
        )  # fmt: skip
        password.unlink()
        if made.returncode != 0:
            shutil.rmtree(place, ignore_errors=True)
            raise PartFailed(f"PostgreSQL could not make its files in {place}: {made.stderr.strip()}")

    def _run(self, account: pwd.struct_passwd | None) -> None:
        """Start until it answers; a start refused because old backends still live is tried again."""
        launch = Launch(
            name="PostgreSQL",
            command=[
                str(postgres_programs() / "postgres"), "-D", str(self._directory.postgres), "-p", str(self._port),
                *(argument for name, value in SETTINGS.items() for argument in ("-c", f"{name}={value}")),
            ],
            log=self._directory.logs / "postgres.log",
            directory=Path("/"),
            environment=_ENVIRONMENT,
            privileges=_privileges(account),
            stop_signal=signal.SIGINT,
        )  # fmt: skip
        give_up = time.monotonic() + START_PATIENCE
        self._child = Child(launch)
        while not self._answers():
            if time.monotonic() > give_up:
                self._child.stop()
                raise PartFailed(f"PostgreSQL does not answer; {launch.log} ends with:\n{self._child.log_tail()}")
            if not self._child.is_running():
                if "pre-existing shared memory" not in self._child.log_tail():
                    self._child.require_running()
                self._child = Child(launch)
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_roles(self) -> None:
        with self._connect("postgres") as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in (OWNER, API, GATE):
                verb = "ALTER" if role in known else "CREATE"
                password = sql.Literal(self._passwords[role])
                statement = sql.SQL(f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {{}}")
                connection.execute(statement.format(sql.Identifier(role), password))
            for role in (API, GATE):
                connection.execute(sql.SQL("ALTER ROLE {} SET lock_timeout = '10s'").format(sql.Identifier(role)))
            connection.execute(
                sql.SQL("ALTER ROLE {} SET search_path = {}").format(sql.Identifier(GATE), sql.Identifier(GATE_SCHEMA))
            )


SUPERUSER_AND_ROLES: Sequence[str] = (SUPERUSER, OWNER, API, GATE)
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
_RIGHTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    f"GRANT CONNECT ON DATABASE {{database}} TO {API}, {GATE}",
    f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}",
    f"GRANT USAGE ON SCHEMA public TO {API}",
    f"REVOKE USAGE ON SCHEMA public FROM PUBLIC, {GATE}",
)


def _account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as: ourselves, or as root a system user that is made once and left in place."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - the command is ours, no shell
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return pwd.getpwnam("nobody")


def _privileges(account: pwd.struct_passwd | None) -> list[str]:
    """Arguments of setpriv: the account, and the right to pass folders it may not open."""
    if account is None:
        return []
    return [
        f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
        "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
    ]  # fmt: skip
