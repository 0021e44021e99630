# SPDX-License-Identifier: EUPL-1.2
"""The vault's PDF seal: an EC P-256 key under a passphrase, beside its chain (`keys/seal.p8`, `keys/seal.pem`).

Left to others: signing with it (crypto.pades).
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from crypto.certificates import certificate_name, load_certificate, read_certificates
from crypto.errors import KeyFileError, PassphraseError


@dataclass(frozen=True)
class SealKey:
    """The vault's PDF seal: the loaded EC P-256 key and its chain, the seal's certificate first."""

    chain: tuple[bytes, ...] = field(repr=False)
    key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def name(self) -> str:
        """The seal's subject, for people."""
        return certificate_name(load_certificate(self.chain[0]))


def load_seal(pkcs8: bytes, passphrase: bytes, chain_pem: bytes) -> SealKey:
    """The seal from its encrypted PKCS#8 file and its PEM chain.

    Raises:
        PassphraseError: the passphrase does not open it.
        KeyFileError: not an EC P-256 key, or the chain's first certificate is not for it.
    """
    if b"ENCRYPTED PRIVATE KEY" not in pkcs8:
        raise KeyFileError("the seal is not an encrypted PKCS#8 file")
    try:
        key = load_pem_private_key(pkcs8, password=passphrase)
    except ValueError as error:
        raise PassphraseError("the passphrase does not open the seal") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise KeyFileError("the seal is not an EC P-256 key")
    chain = read_certificates(chain_pem)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if load_certificate(chain[0]).public_key.dump() != public:
        raise KeyFileError("the first certificate of the chain is not the seal's")
    return SealKey(chain=chain, key=key)
