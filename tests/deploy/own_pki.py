# SPDX-License-Identifier: EUPL-1.2
"""Authorities that nobody knows: the layout of deploy/pki.yml under keys drawn for one test."""

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.authorities import HERE


def draw_pki(folder: Path) -> Path:
    """A folder for `Authorities(…, pki=folder)`."""
    (folder / "pki").mkdir(parents=True)
    shutil.copy(HERE / "pki.yml", folder / "pki.yml")
    for known in (HERE / "pki").glob("*.key.pem"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / "pki" / known.name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder
