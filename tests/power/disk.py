# SPDX-License-Identifier: EUPL-1.2
"""A disk whose power a test cuts: ext4 on an image behind a loop device.

Rules
  1. A cut is one instant under full load: from then on nothing more reaches the image, not even the filesystem's own
     log, and every write and flush fails. What lay in memory only is gone (storage.md 2.1; ext4's shutdown request is
     what filesystem developers test crashes with).
  2. The kernel writes nothing back by itself meanwhile: its own commits are far apart.
  3. What is mounted is unmounted and what is attached is detached, however a test ends.

Not simulated: a disk that has a volatile cache of its own and forgets what it said was written.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Self

MKFS, MOUNT, UMOUNT = "/usr/sbin/mkfs.ext4", "/usr/bin/mount", "/usr/bin/umount"
SIZE = 8 * 1024**3  # sparse: it takes what is written
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)
WITHOUT_LOG = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH


class CutDisk:
    """A mounted filesystem of one test's own."""

    def __init__(self, *, size: int = SIZE) -> None:
        """Make it and mount it.

        Raises:
            OSError, subprocess.CalledProcessError: not permitted here.
        """
        self._home = Path(tempfile.mkdtemp(prefix="bidvault-disk-"))
        self._image, self.root = self._home / "image", self._home / "mounted"
        self.root.mkdir()
        try:
            with self._image.open("wb") as image:
                image.truncate(size)
            _run(MKFS, "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(self._image))
            self._mount()
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise

    def cut(self) -> None:
        """Cut the power."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        finally:
            os.close(descriptor)

    def plug_in(self) -> None:
        """Mount what is on the disk. Nobody may have a file open there."""
        _run(UMOUNT, str(self.root))
        self._mount()

    def close(self) -> None:
        """Take everything away."""
        if os.path.ismount(self.root):
            _run(UMOUNT, str(self.root))
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _mount(self) -> None:
        _run(MOUNT, "-t", "ext4", "-o", "loop,commit=600", str(self._image), str(self.root))


@cache
def why_not() -> str:
    """Why no disk can be cut here; empty where it can."""
    if os.geteuid() != 0:
        return "cutting a disk's power needs root"
    try:
        with CutDisk(size=64 * 1024**2) as disk:
            disk.cut()
            disk.plug_in()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"loop devices and ext4 are not to be had here: {error}"
    return ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
