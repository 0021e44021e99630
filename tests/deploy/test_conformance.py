# SPDX-License-Identifier: EUPL-1.2
"""The embedded store does all that a store must do, and one that does not is refused."""

import pytest

from deploy.conformance import check, require_conformance
from deploy.embedded import Addresses
from deploy.errors import StoreUnfit
from tests.contracts.conftest import access


def test_the_embedded_store_keeps_every_promise(addresses: Addresses) -> None:
    findings = list(check(access(addresses, addresses.object_bucket, addresses.vault)))

    assert [finding for finding in findings if not finding.is_kept] == []
    assert len(findings) == 12


def test_a_bucket_without_lock_is_refused_with_the_first_reason(addresses: Addresses) -> None:
    with pytest.raises(StoreUnfit, match="the bucket keeps versions"):
        require_conformance(access(addresses, addresses.key_bucket, addresses.provision))


def test_an_identity_with_power_over_buckets_is_refused(addresses: Addresses) -> None:
    with pytest.raises(StoreUnfit, match="no power over buckets"):
        require_conformance(access(addresses, addresses.object_bucket, addresses.provision))
