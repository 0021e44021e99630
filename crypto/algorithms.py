# SPDX-License-Identifier: EUPL-1.2
"""The algorithms and sizes of protocol version 1, and how long each is trusted.

Rules
  1. Sizes are facts of the algorithms; every module takes them from here.
  2. An algorithm stops being trusted for new seals at a date written here, with its source. No policy is rehearsed or
     accepted that keeps a box shut beyond it. What was sealed before stays readable; renewing its proof is another
     matter (retention.renewal).

Left to others: using them (stream, hpke, shares, wraps, keys), refusing such policies (policy.require_lasting).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

VERSION = 1  # protocol 3.4
SUITE = 1  # protocol 3.4: X-Wing, HKDF-SHA-256, AES-256-GCM, Cobblestone-256

KEY_SIZE = 32  # AES-256, HMAC-SHA-256, Ed25519 seeds, X-Wing seeds
SECRET_SIZE = 32  # S_O, S_G, the deposit secret
HASH_SIZE = 32  # SHA-256
ID_SIZE = 16  # envelopes, objects, procedures, kids, persons
GCM_NONCE_SIZE = 12  # SP 800-38D
GCM_TAG_SIZE = 16  # SP 800-38D
KEM_PUBLIC_SIZE = 1216  # X-Wing: ML-KEM-768 1184, X25519 32
KEM_SEED_SIZE = 32  # X-Wing
HPKE_OVERHEAD = 1136  # protocol 2.2: enc 1120, tag 16
SIGNATURE_PUBLIC_SIZE = 32  # Ed25519
SHARE_SIZE = 33  # protocol 2.5: y 32, x 1
SLOT_SIZE = SHARE_SIZE + HPKE_OVERHEAD  # protocol 3.4: 1169


@dataclass(frozen=True)
class Trust:
    """How long an algorithm may be used for something new.

    Attributes:
        name: as the standards write it.
        use: what it does here.
        until: last moment of trust for new uses (UTC).
        source: who says so.
    """

    name: str
    use: str
    until: datetime
    source: str


def _end_of(year: int) -> datetime:
    return datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)


# SP 800-57 part 1 trusts 128 bits and more "2031 and beyond"; we look again every ten years.
TRUSTED = (
    Trust("SHA-256", "digests, tree hashes, time imprints", _end_of(2036), "SP 800-57 part 1 rev. 5, table 4"),
    Trust("SHA-512", "key derivation of streams and key files", _end_of(2036), "SP 800-57 part 1 rev. 5, table 4"),
    Trust("AES-256-GCM", "bodies, wraps, key files", _end_of(2036), "SP 800-57 part 1 rev. 5, table 4"),
    Trust("X-Wing", "slots and contributions", _end_of(2036), "FIPS 203 category 3 beside X25519"),
    Trust("Argon2id", "passphrases of key files", _end_of(2036), "RFC 9106"),
    # IR 8547 (draft) disallows elliptic-curve signatures after 2035; tokens and evidence records outlive them.
    Trust("Ed25519", "statements and checkpoints", _end_of(2035), "NIST IR 8547 initial public draft, table 2"),
)


def untrusted_at(moment: datetime) -> tuple[Trust, ...]:
    """Those algorithms that are not trusted any more at that moment (UTC)."""
    return tuple(trust for trust in TRUSTED if moment > trust.until)
