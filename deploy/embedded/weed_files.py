# SPDX-License-Identifier: EUPL-1.2
"""The store's own files: who may do what, and the keys that shut its side doors (storage.md 1.3).

Rules
  1. Four identities: provision does everything, vault reads, writes and locks objects, keys keeps wraps, reader reads.
  2. Every HTTP part wants a JWT, every gRPC part our certificate; whoever holds `pki/store.key` or `security.toml` can
     do everything, so API and worker never read this folder.
  3. All of it is made at the first start and used again at the next.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.embedded.directory import PRIVATE_DIRECTORY, PRIVATE_FILE

COMMON_NAME = "bidvault-store"
IDENTITIES = ("provision", "vault", "keys", "reader")
GRPC_PARTS = ("master", "volume", "filer", "s3", "admin", "worker", "msg_broker", "msg_agent", "mq", "client")
JWT_PARTS = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
LIFETIME = timedelta(days=3650)  # of a certificate that only ever meets itself on loopback
OBJECT_ACTIONS = (
    "Read", "Write", "List", "Tagging", "GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold",
    "PutObjectLegalHold", "GetBucketObjectLockConfiguration",
)  # fmt: skip
KEY_ACTIONS = ("Read", "Write", "List")
READER_ACTIONS = ("Read", "List")


@dataclass(frozen=True, slots=True)
class BucketPair:
    """The two buckets of one vault."""

    objects: str
    keys: str


def write_store_files(conf: Path, secrets_of: Mapping[str, str], pairs: Sequence[BucketPair]) -> None:
    """Write `s3.json` anew and make what is missing of `security.toml` and `pki/`."""
    _write(conf / "s3.json", json.dumps(_identities(secrets_of, pairs), indent=1).encode())
    if not (conf / "pki" / "store.key").exists():
        _make_certificates(conf / "pki")
    if not (conf / "security.toml").exists():
        _write(conf / "security.toml", _security(conf).encode())


def access_key(identity: str) -> str:
    """The public half of an identity's credentials."""
    return f"bidvault-{identity}"


def _identities(secrets_of: Mapping[str, str], pairs: Sequence[BucketPair]) -> dict[str, list[dict[str, object]]]:
    objects, keys = [pair.objects for pair in pairs], [pair.keys for pair in pairs]
    actions = {
        "provision": ["Admin"],
        "vault": [f"{action}:{bucket}" for bucket in objects for action in OBJECT_ACTIONS],
        "keys": [f"{action}:{bucket}" for bucket in keys for action in KEY_ACTIONS],
        "reader": [f"{action}:{bucket}" for bucket in objects for action in READER_ACTIONS],
    }
    return {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": access_key(name), "secretKey": secrets_of[name]}],
                "actions": actions[name],
            }
            for name in IDENTITIES
        ]
    }


def _security(conf: Path) -> str:
    pki = conf / "pki"
    own = f'cert = "{pki / "store.pem"}"\nkey = "{pki / "store.key"}"\n'
    lines = [
        "[access]\nui = false\n",
        "[filer.expose_directory_metadata]\nenabled = false\n",
        '[cors.allowed_origins]\nvalues = ""\n',
        *(f'[{part}]\nkey = "{secrets.token_hex(32)}"\nexpires_after_seconds = 60\n' for part in JWT_PARTS),
        f'[grpc]\nca = "{pki / "ca.pem"}"\n',
        *(f'[grpc.{part}]\n{own}allowed_commonNames = "{COMMON_NAME}"\n' for part in GRPC_PARTS),
    ]
    return "\n".join(lines)


def _make_certificates(pki: Path) -> None:
    """An authority whose key is thrown away, and the one certificate it ever signed. The key file is written last."""
    pki.mkdir(exist_ok=True, mode=PRIVATE_DIRECTORY)
    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("bidvault-store-ca")
    ca = _certificate(issuer, issuer, issuer_key.public_key(), is_authority=True).sign(issuer_key, hashes.SHA256())
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    own = _certificate(_name(COMMON_NAME), issuer, key.public_key(), is_authority=False)
    names = x509.SubjectAlternativeName([x509.DNSName(COMMON_NAME), x509.DNSName("localhost")])
    store = own.add_extension(usages, critical=False).add_extension(names, critical=False)
    _write(pki / "ca.pem", ca.public_bytes(serialization.Encoding.PEM))
    _write(pki / "store.pem", store.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    _write(
        pki / "store.key",
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
