# SPDX-License-Identifier: EUPL-1.2
"""The test authorities: two for time, OCSP and CRL, a root for seals, served by certomancer in a child process.

Rules
  1. For development and tests only: the keys lie in deploy/pki, in the open. Starting them warns.
  2. Time cannot be moved from outside, unless a test asks for that.
  3. Roots are the same in every run and clone; the other certificates name the port, which a data directory keeps.
  4. Loopback only; the child ends with the thread that started it.

Left to others: other parts of the stack (deploy.embedded), asking for tokens (vault.authorities).
"""

import argparse
import socket
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx2
import yaml  # type: ignore[import-untyped]  # certomancer's own reader of its configuration
from aiohttp import web
from certomancer.integrations.aiohttp_animator import build_animator_app
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig, PKIArchitecture
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from deploy.embedded.child import Child, Launch
from deploy.errors import PartFailed
from vault.errors import DevelopmentOnly

HERE = Path(__file__).resolve().parent
ARCHITECTURE = ArchLabel("bidvault")
MAX_PORT = 65535
LOOPBACK = "127.0.0.1"
START_PATIENCE = 30.0  # seconds; it takes about 2 where nothing else runs
_PAUSE = 0.05  # seconds between two looks at a starting child
_NAMES = {"a": "Test time authority A", "b": "Test time authority B"}
# For tests in process; never served.
_UNSEEN = ("foreign-root", "tsa-foreign", "ocsp-foreign", "deep-ca", "tsa-deep", "ocsp-deep")
FAKE_TIME_HEADER = "X-Certomancer-Fake-Time"  # understood only when time may be moved


@dataclass(frozen=True)
class ServedAuthority:
    """One of the two: its name, where it answers, and its root."""

    name: str
    address: str
    anchor_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class AuthorityAddresses:
    """Where the test authorities answer, and what is trusted of them.

    Attributes:
        time: both time authorities.
        seal_root_pem: the root of the vault's PDF seal.
        seal_chain_pem: the seal's certificate and its root, as `keys/seal.pem` holds them.
        seal_key_pem: the seal's private key.
        base: the address all others begin with.
    """

    time: tuple[ServedAuthority, ...]
    seal_root_pem: bytes = field(repr=False)
    seal_chain_pem: bytes = field(repr=False)
    seal_key_pem: bytes = field(repr=False)
    base: str


class Authorities:
    """The child process that serves them; one per data directory."""

    def __init__(self, directory: Path, *, pki: Path = HERE) -> None:
        """Name the directory that keeps port and log, and where pki.yml lies; nothing is touched before `start`."""
        self._directory = directory
        self._pki = pki
        self._child: Child | None = None

    def start(self, *, is_time_movable: bool = False) -> AuthorityAddresses:
        """Start the child and wait until it answers.

        Raises:
            PartFailed: it ended, or did not answer in time.
        """
        warnings.warn("test authorities: their tokens and seals prove nothing", DevelopmentOnly, stacklevel=2)
        self._directory.mkdir(parents=True, exist_ok=True)
        ready = self._directory / "authorities.ready"
        ready.unlink(missing_ok=True)
        arguments = ["--port", str(self._kept_port()), "--ready", str(ready), "--pki", str(self._pki)]
        self._child = Child(
            Launch(
                name="the test authorities",
                command=[sys.executable, "-m", "deploy.authorities", *arguments, *["--movable-time"] * is_time_movable],
                log=self._directory / "authorities.log",
                directory=self._directory,
                environment={"PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": "1"},
            )
        )
        try:
            port = self._wait(self._child, ready)
        except PartFailed:
            self.stop()
            raise
        (self._directory / "authorities.port").write_text(f"{port}\n")
        return addresses(f"http://{LOOPBACK}:{port}", pki_folder=self._pki)

    def is_running(self) -> bool:
        """Whether there is a child, and it has not ended."""
        return self._child is not None and self._child.is_running()

    def stop(self) -> None:
        """Stop the child; safe to call twice."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _kept_port(self) -> int:
        try:
            port = int((self._directory / "authorities.port").read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return port if 0 < port <= MAX_PORT and _is_free(port) else 0

    def _wait(self, child: Child, ready: Path) -> int:
        until = time.monotonic() + START_PATIENCE
        while time.monotonic() < until:
            child.require_running()
            if ready.exists() and _answers(port := int(ready.read_text())):
                return port
            time.sleep(_PAUSE)
        raise PartFailed(f"the test authorities do not answer; {child.launch.log} ends with:\n{child.log_tail()}")


def issue(base: str, *, pki_folder: Path = HERE) -> PKIArchitecture:
    """Everything of a folder's pki.yml, issued for a base address."""
    config = yaml.safe_load((pki_folder / "pki.yml").read_text(encoding="utf-8"))
    config["external-url-prefix"] = base
    return CertomancerConfig(config, key_search_dir=str(pki_folder), lazy_load_keys=True).get_pki_arch(ARCHITECTURE)


