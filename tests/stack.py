# SPDX-License-Identifier: EUPL-1.2
"""One embedded stack for a whole test run, however many processes run it.

The main pytest process holds the stack in a thread of its own and starts it when the first test asks. Each xdist worker
asks over a local socket for a database and a pair of buckets of its own. What is never asked for is never started.
"""

import shutil
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from pathlib import Path

from deploy.embedded import Addresses, EmbeddedStack
from deploy.embedded.weed_files import BucketPair
from deploy.migrations import migrate

WORKERS = ("main", *(f"gw{number}" for number in range(16)))
PAIRS = {worker: BucketPair(objects=f"objects-{worker}", keys=f"keys-{worker}") for worker in WORKERS}
MIGRATED = "migrated"  # the template of all test databases
AUTHENTICATION = b"a test run talks to itself"


@dataclass(frozen=True)
class Wanted:
    """A request: a database made from the migrated template, with a worker's buckets; or one to be dropped."""

    worker: str
    database: str
    is_done: bool = False


class StackBroker:
    """Holds the stack, in the main process."""

    def __init__(self) -> None:
        """Listen; the stack is not started."""
        self._home = Path(tempfile.mkdtemp(prefix="bidvault-tests-"))
        self._listener = Listener(str(self._home / "broker"), "AF_UNIX", authkey=AUTHENTICATION)
        self._stack: EmbeddedStack | None = None
        # The children end with the thread that starts them: this one lives as long as the run.
        self._thread = threading.Thread(target=self._serve, name="stack")
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self._listener.address)

    def stop(self) -> None:
        """End everything and leave nothing behind."""
        _send(self.address, None)
        self._thread.join()
        self._listener.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            with self._listener.accept() as connection:
                wanted = connection.recv()
                if wanted is None:
                    break
                try:
                    connection.send(self._answer(wanted))
                except Exception as error:  # noqa: BLE001 - whatever it is, the asking test shows it
                    connection.send(error)
        if self._stack is not None:
            self._stack.stop()

    def _answer(self, wanted: Wanted) -> Addresses | None:
        stack = self._stack or self._start()
        if wanted.is_done:
            stack.drop_database(wanted.database)
            return None
        pair = stack.create_buckets(PAIRS[wanted.worker])
        return stack.addresses(database=stack.create_database(wanted.database, template=MIGRATED), pair=pair)

    def _start(self) -> EmbeddedStack:
        stack = EmbeddedStack(self._home / "data", pairs=tuple(PAIRS.values()))
        stack.start()
        try:
            migrate(stack.create_database(MIGRATED).owner)
        except BaseException:
            stack.stop()
            raise
        self._stack = stack
        return stack


def ask(address: str, wanted: Wanted) -> Addresses | None:
    """Ask the broker from any process."""
    answer = _send(address, wanted)
    if isinstance(answer, Exception):
        raise answer
    assert answer is None or isinstance(answer, Addresses)
    return answer


def _send(address: str, wanted: Wanted | None) -> object:
    with Client(address, "AF_UNIX", authkey=AUTHENTICATION) as connection:
        connection.send(wanted)
        return None if wanted is None else connection.recv()
