# SPDX-License-Identifier: EUPL-1.2
"""What a custodian's tool remembers of a procedure: the pinned policy, accepted closings, accepted anchors.

Rules
  1. One file per procedure and key under the XDG configuration home, replaced as a whole: never half written.
  2. It is written before a slot is touched: a tool that forgets would accept a second closing.

Left to others: what may be pinned (acts).
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from crypto.closing_rules import Memory
from crypto.errors import PolicyError

FOLDER = "bidvault/pins"


def default_folder() -> Path:
    """Where pins lie: $XDG_CONFIG_HOME/bidvault/pins."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / FOLDER


@dataclass(frozen=True)
class Pins:
    """The pins of one key."""

    kid: bytes
    folder: Path = field(default_factory=default_folder)

    def read(self, procedure: bytes) -> Memory | None:
        """What is remembered of a procedure, or nothing yet.

        Raises:
            PolicyError: the file is damaged: nothing may be signed or opened until it is restored.
        """
        path = self._path(procedure)
        try:
            stored = json.loads(path.read_text(encoding="ascii"))
            return Memory(
                pinned=bytes.fromhex(stored["pinned"]),
                main_closings={int(box): bytes.fromhex(one) for box, one in stored["main_closings"].items()},
                decided={bytes.fromhex(one): bytes.fromhex(two) for one, two in stored["decided"].items()},
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise PolicyError(f"the pin {path} is damaged: restore it from a backup") from error

    def require(self, procedure: bytes) -> Memory:
        """What is remembered; PolicyError when this key never rehearsed the procedure here."""
        memory = self.read(procedure)
        if memory is None:
            raise PolicyError("this key has pinned no policy of this procedure: rehearse first, on this machine")
        return memory

    def replaced(self, procedure: bytes) -> bytes | None:
        """The policy that was pinned before an amendment was signed; it counts again only by the printed notice."""
        try:
            found = json.loads(self._path(procedure).read_text(encoding="ascii")).get("replaced")
        except FileNotFoundError:
            return None
        return bytes.fromhex(found) if found else None

    def write(self, procedure: bytes, memory: Memory, *, replaced: bytes | None = None) -> None:
        """Remember; the file is whole or as before."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stored = {
            "pinned": memory.pinned.hex(),
            "replaced": replaced.hex() if replaced else None,
            "main_closings": {str(box): one.hex() for box, one in sorted(memory.main_closings.items())},
            "decided": {one.hex(): two.hex() for one, two in sorted(memory.decided.items())},
        }
        path = self._path(procedure)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(stored, indent=1), encoding="ascii")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)

    def _path(self, procedure: bytes) -> Path:
        return self.folder / f"{procedure.hex()}-{self.kid.hex()}.json"
