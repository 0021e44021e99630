# SPDX-License-Identifier: EUPL-1.2
"""Getting deleted keys out of the key store's files: asked of the supervisor, who alone may (storage.md 1.5).

Rules
  1. A store deletes by forgetting; the bytes stay until its files are compacted. Whoever relies on a key being gone
     asks for that, and gets an error where it cannot be done, never silence.
  2. API and worker hold no certificate of the embedded store: on a socket for its owner only, the supervisor answers
     one command.

Left to others: the supervisor's side (deploy.supervisor), when keys die (retention).
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vault.errors import CannotCompact

SOCKET = "supervisor.sock"  # in the data directory
COMMAND = b"compact keys\n"
DONE = b"done\n"
ANSWER_LIMIT = 4096
PATIENCE = 180.0  # seconds: a volume of a gigabyte is copied


def cannot_compact() -> None:
    """What a store answers that is not ours.

    Raises:
        CannotCompact: always.
    """
    raise CannotCompact(
        "the key store is not ours: its dead blocks are compacted by its operator, or die with a new root key"
    )


class SupervisorCompaction:
    """Compacts by asking the supervisor of the embedded store."""

    def __init__(self, data: Path) -> None:
        """Name its data directory; nothing is asked yet."""
        self._data = data

    def __call__(self) -> None:
        """Return once the deleted keys are in no file any more.

        Raises:
            CannotCompact: no supervisor answers, or it could not; it says why.
        """
        try:
            with socket_at(self._data) as (supervisor, address):
                supervisor.settimeout(PATIENCE)
                supervisor.connect(address)
                supervisor.sendall(COMMAND)
                answer = _all_of(supervisor)
        except OSError as error:
            raise CannotCompact(f"the supervisor of {self._data} does not answer: {error}") from error
        if answer != DONE:
            raise CannotCompact(answer.decode(errors="replace").strip() or "the supervisor broke off")


@contextmanager
def socket_at(data: Path) -> Iterator[tuple[socket.socket, str]]:
    """A Unix socket and its address in a directory, whatever the length of the directory's name (107 bytes at most)."""
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            yield made, f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def _all_of(supervisor: socket.socket) -> bytes:
    answer = b""
    while len(answer) < ANSWER_LIMIT and (piece := supervisor.recv(ANSWER_LIMIT)):
        answer += piece
    return answer
