# SPDX-License-Identifier: EUPL-1.2
"""The supervisor's own door: a socket for its owner, on which it answers one command (storage.md 1.5).

Rules
  1. The supervisor alone holds the embedded store's certificate, so it alone can compact; whoever else wants it asks.
  2. The socket is for its owner (0600), and who comes is looked at again.
  3. One question at a time; anything but the one command is refused.

Left to others: asking (vault.store.compaction), compacting (deploy.embedded.weed).
"""

import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from deploy.errors import DeployError
from vault.store.compaction import COMMAND, DONE, SOCKET, socket_at

CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED
QUESTION_PATIENCE = 5.0  # seconds


class SupervisorDoor:
    """Listens in a thread of its own, from `open` to `close`."""

    def __init__(self, data: Path, compact: Callable[[], None]) -> None:
        """Name the data directory, and what the command does."""
        self._data = data
        self._compact = compact
        self._listening: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Listen; what an earlier supervisor left is taken away, for we hold the directory."""
        (self._data / SOCKET).unlink(missing_ok=True)
        with socket_at(self._data) as (made, address):
            before = os.umask(0o177)
            try:
                made.bind(address)
            finally:
                os.umask(before)
            made.listen(4)
            self._listening = socket.socket(fileno=os.dup(made.fileno()))
        self._thread = threading.Thread(target=self._answer_all, args=(self._listening,), name="supervisor")
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a compaction under way is waited for. Safe to call twice."""
        if self._listening is None or self._thread is None:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        self._listening = self._thread = None
        (self._data / SOCKET).unlink(missing_ok=True)

    def _answer_all(self, listening: socket.socket) -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return  # closed
            with caller:
                try:
                    caller.settimeout(QUESTION_PATIENCE)
                    caller.sendall(self._answer(caller))
                except OSError:
                    continue  # whoever asked has gone

    def _answer(self, caller: socket.socket) -> bytes:
        _, uid, _ = CREDENTIALS.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        if uid not in {0, os.geteuid()}:
            return b"refused: this is the supervisor's owner's door\n"
        if caller.recv(len(COMMAND) + 1) != COMMAND:
            return b"refused: the only command is: compact keys\n"
        try:
            self._compact()
        except DeployError as error:
            return f"not compacted: {error}\n".encode()[:2000]
        return DONE
