# SPDX-License-Identifier: EUPL-1.2
"""What is for development only, recognised where somebody takes it for the real thing.

Rules
  1. A vault that is not for development does not start with anything of it: a test authority's root, the test seal, a
     generated passphrase, one database role for vault and gate.
  2. Test keys are recognised as keys: a certificate made anew with one of them is found out too.
  3. The embedded store and database are no stand-ins: they are real, and bind everybody but their machine's owner.

Left to others: a shifted clock (api.bootstrap), saying level 0 where development is meant (vault.receiving).
"""

import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from vault.errors import CannotStart
from vault.settings import Authority

PKI = Path(__file__).resolve().parent / "pki"
GENERATED = "development-only-"  # what a passphrase begins with that nobody chose
OTHERWISE = "or set BIDVAULT_IS_DEVELOPMENT=true, and everything is level 0"


def generate_passphrase() -> str:
    """A passphrase that says of itself that it was generated."""
    return GENERATED + secrets.token_urlsafe(24)


def require_none(
    *,
    authorities: Sequence[Authority],
    passphrase_file: Path,
    keys: Path,
    database_url: str,
    gate_database_url: str,
) -> None:
    """Refuse stand-ins for development in a vault that is not for development.

    Raises:
        CannotStart: the first one that is found, and what to give instead.
    """
    for authority in authorities:
        if any(_is_in_the_open(one) for one in _certificates(authority.anchor)):
            raise CannotStart(
                f"{authority.name} is a test authority: the key of its root {authority.anchor} lies in the open with "
                f"bidvault's source. Name real authorities (--tsa, BIDVAULT_AUTHORITIES), {OTHERWISE}"
            )
    if any(_is_in_the_open(one) for one in _certificates(keys / "seal.pem")):
        raise CannotStart(
            f"the seal of prints in {keys} is the test seal: its key lies in the open with bidvault's source. "
            f"Put the seal's key and chain there as seal.p8 and seal.pem, {OTHERWISE}"
        )
    if _text(passphrase_file).startswith(GENERATED):
        raise CannotStart(
            f"the passphrase in {passphrase_file} was generated for development. Choose one, make the keys anew under "
            f"it and name its file (--passphrase-file), {OTHERWISE}"
        )
    if urlsplit(database_url).username == urlsplit(gate_database_url).username:
        raise CannotStart(
            "vault and gate enter the database as the same role, so the gate is not apart. Give the gate a role of its "
            f"own (--gate-database-url, BIDVAULT_GATE_DATABASE_URL), {OTHERWISE}"
        )


def _is_in_the_open(certificate: x509.Certificate) -> bool:
    return _fingerprint(certificate.public_key()) in _test_keys()


@cache
def _test_keys() -> frozenset[bytes]:
    """Fingerprints of the keys that lie in deploy/pki for everybody to read."""
    private = (load_pem_private_key(path.read_bytes(), password=None) for path in PKI.glob("*.pem"))
    return frozenset(_fingerprint(key.public_key()) for key in private)


def _fingerprint(key: PublicKeyTypes) -> bytes:
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _certificates(path: Path) -> Iterator[x509.Certificate]:
    """The certificates of a PEM file; one that is missing or broken is told by whoever needs it."""
    try:
        yield from x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
