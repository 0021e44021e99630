# SPDX-License-Identifier: EUPL-1.2
"""Start and stop the embedded parts in order, and say where they are."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """One identity of the store."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the started parts are, and what opens them."""

    database_url: str = field(repr=False)  # role of API and worker
    owner_database_url: str = field(repr=False)  # role of the migrations: owns every table
    gate_database_url: str = field(repr=False)  # role of the gate: its own schema, nothing else
    s3_endpoint: str
    object_bucket: str
    key_bucket: str
    vault: S3Credentials  # objects: read, write, list, lock
    keys: S3Credentials  # key store: read, write, list
    reader: S3Credentials  # objects: read, list
    provision: S3Credentials  # everything; for provisioning alone
    store_directory: Path  # what the barrier flushes


class EmbeddedStack:
    """PostgreSQL and weed on one data directory."""

    def __init__(self, data_directory: Path) -> None:
        """Name the directory; nothing is touched before `start`."""
        self.data_directory = data_directory

    def start(self) -> Addresses:
        """Start everything, or stop what was started and raise a DeployError."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the store, then the database; safe to call twice."""
