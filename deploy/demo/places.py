# SPDX-License-Identifier: EUPL-1.2
"""Where the demo's files go: one folder, `OUT`, that holds nothing else.

Rules
  1. A folder that holds anything but an earlier demo is refused; of an earlier demo our own folders are made anew.
  2. Keys and passphrases lie there openly, since it is a demo; the folder is for its owner only.
  3. The vault's own data lie in `OUT/.vault` while it runs and are deleted at the end.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.errors import PlaceTaken

MARK = ".bidvault-demo"
FOLDERS = ("documents", "receipts", "minutes", "sealed", "keys", "opened", "packages", "trust")
PRIVATE = 0o700
ROOM = 4 * 1024**3  # bytes: 300 MB of plans lie here as documents, in the store, sealed, opened, and twice in a package


@dataclass(frozen=True, slots=True)
class Places:
    """The folders under `OUT`."""

    out: Path

    @classmethod
    @contextlib.contextmanager
    def taken(cls, out: Path) -> "Iterator[Places]":
        """Make them, empty; at the end, however it comes, delete what does not outlive the demo.

        Raises:
            PlaceTaken: something else is there, another demo is running there, or the disk is too full.
        """
        places = cls(out.absolute())
        _require_ours(places.out)
        places.out.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        with _held(places.out / MARK):
            places.clean()
            try:
                places.make()
                yield places
            finally:
                places.clean()

    def make(self) -> None:
        """The folders, empty; PlaceTaken when the disk is too full."""
        for name in FOLDERS:
            shutil.rmtree(self.out / name, ignore_errors=True)
            (self.out / name).mkdir(mode=PRIVATE)
        if (free := shutil.disk_usage(self.out).free) < ROOM:
            raise PlaceTaken(
                f"{self.out} has {free / 1024**3:.1f} GB left and the demo needs {ROOM / 1024**3:.0f} GB; "
                "name a folder elsewhere with --out"
            )

    @property
    def documents(self) -> Path:
        """What the bidders hand in."""
        return self.out / "documents"

    @property
    def receipts(self) -> Path:
        """Receipts and withdrawals: PDFs, and the signed notes with their evidence."""
        return self.out / "receipts"

    @property
    def minutes(self) -> Path:
        """Closing lists and minutes as PDFs, each with the signed statement in it."""
        return self.out / "minutes"

    @property
    def sealed(self) -> Path:
        """The sealed envelopes, as the operator has them."""
        return self.out / "sealed"

    @property
    def keys(self) -> Path:
        """Key files, passphrases, cards, tokens."""
        return self.out / "keys"

    @property
    def opened(self) -> Path:
        """What the buyer downloads after the opening."""
        return self.out / "opened"

    @property
    def packages(self) -> Path:
        """The exported package."""
        return self.out / "packages"

    @property
    def trust(self) -> Path:
        """What `bidvault verify --trust` reads."""
        return self.out / "trust"

    @property
    def vault(self) -> Path:
        """The vault's data directory while the demo runs."""
        return self.out / ".vault"

    @property
    def changed(self) -> Path:
        """The copy of the package in which one byte is changed; deleted at the end."""
        return self.out / ".changed"

    def clean(self) -> None:
        """Delete what does not outlive the demo."""
        for left in (self.vault, self.changed):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _held(mark: Path) -> Iterator[None]:
    """Hold the mark: two demos in one folder would delete each other's vault; PlaceTaken."""
    held = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(held, 0)
        os.pwrite(held, b"The folders beside this file belong to `bidvault demo`.\n", 0)
        yield
    except BlockingIOError:
        raise PlaceTaken(f"another demo is running in {mark.parent}; name another folder with --out") from None
    finally:
        os.close(held)


def _require_ours(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise PlaceTaken(f"{out} is a file; name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        raise PlaceTaken(f"{out} holds other things, which the demo will not touch; name another folder with --out")
