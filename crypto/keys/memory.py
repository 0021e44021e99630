# SPDX-License-Identifier: EUPL-1.2
"""Keeps what a process holds in memory out of core dumps and from other processes of the same account (protocol 1).

Left to others: zeroing secrets after use (whoever holds them), swap (the operator, docs/threats.md).
"""

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:  # pragma: no cover - a measured process stays open; tests/deploy looks from outside
    """No core dump, and no reading of this process by others of the same account. Call it before a key is opened.

    Raises:
        OSError: the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE")
