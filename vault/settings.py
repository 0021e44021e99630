# SPDX-License-Identifier: EUPL-1.2
"""Settings of a deployment, from the environment (BIDVAULT_…) or given by whoever starts the vault.

Rules
  1. Unsafe combinations are refused here, before anything starts.
  2. What is for development only says so (`is_development`); everything sealed under it is level 0.
  3. Secrets are `SecretStr`: they do not print.

Left to others: keys and passphrases (vault.keys), limits as a policy fixes them (vault.procedures).
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ByteSize, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vault.errors import CannotStart

GIB = 1024**3
QUORUM = 2  # protocol 2.7: q is at least 2, always


class Authority(BaseModel):
    """One time authority: where it answers, and the PEM file of the self-signed root that its chain must reach."""

    name: str
    url: str
    anchor: Path


class BucketAccess(BaseModel):
    """A bucket and the identity that may use it."""

    bucket: str
    access_key: str
    secret_key: SecretStr


class Service(BaseModel):
    """Who runs this vault: the words printed on receipts (CRPA R112-11-1)."""

    name: str = "bidvault"
    address: str = "-"
    telephone: str = "-"


class Settings(BaseSettings):
    """All that a process of the vault must be told."""

    model_config = SettingsConfigDict(
        env_prefix="BIDVAULT_", env_nested_delimiter="__", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr
    gate_database_url: SecretStr
    s3_endpoint: str
    s3_region: str = "us-east-1"  # that requests are signed for; most stores that are not Amazon's do not care
    objects: BucketAccess
    key_store: BucketAccess
    embedded_store: Path | None = None  # the embedded store's directory: what `durable()` must flush
    store_quota: ByteSize | None = None  # bytes that the embedded store may take; none: what the disk gives
    authorities: tuple[Authority, ...]
    quorum: int = Field(default=QUORUM, ge=QUORUM)
    keys: Path  # root, gate, statement, journal, seal
    passphrase_file: Path
    origin: str = "bidvault.local"  # the vault's name in its statements' and journal's keys
    service: Service = Service()
    is_development: bool = False  # generated passphrase, test PKI or sandbox clock: level 0
    max_document: int = 10 * GIB
    max_envelope: int = 10 * GIB
    max_documents: int = 2000
    max_deposits: int = 50  # per bidder and box
    lock_horizon: timedelta = timedelta(days=400)  # preservation: a wrong date must not lock for decades
    store_checksum: str = "when_supported"

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if len(self.authorities) < self.quorum:
            raise ValueError(f"{self.quorum} time authorities are needed, {len(self.authorities)} given (--tsa)")
        if self.max_document > self.max_envelope:
            raise ValueError("a document may not be larger than an envelope: raise max_envelope or lower max_document")
        if self.objects.bucket == self.key_store.bucket:
            raise ValueError("objects and keys need two buckets: the key store must have neither lock nor versions")
        if urlsplit(self.s3_endpoint).scheme not in {"http", "https"}:
            raise ValueError("s3_endpoint: give an http or https address")
        return self


def read_settings(given: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process's environment; what is given by name wins.

    Raises:
        CannotStart: one is missing or cannot be meant; the text names it, never its value.
    """
    try:
        return Settings.model_validate(given or {})
    except ValidationError as error:
        raise CannotStart(f"the settings do not fit: {in_words(error)}") from None


def in_words(error: ValidationError) -> str:
    """Which settings are wrong, and why; no value, for it may be a secret."""
    return "; ".join(
        f"{'BIDVAULT_' + '__'.join(map(str, one['loc'])).upper() + ': ' if one['loc'] else ''}"
        f"{one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_input=False, include_context=False)
    )
