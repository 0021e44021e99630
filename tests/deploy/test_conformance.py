# SPDX-License-Identifier: EUPL-1.2
"""The embedded store does all that a store must do; one that breaks a single promise is found out, and refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from deploy.conformance import CHECKS, TRIED_AT_START, Manner, Outcome, Run, Store, Weight, check, require_conformance
from deploy.conformance.run import Version
from deploy.embedded import Addresses
from deploy.errors import StoreUnfit
from tests.contracts.conftest import access
from tests.deploy.lies import LIES, instead
from tests.deploy.lying_store import Lie, Reply, honest, lying
from vault.store.s3 import S3Access

SMALL = Manner(
    short=timedelta(seconds=4),
    brief=timedelta(seconds=4),
    patience=timedelta(seconds=2),
    parts=2,
    part_size=5 * 1024 * 1024,
    small=5,
)
RACY_HERE = {17}  # the embedded store lets several win: an attempt's key is its own, so nothing hangs on it
ALONE_FAILS = {number for number, _ in LIES.values()}
IN_WORDS = {24, 29, 30}  # nothing to break; a figure; the doors have tests of their own (test_side_doors)

each_lie = pytest.mark.parametrize(("number", "lie"), LIES.values(), ids=list(LIES))
NOT_AT_START = {
    "whoever provisions deletes",  # a vault does not have that identity
    "a hold is not kept",  # shows only after the lock, for which a start does not wait
}
at_start = [name for name, (number, _) in LIES.items() if number in TRIED_AT_START and name not in NOT_AT_START]


@pytest.fixture
def store(addresses: Addresses) -> Store:
    bucket = addresses.object_bucket
    return Store(
        access(addresses, bucket, addresses.vault),
        provision=access(addresses, bucket, addresses.provision),
        reader=access(addresses, bucket, addresses.reader),
        keys=access(addresses, addresses.key_bucket, addresses.keys),
        embedded=addresses.store_directory,
    )


@pytest.fixture
def through(store: Store) -> Callable[[str], Store]:
    """The same store, asked at another address."""

    def move(endpoint: str) -> Store:
        def moved(one: S3Access | None) -> S3Access | None:
            return replace(one, endpoint=endpoint) if one is not None else None

        return replace(
            store,
            access=replace(store.access, endpoint=endpoint),
            provision=moved(store.provision),
            reader=moved(store.reader),
            keys=moved(store.keys),
        )

    return move


@pytest.fixture
def honest_proxy(addresses: Addresses) -> Iterator[str]:
    with lying(addresses.s3_endpoint, honest) as endpoint:
        yield endpoint


def test_the_embedded_store_keeps_every_promise(store: Store) -> None:
    findings = list(check(Run(store, SMALL)))

    assert [finding for finding in findings if finding.is_fatal] == []
    untried = {finding.check.number for finding in findings if finding.outcome is Outcome.NOT_NEEDED}
    broken = {finding.check.number for finding in findings if finding.outcome is Outcome.NOT_KEPT}
    assert untried == {24}
    assert broken <= RACY_HERE
    assert [finding.check.number for finding in findings] == list(range(1, 34))


def test_every_check_has_a_store_that_fails_it() -> None:
    assert {one.number for one in CHECKS} - ALONE_FAILS == IN_WORDS


@each_lie
def test_a_store_that_breaks_one_promise_is_found_out(
    addresses: Addresses, through: Callable[[str], Store], number: int, lie: Callable[[], Lie]
) -> None:
    with lying(addresses.s3_endpoint, lie()) as endpoint:
        (finding,) = check(Run(through(endpoint), SMALL), only={number})

    assert finding.outcome is Outcome.NOT_KEPT, finding
    assert finding.is_fatal == (finding.check.weight is Weight.MUST)


def test_the_proxy_itself_breaks_nothing(honest_proxy: str, through: Callable[[str], Store]) -> None:
    findings = check(Run(through(honest_proxy), SMALL), only=ALONE_FAILS - RACY_HERE)

    assert [finding for finding in findings if finding.outcome is not Outcome.KEPT] == []


@pytest.mark.parametrize("name", at_start)
def test_a_vault_does_not_start_on_a_store_that_breaks_it(
    addresses: Addresses, through: Callable[[str], Store], name: str
) -> None:
    number, lie = LIES[name]
    refused = pytest.raises(StoreUnfit, match=f"check {number}: .*Take another store")

    with lying(addresses.s3_endpoint, lie()) as endpoint, refused:
        store = through(endpoint)
        require_conformance(store.access, store.keys)


def test_a_bucket_without_lock_is_refused_with_the_first_reason(addresses: Addresses) -> None:
    with pytest.raises(StoreUnfit, match="the bucket keeps versions"):
        require_conformance(access(addresses, addresses.key_bucket, addresses.provision))


def test_a_key_store_that_keeps_versions_is_refused(addresses: Addresses, store: Store) -> None:
    versioned = access(addresses, addresses.object_bucket, addresses.provision)

    with pytest.raises(StoreUnfit, match="a destroyed key is gone"):
        require_conformance(store.access, versioned)


def test_an_identity_with_power_over_buckets_is_refused(addresses: Addresses) -> None:
    with pytest.raises(StoreUnfit, match="neither make nor delete buckets"):
        require_conformance(access(addresses, addresses.object_bucket, addresses.provision))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda access: replace(access, endpoint="http://127.0.0.1:9"), "does not answer"),
        (lambda access: replace(access, bucket="nowhere"), "there is no such bucket|may not use it"),
        (lambda access: replace(access, secret_key="guess"), "these credentials may not use it"),
    ],
)
def test_what_is_no_store_of_ours_is_told_in_a_sentence(
    store: Store, change: Callable[[S3Access], S3Access], says: str
) -> None:
    with pytest.raises(StoreUnfit, match=says):
        require_conformance(change(store.access))


def test_versions_that_a_check_could_suspend_are_put_back(addresses: Addresses, store: Store) -> None:
    run = Run(replace(store, access=store.provision or store.access))

    list(check(run, only={3}))

    assert run.client.get_bucket_versioning(Bucket=addresses.object_bucket)["Status"] == "Enabled"


class TestTidying:
    def leave(self, store: Store) -> Version:
        """Something of a run that no lock holds."""
        run = Run(store, SMALL)
        run.client.delete_object(Bucket=run.bucket, Key=f"{run.prefix}left")
        (left,) = run.client.list_object_versions(Bucket=run.bucket, Prefix=run.prefix)["DeleteMarkers"]
        return Version(left["Key"], left["VersionId"], left["LastModified"])

    def is_there(self, store: Store, left: Version) -> bool:
        run = Run(store, SMALL)
        listed = run.client.list_object_versions(Bucket=run.bucket, Prefix=left.key)
        return bool(listed.get("DeleteMarkers"))

    def test_what_may_belong_to_another_run_stays(self, store: Store) -> None:
        left = self.leave(store)

        Run(store, SMALL).tidy()

        assert self.is_there(store, left)

    def test_what_is_old_and_free_goes(self, store: Store) -> None:
        left = self.leave(store)

        Run(store, replace(SMALL, left_behind=timedelta(0))).tidy()

        assert not self.is_there(store, left)

    def test_a_store_that_does_not_list_is_no_obstacle(
        self, addresses: Addresses, through: Callable[[str], Store]
    ) -> None:
        refused = instead(lambda asked: "versions" in asked.query, Reply(403))
        with lying(addresses.s3_endpoint, refused) as endpoint:
            Run(through(endpoint), SMALL).tidy()
