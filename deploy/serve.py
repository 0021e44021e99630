# SPDX-License-Identifier: EUPL-1.2
"""The entry of the two serving processes, API and worker: `python -m deploy.serve api|worker`.

Rules
  1. They leave no core dump and let nobody read their memory (protocol 1, S1).
  2. Settings come from the environment alone; a promise that cannot be kept ends the process with a sentence.
  3. What they log is what api.observing lets through, from the first line on.

Left to others: starting and watching them (deploy.up), what they are made of (api.bootstrap).
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api import bootstrap, worker
from api.app import create_app
from api.observing import configure_logging
from api.server import LOOPBACK, make_server
from crypto.errors import CryptoError
from crypto.keys.memory import keep_memory_private
from crypto.stream import SWITCH_INTERVAL
from deploy import standins
from deploy.clock import require_right_clock
from deploy.conformance import Run, Store, require_answer, require_conformance
from deploy.errors import REFUSED, DeployError
from vault.errors import DatabaseUnavailable, VaultError
from vault.recovery import Vigil
from vault.settings import Settings, read_settings
from vault.work import Works

HOST, PORT = "BIDVAULT_HOST", "BIDVAULT_PORT"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
MALLOC = {M_TRIM_THRESHOLD: 1 << 20, M_MMAP_THRESHOLD: 1 << 20, M_ARENA_MAX: 2}
WORKER_THREADS = 4
GOODBYE = 30.0  # seconds that running jobs have when the worker stops
LOOK_EVERY = 1.0  # seconds


def keep_memory_flat() -> None:
    """Give large blocks back to the system when they are freed, and share arenas among threads.

    Left to itself glibc keeps what an upload's buffers took, one arena for each thread (storage.md 4.3: flat memory).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library may have none, and needs none
    for parameter, value in MALLOC.items():
        if mallopt is not None:
            mallopt(parameter, value)


def serve_api(works: Works) -> None:
    """Try both stores, then serve until a signal comes."""
    require_conformance(bootstrap.objects_of(works.settings), bootstrap.keys_of(works.settings))
    app = create_app(bootstrap.services(works))
    make_server(app, host=os.environ.get(HOST, LOOPBACK), port=int(os.environ.get(PORT, "0"))).run()


def run_worker(works: Works) -> None:
    """Run jobs and timers until a signal comes."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    conninfo = works.settings.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
    app = worker.make_app(works, conninfo, seal=bootstrap.print_seal(works))
    app.run_worker(
        concurrency=WORKER_THREADS, name=f"worker-{os.getpid()}", shutdown_graceful_timeout=GOODBYE, listen_notify=True
    )


@contextmanager
def kept_in_view(works: Works) -> Iterator[None]:
    """Say that this process serves, and end it when the database comes back older than it was."""
    vigil, ended = Vigil(works), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY):
            try:
                vigil.look()
            except DatabaseUnavailable:
                continue
            except VaultError as error:
                sys.stderr.write(f"{error.code}: {error}\n")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    vigil.begin()
    watcher = threading.Thread(target=watch, name="vigil", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        vigil.end()


def require_no_stand_ins(settings: Settings) -> None:
    """Refuse what is for development only, unless that is what this vault is for; CannotStart says what."""
    if not settings.is_development:
        standins.require_none(
            authorities=settings.authorities,
            passphrase_file=settings.passphrase_file,
            keys=settings.keys,
            database_url=settings.database_url.get_secret_value(),
            gate_database_url=settings.gate_database_url.get_secret_value(),
        )


def main() -> None:
    """Serve what the first argument names."""
    keep_memory_private()
    keep_memory_flat()
    configure_logging()
    serving = {"api": serve_api, "worker": run_worker}[sys.argv[1]]
    try:
        settings = read_settings()
        require_no_stand_ins(settings)
        require_answer(Run(Store(bootstrap.objects_of(settings))))
        works = bootstrap.compose(settings)
        require_right_clock(works)
        with kept_in_view(works):
            serving(works)
    except (VaultError, CryptoError, DeployError) as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
