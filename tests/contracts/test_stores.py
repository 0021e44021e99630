# SPDX-License-Identifier: EUPL-1.2
"""Both object stores and both key stores keep the same contracts."""

import pytest

from tests.contracts.stores import KeyStoreContract, ObjectStoreContract, now
from tests.world.store import MemoryKeyStore, MemoryObjectStore
from vault.store import KeyStore, ObjectStore
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore


class TestEmbeddedObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, s3_objects: S3ObjectStore) -> ObjectStore:
        return s3_objects


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryObjectStore(clock=now)


class TestEmbeddedKeyStore(KeyStoreContract):
    @pytest.fixture
    def keys(self, s3_keys: S3KeyStore) -> KeyStore:
        return s3_keys


class TestMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def keys(self) -> KeyStore:
        return MemoryKeyStore()
