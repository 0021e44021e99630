# SPDX-License-Identifier: EUPL-1.2
"""The real stores of this process, on the embedded stack."""

from collections.abc import Iterator

import pytest

from deploy.embedded import Addresses, S3Credentials
from tests.contracts.stores import now
from vault.store.barrier import DiskBarrier
from vault.store.s3 import S3Access
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore


def access(addresses: Addresses, bucket: str, who: S3Credentials) -> S3Access:
    return S3Access(addresses.s3_endpoint, bucket, who.access_key, who.secret_key, region=addresses.s3_region)


@pytest.fixture(scope="session")
def barrier(addresses: Addresses) -> Iterator[DiskBarrier]:
    barrier = DiskBarrier(addresses.store_directory)
    yield barrier
    barrier.close()


@pytest.fixture(scope="session")
def s3_objects(addresses: Addresses, barrier: DiskBarrier) -> S3ObjectStore:
    return S3ObjectStore(access(addresses, addresses.object_bucket, addresses.vault), clock=now, barrier=barrier)


@pytest.fixture(scope="session")
def s3_keys(addresses: Addresses, barrier: DiskBarrier) -> S3KeyStore:
    return S3KeyStore(access(addresses, addresses.key_bucket, addresses.keys), barrier=barrier)
