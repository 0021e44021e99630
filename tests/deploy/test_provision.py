# SPDX-License-Identifier: EUPL-1.2
"""Buckets are made as the vault needs them, and one that is not so is refused."""

from uuid import uuid4

import pytest

from deploy.embedded import Addresses
from deploy.errors import StoreUnfit
from deploy.provision import StoreAdmin, provision
from tests.contracts.conftest import access
from vault.store.s3 import connect


@pytest.fixture
def admin(addresses: Addresses) -> StoreAdmin:
    who = addresses.provision
    return StoreAdmin(addresses.s3_endpoint, who.access_key, who.secret_key, region=addresses.s3_region)


def plain_bucket(addresses: Addresses) -> str:
    name = f"plain-{uuid4().hex[:12]}"
    connect(access(addresses, name, addresses.provision)).create_bucket(Bucket=name)
    return name


def test_making_buckets_twice_changes_nothing(addresses: Addresses, admin: StoreAdmin) -> None:
    provision(admin, objects=addresses.object_bucket, keys=addresses.key_bucket)


def test_objects_without_lock_are_refused(addresses: Addresses, admin: StoreAdmin) -> None:
    with pytest.raises(StoreUnfit, match="no versions"):
        provision(admin, objects=plain_bucket(addresses), keys=addresses.key_bucket)


def test_objects_with_versions_and_without_lock_are_refused(addresses: Addresses, admin: StoreAdmin) -> None:
    name = plain_bucket(addresses)
    client = connect(access(addresses, name, addresses.provision))
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    with pytest.raises(StoreUnfit, match="no Object Lock"):
        provision(admin, objects=name, keys=addresses.key_bucket)


def test_a_key_store_that_keeps_versions_is_refused(addresses: Addresses, admin: StoreAdmin) -> None:
    with pytest.raises(StoreUnfit, match="would not be gone"):
        provision(admin, objects=addresses.object_bucket, keys=addresses.object_bucket)


def test_a_wrong_identity_is_refused_with_a_sentence(addresses: Addresses) -> None:
    who = addresses.reader
    with pytest.raises(StoreUnfit, match="could not be set up"):
        provision(
            StoreAdmin(addresses.s3_endpoint, who.access_key, who.secret_key),
            objects=f"new-{uuid4().hex[:12]}",
            keys=addresses.key_bucket,
        )
