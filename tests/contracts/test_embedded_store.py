# SPDX-License-Identifier: EUPL-1.2
"""What the embedded store refuses, to whom, and what happens when its answers get lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest
from mypy_boto3_s3 import S3Client

from deploy.embedded import Addresses
from tests.contracts.conftest import access
from tests.contracts.stores import new_name, now, soon
from tests.world.lossy import LossyLine
from vault.errors import ObjectMissing, StoreRefused, StoreUnavailable, VaultError
from vault.store import PART_SIZE
from vault.store.barrier import OutsidePromise
from vault.store.names import key_name
from vault.store.s3 import answers, connect
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore


@pytest.fixture(scope="module")
def admin(addresses: Addresses) -> S3Client:
    """Whoever has the provisioning identity, which may do everything."""
    return connect(access(addresses, addresses.object_bucket, addresses.provision))


def attacks(client: S3Client, bucket: str, key: str, version_id: str) -> dict[str, Callable[[], object]]:
    """Everything that would end or weaken a lock."""
    later, sooner = now() + timedelta(days=300), now() + timedelta(minutes=1)
    this = {"Bucket": bucket, "Key": key, "VersionId": version_id}
    objects = {"Objects": [{"Key": key, "VersionId": version_id}]}
    return {
        "delete": lambda: client.delete_object(Bucket=bucket, Key=key, VersionId=version_id),
        "delete with bypass": lambda: client.delete_object(**this, BypassGovernanceRetention=True),  # type: ignore[arg-type]
        "shorten": lambda: client.put_object_retention(
            **this,  # type: ignore[arg-type]
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": sooner},
            BypassGovernanceRetention=True,
        ),
        "governance": lambda: client.put_object_retention(
            **this,  # type: ignore[arg-type]
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": later},
            BypassGovernanceRetention=True,
        ),
        "suspend versions": lambda: client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        "delete bucket": lambda: client.delete_bucket(Bucket=bucket),
        "delete many": lambda: require_none_deleted(client.delete_objects(Bucket=bucket, Delete=objects)),  # type: ignore[arg-type]
    }


def is_refused(attack: Callable[[], object]) -> bool:
    try:
        with answers():
            attack()
    except VaultError:
        return True
    return False


def require_none_deleted(answer: object) -> None:
    assert isinstance(answer, dict)
    if answer.get("Errors"):
        raise StoreRefused(str(answer["Errors"]))


@pytest.mark.proves("CONF-12")
@pytest.mark.parametrize("identity", ["vault", "provision"])
def test_a_locked_version_outlives_every_identity(
    addresses: Addresses, s3_objects: S3ObjectStore, identity: str
) -> None:
    stored = s3_objects.put(new_name(), b"sealed", lock_until=soon())
    before = s3_objects.head(stored.key, stored.version_id)
    who = addresses.vault if identity == "vault" else addresses.provision
    client = connect(access(addresses, addresses.object_bucket, who))

    for name, attack in attacks(client, addresses.object_bucket, stored.key, stored.version_id).items():
        assert is_refused(attack), name

    assert s3_objects.head(stored.key, stored.version_id) == before


def test_a_marker_over_a_locked_version_hides_nothing_from_who_reads_by_version(
    addresses: Addresses, admin: S3Client, s3_objects: S3ObjectStore
) -> None:
    stored = s3_objects.put(new_name(), b"sealed", lock_until=soon())

    admin.delete_object(Bucket=addresses.object_bucket, Key=stored.key)

    assert s3_objects.get_range(stored.key, stored.version_id, offset=0, size=6) == b"sealed"
    assert [line.is_marker for line in s3_objects.list_versions(stored.key)] == [True, False]
    with pytest.raises(ObjectMissing):
        s3_objects.latest(stored.key)


def test_a_put_without_headers_is_locked_by_the_bucket(
    addresses: Addresses, admin: S3Client, s3_objects: S3ObjectStore
) -> None:
    name = new_name()
    admin.put_object(Bucket=addresses.object_bucket, Key=name, Body=b"x")

    facts = s3_objects.latest(name)

    assert facts.lock_until is not None
    assert timedelta(hours=23) < facts.lock_until - now() <= timedelta(days=1, seconds=2)


def test_a_version_locked_by_governance_is_refused(
    addresses: Addresses, admin: S3Client, s3_objects: S3ObjectStore
) -> None:
    name = new_name()
    admin.put_object(
        Bucket=addresses.object_bucket,
        Key=name,
        Body=b"x",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=soon(),
    )

    with pytest.raises(StoreRefused):
        s3_objects.latest(name)


@pytest.mark.parametrize("identity", ["keys", "reader"])
def test_an_identity_does_only_what_is_its_own(
    addresses: Addresses, s3_objects: S3ObjectStore, s3_keys: S3KeyStore, identity: str
) -> None:
    stored = s3_objects.put(new_name(), b"sealed", lock_until=soon())
    wrap = key_name(2, uuid4().bytes)
    s3_keys.put_if_absent(wrap, b"w" * 60)
    who = addresses.keys if identity == "keys" else addresses.reader
    objects = S3ObjectStore(access(addresses, addresses.object_bucket, who), clock=now, barrier=OutsidePromise())

    with pytest.raises(StoreRefused):
        objects.put(new_name(), b"x", lock_until=soon())
    if identity == "keys":
        with pytest.raises(StoreRefused):
            objects.get_range(stored.key, stored.version_id, offset=0, size=1)
    else:
        with pytest.raises(StoreRefused):
            S3KeyStore(access(addresses, addresses.key_bucket, who), barrier=OutsidePromise()).get(wrap)


def test_the_vault_cannot_read_the_key_store(addresses: Addresses, s3_keys: S3KeyStore) -> None:
    wrap = key_name(2, uuid4().bytes)
    s3_keys.put_if_absent(wrap, b"w" * 60)
    stranger = S3KeyStore(access(addresses, addresses.key_bucket, addresses.vault), barrier=OutsidePromise())

    with pytest.raises(StoreRefused):
        stranger.get(wrap)


def test_a_stranger_gets_nothing(addresses: Addresses, s3_objects: S3ObjectStore) -> None:
    stored = s3_objects.put(new_name(), b"sealed", lock_until=soon())
    url = f"{addresses.s3_endpoint}/{addresses.object_bucket}"

    with httpx2.Client(trust_env=False) as stranger:
        answered = [
            stranger.get(f"{url}/{stored.key}").status_code,
            stranger.put(f"{url}/{stored.key}", content=b"x").status_code,
            stranger.delete(f"{url}/{stored.key}", params={"versionId": stored.version_id}).status_code,
            stranger.get(url).status_code,
        ]

    assert answered == [403, 403, 403, 403]


def test_a_wrong_secret_is_refused(addresses: Addresses) -> None:
    wrong = replace(access(addresses, addresses.object_bucket, addresses.vault), secret_key="0" * 48)

    with pytest.raises(StoreRefused):
        S3ObjectStore(wrong, clock=now, barrier=OutsidePromise()).put(new_name(), b"x", lock_until=soon())


def lossy(addresses: Addresses, line: LossyLine) -> S3ObjectStore:
    who = replace(access(addresses, addresses.object_bucket, addresses.vault), endpoint=line.url)
    return S3ObjectStore(who, clock=now, barrier=OutsidePromise())


@pytest.mark.proves("T41")
@pytest.mark.parametrize("size", [10, PART_SIZE + 10])
def test_a_write_whose_answer_is_lost_is_found_by_its_mark(
    addresses: Addresses, s3_objects: S3ObjectStore, size: int
) -> None:
    name = new_name()
    lost: list[str] = []

    def first_commit(method: str, path: str) -> bool:
        if lost or not ((method == "PUT" and "partNumber" not in path) or (method == "POST" and "uploadId" in path)):
            return False
        lost.append(path)
        return True

    with LossyLine(addresses.s3_endpoint, loses=first_commit) as line:
        upload = lossy(addresses, line).begin_upload(name, lock_until=soon())
        upload.write(bytes(size))
        stored = upload.complete()

    assert len(line.lost) == 1
    assert [seen.version_id for seen in s3_objects.list_versions(name)] == [stored.version_id]


def test_a_lost_answer_does_not_adopt_another_object(addresses: Addresses, s3_objects: S3ObjectStore) -> None:
    first = s3_objects.put(new_name(), b"0123456789", lock_until=soon())

    with LossyLine(addresses.s3_endpoint, loses=lambda method, _: method == "PUT") as line:
        store = lossy(addresses, line)
        with pytest.raises(StoreUnavailable):
            store.put(first.key, b"9876543210", lock_until=soon())

    assert s3_objects.latest(first.key).version_id == first.version_id


def test_a_store_that_does_not_answer_is_unavailable(addresses: Addresses) -> None:
    with LossyLine(addresses.s3_endpoint, loses=lambda *_: True) as line, pytest.raises(StoreUnavailable):
        lossy(addresses, line).latest(new_name())
