# SPDX-License-Identifier: EUPL-1.2
"""The stores that racing processes share keep the contracts of the real ones."""

from pathlib import Path

import pytest

from tests.contracts.stores import KeyStoreContract, ObjectStoreContract, now
from tests.races.stores import FileKeyStore, FileObjectStore
from vault.store import KeyStore, ObjectStore

pytestmark = pytest.mark.long  # a simulator that hardly ever changes


class TestFileObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FileObjectStore(tmp_path, clock=now)


class TestFileKeyStore(KeyStoreContract):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyStore:
        return FileKeyStore(tmp_path)