def addresses(base: str, *, pki_folder: Path = HERE) -> AuthorityAddresses:
    """What authorities at a base address are and show; nothing is asked."""
    pki = issue(base, pki_folder=pki_folder)
    return AuthorityAddresses(
        time=tuple(
            ServedAuthority(
                name, f"{base}/{ARCHITECTURE.value}/tsa/{which}", anchor_pem=_pem(pki, f"time-root-{which}")
            )
            for which, name in _NAMES.items()
        ),
        seal_root_pem=_pem(pki, "seal-root"),
        seal_chain_pem=_pem(pki, "seal") + _pem(pki, "seal-root"),
        seal_key_pem=(pki_folder / "pki" / "seal.key.pem").read_bytes(),
        base=base,
    )


def write_trust(where: AuthorityAddresses, directory: Path) -> None:
    """Write the roots as PEM files: what `bidvault verify --trust` reads."""
    directory.mkdir(parents=True, exist_ok=True)
    for authority, which in zip(where.time, _NAMES, strict=True):
        (directory / f"time-{which}.pem").write_bytes(authority.anchor_pem)
    (directory / "seal.pem").write_bytes(where.seal_root_pem)


def write_seal(where: AuthorityAddresses, keys: Path, *, passphrase: bytes) -> None:
    """Write the vault's PDF seal: `seal.p8` under the passphrase once, `seal.pem` for the present port each time."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_file = keys / "seal.p8"
    if not key_file.exists():
        key = load_pem_private_key(where.seal_key_pem, password=None)
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
        key_file.touch(mode=0o600)
        key_file.write_bytes(encrypted)
    (keys / "seal.pem").write_bytes(where.seal_chain_pem)


def serve(port: int, ready: Path, *, is_time_movable: bool, pki_folder: Path = HERE) -> None:
    """Serve until a signal ends it; `ready` gets the port once everything is issued."""
    listening = socket.create_server((LOOPBACK, port))
    port = listening.getsockname()[1]
    pki = issue(f"http://{LOOPBACK}:{port}", pki_folder=pki_folder)
    for spec in [one for _issuer, ones in pki.enumerate_certs_by_issuer() for one in ones]:
        if spec.label.value not in _UNSEEN:
            pki.get_cert(spec.label)  # issued now, so that no request waits for it
    app = build_animator_app({ARCHITECTURE: pki}, with_web_ui=False, allow_time_override=is_time_movable)
    half = ready.with_suffix(".half")
    half.write_text(str(port))
    half.rename(ready)
    web.run_app(app, sock=listening, access_log=None, print=None)


def ask_time(at: datetime) -> dict[str, str]:
    """The header that moves one request's time, where that is allowed."""
    return {FAKE_TIME_HEADER: at.isoformat()}


def main() -> None:
    """The child's entry."""
    parser = argparse.ArgumentParser(description="Serve the test authorities. For development only.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready", type=Path, required=True)
    parser.add_argument("--movable-time", action="store_true")
    parser.add_argument("--pki", type=Path, default=HERE)
    given = parser.parse_args()
    serve(given.port, given.ready, is_time_movable=given.movable_time, pki_folder=given.pki)


def _pem(pki: PKIArchitecture, label: str) -> bytes:
    return x509.load_der_x509_certificate(pki.get_cert(CertLabel(label)).dump()).public_bytes(Encoding.PEM)


def _is_free(port: int) -> bool:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def _answers(port: int) -> bool:
    address = f"http://{LOOPBACK}:{port}/{ARCHITECTURE.value}/certs/a/ca.crt"
    try:
        return httpx2.get(address, trust_env=False, timeout=2).is_success
    except httpx2.HTTPError:
        return False


if __name__ == "__main__":
    main()
