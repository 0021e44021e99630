# SPDX-License-Identifier: EUPL-1.2
"""Data directories for tests that start a stack of their own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.authorities import Authorities, AuthorityAddresses
from tests.deploy.own_pki import draw_pki

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that is not there yet."""
    home = Path(tempfile.mkdtemp(prefix="bidvault-stack-"))
    yield home / "data"
    shutil.rmtree(home, ignore_errors=True)


class Program:
    """Our code in a process of its own, that can be asked lines and killed."""

    def __init__(self, code: str, *arguments: str, wrapper: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-W", "ignore", "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def line(self) -> str:
        """The next line it writes."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> str:
        """Let it end, and read what it still says."""
        said, _ = self.process.communicate(timeout=60)
        return said


@pytest.fixture
def authorities(data: Path) -> Iterator[AuthorityAddresses]:
    """Somebody else's, as far as the vault knows: their keys were drawn for this test."""
    served = Authorities(data.parent / "outside", pki=draw_pki(data.parent / "pki"))
    yield served.start()
    served.stop()
