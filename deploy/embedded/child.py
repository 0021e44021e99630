# SPDX-License-Identifier: EUPL-1.2
"""A child process that ends with us: started by `setpriv`, in a session of its own, writing to a log file.

Rules
  1. The kernel signals the child when the thread that started it ends, so a kill -9 of bidvault leaves nothing behind.
     Start children from a thread that lives as long as the program.
  2. Ctrl-C reaches bidvault only: a child has its own session.
  3. A child sees only the environment it is given: no stray variable of the caller changes a store or a database.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import PartFailed

SETPRIV = "/usr/bin/setpriv"  # of util-linux, essential in Debian
LOG_TAIL = 2000  # bytes of a log shown when a part fails


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and how it is asked to end."""

    name: str
    command: Sequence[str]
    log: Path
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    privileges: Sequence[str] = ()  # further arguments of setpriv
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """One running program."""

    def __init__(self, launch: Launch) -> None:
        """Start it."""
        self.launch = launch
        death = f"--pdeathsig={launch.stop_signal.name.removeprefix('SIG')}"
        with os.fdopen(os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell
                [SETPRIV, death, *launch.privileges, *launch.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=launch.directory,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **launch.environment},
                start_new_session=True,
                umask=0o077,
            )

    @property
    def pid(self) -> int:
        """Its process id, which setpriv hands over to the program."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def has_ended_with(self, status: int) -> bool:
        """Whether it has ended, with this status."""
        return self._process.poll() == status

    def require_running(self) -> None:
        """Raise PartFailed with the end of the log when it has ended."""
        if (status := self._process.poll()) is not None:
            raise PartFailed(f"{self.launch.name} ended with {status}; {self.launch.log} ends with:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines it wrote."""
        return self.launch.log.read_bytes()[-LOG_TAIL:].decode(errors="replace")

    def wait(self) -> int:
        """Wait until it ends by itself, and say how."""
        return self._process.wait()

    def stop(self, *, patience: float = 10) -> None:
        """Ask it to end, wait, and kill it when it does not; safe after it has ended."""
        if not self.is_running():
            return
        self._process.send_signal(self.launch.stop_signal)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
