# SPDX-License-Identifier: EUPL-1.2
"""The embedded stack: PostgreSQL and an S3 store as child processes on one data directory (storage.md 1 and 2.2).

Rules
  1. One stack per data directory: a lock held for as long as it runs; a second start is refused with a sentence.
  2. What we start ends with us, also when we are killed, and nothing else ends.
  3. Everything listens on 127.0.0.1, on free ports that are kept in `state.json` and drawn again when taken.
  4. Files are for their owner only; secrets are made at the first start and found again at the next.

Left to others: tables (deploy.migrations), time authorities (deploy.authorities), API and worker (deploy.command).
"""

from deploy.embedded.stack import Addresses, EmbeddedStack, S3Credentials

__all__ = ["Addresses", "EmbeddedStack", "S3Credentials"]
