# SPDX-License-Identifier: EUPL-1.2
"""What a checker brings: roots of time authorities and of the seal, and the vault's verification keys.

Rules
  1. Only what was brought proves; what comes with a package can only show that it fits itself.
  2. A key of the same name and another value is not unknown, it is wrong: somebody else's vault under this one's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto.certificates import Anchor, choose_anchors, read_anchors
from crypto.errors import CryptoError
from crypto.policy import Policy
from crypto.statement import Verifier
from retention.errors import BadTrust
from retention.verification.report import Report

MAX_FILE = 1 << 20


@dataclass(frozen=True)
class Trust:
    """Anchors and keys that were brought."""

    anchors: tuple[Anchor, ...] = ()
    keys: tuple[Verifier, ...] = ()

    def time_anchors(self, policy: Policy, carried: Sequence[Anchor], report: Report) -> tuple[Anchor, ...]:
        """The anchors a policy names: brought ones, else carried ones, which prove nothing and are told as missing."""
        for wanted in policy.time.anchors:
            if wanted not in {one.hash for one in self.anchors}:
                name = next((one.name for one in carried if one.hash == wanted), wanted.hex())
                report.missing("", f"the trust directory does not hold the root of the time authority {name}")
        return choose_anchors((*carried, *self.anchors), policy.time.anchors)

    def require_vault(self, policy: Policy, report: Report, *, file: str) -> None:
        """Compare the keys that a policy names with those brought."""
        for key, use in ((policy.vault_verifier, "statements"), (policy.journal_verifier, "journal")):
            named = [one for one in self.keys if one.name == key.name]
            if key in self.keys:
                report.passed(f"the vault's key for {use} is one you trust: {key.name}")
            elif named:
                report.broken(file, f"names another key for {key.name} than the one you trust: it is a forgery")
            else:
                report.missing("", f"the trust directory does not hold the vault's key for {use}, {key.name}")


def read_trust(folder: Path | None) -> Trust:
    """Read a trust directory: `*.pem` with roots, `*.vkey` with one verification key on each line.

    Raises:
        BadTrust: there is no such directory, or a file in it cannot be used.
    """
    if folder is None:
        return Trust()
    if not folder.is_dir():
        raise BadTrust(f"{folder} is not a directory")
    anchors: dict[bytes, Anchor] = {}
    keys: list[Verifier] = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".pem", ".vkey"}:
            continue
        try:
            if path.suffix == ".pem":
                anchors.update({one.hash: one for one in read_anchors(_read(path))})
            else:
                keys += [Verifier.parse(line) for line in _read(path).decode("ascii").split("\n") if line.strip()]
        except (CryptoError, OSError, ValueError) as error:
            raise BadTrust(f"{path} cannot be used: {error}") from error
    return Trust(tuple(anchors.values()), tuple(keys))


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE:
        raise ValueError("it is too large")
    return path.read_bytes()
