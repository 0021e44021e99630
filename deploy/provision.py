# SPDX-License-Identifier: EUPL-1.2
"""Makes the two buckets, and reads back that they are what the vault relies on (minio SDK; the data path is boto3).

Rules
  1. Objects: versioning and Object Lock, with COMPLIANCE for one day as the net under a put without headers.
  2. Key store: neither, so that a deleted key is gone.
  3. A bucket that exists is never changed into what it is not: one without Object Lock is refused.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED
from minio.error import MinioException, S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig

from deploy.errors import StoreUnfit

DEFAULT_LOCK_DAYS = 1
PATIENCE = 10.0  # seconds for one request
NO_LOCK = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"}


@dataclass(frozen=True, slots=True)
class StoreAdmin:
    """Where the store is, and the identity that may make buckets."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


def provision(admin: StoreAdmin, *, objects: str, keys: str) -> None:
    """Make both buckets unless they are there, and check both.

    Raises:
        StoreUnfit: the store lacks versioning or Object Lock, or a bucket is not what it must be.
    """
    client = _client(admin)
    try:
        _make_object_bucket(client, objects, admin.region)
        if not client.bucket_exists(bucket_name=keys):
            client.make_bucket(bucket_name=keys, location=admin.region)
        require_buckets(client, objects=objects, keys=keys)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise StoreUnfit(f"the store at {admin.endpoint} could not be set up: {error}") from error


def require_buckets(client: Minio, *, objects: str, keys: str) -> None:
    """Read back versioning and lock of both buckets."""
    if client.get_bucket_versioning(bucket_name=objects).status != ENABLED:
        raise StoreUnfit(f"bucket {objects} keeps no versions: make a new bucket with Object Lock enabled")
    lock = _lock_of(client, objects)
    if lock is None:
        raise StoreUnfit(f"bucket {objects} has no Object Lock: it can only be enabled when a bucket is made")
    if lock.mode not in (None, COMPLIANCE):
        raise StoreUnfit(f"bucket {objects} locks by {lock.mode}: its default must be COMPLIANCE")
    if client.get_bucket_versioning(bucket_name=keys).status == ENABLED:
        raise StoreUnfit(f"bucket {keys} keeps versions: a deleted key would not be gone")
    if _lock_of(client, keys) is not None:
        raise StoreUnfit(f"bucket {keys} has Object Lock: a key could not be destroyed")


def _make_object_bucket(client: Minio, name: str, region: str) -> None:
    """The default lock is set at every start: a program killed between the two calls leaves no bucket without it."""
    if not client.bucket_exists(bucket_name=name):
        client.make_bucket(bucket_name=name, location=region, object_lock=True)
    if (lock := _lock_of(client, name)) is not None and lock.mode is None:
        net = ObjectLockConfig(COMPLIANCE, DEFAULT_LOCK_DAYS, DAYS)
        client.set_object_lock_config(bucket_name=name, config=net)


def _lock_of(client: Minio, bucket: str) -> ObjectLockConfig | None:
    try:
        return client.get_object_lock_config(bucket_name=bucket)
    except S3Error as error:
        if error.code in NO_LOCK:
            return None
        raise


def _client(admin: StoreAdmin) -> Minio:
    address = urlsplit(admin.endpoint)
    return Minio(
        endpoint=address.netloc,
        access_key=admin.access_key,
        secret_key=admin.secret_key,
        secure=address.scheme == "https",
        region=admin.region,
        http_client=urllib3.PoolManager(timeout=PATIENCE, retries=urllib3.Retry(3, backoff_factor=0.1)),
    )
