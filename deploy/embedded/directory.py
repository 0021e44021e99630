# SPDX-License-Identifier: EUPL-1.2
"""The data directory: one stack at a time, for its owner only, with ports and secrets found again.

Layout
    .lock          held for as long as a stack runs, with its process id
    state.json     ports of the last start
    secrets.json   passwords and store keys, made at the first start
    postgres/      the database           store/   the objects
    conf/          the store's own files, which API and worker never read
    logs/          what the children wrote
"""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.errors import AlreadyRunning

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


class DataDirectory:
    """Paths under one directory, its lock, and the small files that outlive a start."""

    def __init__(self, root: Path) -> None:
        """Name it; nothing is touched before `acquire`."""
        self.root = root.absolute()
        self.postgres = self.root / "postgres"
        self.store = self.root / "store"
        self.conf = self.root / "conf"
        self.logs = self.root / "logs"
        self._lock: int | None = None

    def acquire(self) -> None:
        """Make the directory and lock it.

        Raises:
            AlreadyRunning: another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIRECTORY)
        self.root.chmod(PRIVATE_DIRECTORY)
        lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "another process"
            os.close(lock)
            raise AlreadyRunning(
                f"{self.root} is in use by a bidvault that is running (process {holder}); "
                "stop it first, or name another directory with --data"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock
        for directory in (self.store, self.conf, self.logs):
            directory.mkdir(exist_ok=True, mode=PRIVATE_DIRECTORY)

    def release(self) -> None:
        """Let another start have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def ports(self, group: str, names: Iterable[str]) -> dict[str, int]:
        """A free port for each name of a group, the same as last time where they are still free."""
        names = list(names)
        state = self._read_state()
        kept = state.get(group, {})
        ports = kept if set(kept) == set(names) and all(map(_is_free, kept.values())) else _draw(names)
        self.write_private("state.json", json.dumps(state | {group: ports}, indent=1))
        return ports

    def forget_ports(self, group: str) -> None:
        """Draw new ones at the next `ports`: somebody took one between drawing and starting."""
        state = self._read_state()
        state.pop(group, None)
        self.write_private("state.json", json.dumps(state, indent=1))

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """A random secret for each name, the same at every start."""
        path = self.root / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = [name for name in names if name not in known]
        if missing:
            known |= {name: secrets.token_hex(24) for name in missing}
            self.write_private("secrets.json", json.dumps(known, indent=1))
        return known

    def write_private(self, name: str, text: str) -> Path:
        """Write a small file for the owner only, whole or not at all."""
        path = self.root / name
        draft = path.with_name(path.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path

    def _read_state(self) -> dict[str, dict[str, int]]:
        try:
            state: dict[str, dict[str, int]] = json.loads((self.root / "state.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state


def free_port() -> int:
    """One free port of the loopback address."""
    return _draw(["only"])["only"]


def _draw(names: list[str]) -> dict[str, int]:
    """Free ports, all held open until the last is drawn, so that none is drawn twice."""
    sockets = [socket.socket() for _ in names]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return {name: held.getsockname()[1] for name, held in zip(names, sockets, strict=True)}
    finally:
        for held in sockets:
            held.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
