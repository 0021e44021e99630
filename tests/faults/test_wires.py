# SPDX-License-Identifier: EUPL-1.2
"""Real wires: a store and an authority that answer 500, garbage, half an answer or nothing, in front of the real ones.

What comes out is the vault's own error and nothing of a library's, within the patience that was set.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from deploy.embedded import Addresses
from tests.world.authority import TimeWorld
from tests.world.lossy import Instead, LossyLine
from vault.authorities import Authority, HttpLine, TimeAuthorities
from vault.errors import AuthorityUnavailable, StoreRefused, StoreUnavailable
from vault.store.barrier import OutsidePromise
from vault.store.names import key_name, object_name
from vault.store.s3 import S3Access
from vault.store.s3_keys import S3KeyStore
from vault.store.s3_objects import S3ObjectStore

SHORT = 0.3  # seconds
NOWHERE = "http://127.0.0.1:9"
EACH = pytest.mark.parametrize("instead", Instead, ids=[one.name for one in Instead])


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def spoiled(addresses: Addresses) -> Iterator[LossyLine]:
    """A line to the embedded store; a test says what comes instead of answers."""
    with LossyLine(addresses.s3_endpoint) as line:
        yield line


@pytest.fixture
def objects(addresses: Addresses, spoiled: LossyLine) -> S3ObjectStore:
    who = S3Access(spoiled.url, addresses.object_bucket, addresses.vault.access_key, addresses.vault.secret_key)
    return S3ObjectStore(replace(who, patience=SHORT, tries=2), clock=now, barrier=OutsidePromise())


@pytest.fixture
def keys(addresses: Addresses, spoiled: LossyLine) -> S3KeyStore:
    who = S3Access(spoiled.url, addresses.key_bucket, addresses.keys.access_key, addresses.keys.secret_key)
    return S3KeyStore(replace(who, patience=SHORT, tries=2), barrier=OutsidePromise())


def _upload(store: S3ObjectStore) -> None:
    with store.begin_upload(object_name(uuid4().bytes), lock_until=now() + timedelta(days=9)) as upload:
        upload.write(bytes(1000))
        upload.complete()


Call = Callable[[S3ObjectStore], object]
CALLS: dict[str, Call] = {
    "put": lambda store: store.put(object_name(uuid4().bytes), b"x", lock_until=now() + timedelta(days=9)),
    "upload": _upload,
    "range": lambda store: store.get_range("o/x", "v", offset=0, size=9),
    "stream": lambda store: list(store.stream("o/x", "v")),
    "latest": lambda store: store.latest("o/x"),
    "list": lambda store: list(store.list_versions("o/")),
    "uploads": lambda store: list(store.unfinished_uploads()),
}


@pytest.mark.proves("OPS-03")
@EACH
@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_answers_wrongly_is_unavailable_whatever_is_asked(
    objects: S3ObjectStore, spoiled: LossyLine, instead: Instead, call: str
) -> None:
    CALLS["put"](objects)  # it is well
    spoiled.instead = instead

    with pytest.raises((StoreUnavailable, StoreRefused)):  # refused: an object without a version is no store of ours
        CALLS[call](objects)

    spoiled.instead = None
    CALLS["put"](objects)


@EACH
def test_a_key_store_that_answers_wrongly_is_unavailable(
    keys: S3KeyStore, spoiled: LossyLine, instead: Instead
) -> None:
    name = key_name(2, uuid4().bytes)
    spoiled.instead = instead
    for call in (lambda: keys.put_if_absent(name, b"x" * 60), lambda: list(keys.list("2/"))):
        with pytest.raises(StoreUnavailable):
            call()

    spoiled.instead = None
    keys.put_if_absent(name, b"y" * 60)
    assert keys.get(name) == b"y" * 60


@EACH
def test_a_line_to_an_authority_gives_up_in_time(instead: Instead) -> None:
    with LossyLine(NOWHERE, instead=instead) as line, HttpLine() as asking, pytest.raises(AuthorityUnavailable):
        asking.exchange(line.url, b"query", media_type="application/x", patience=timedelta(seconds=SHORT))

    assert len(line.asked) == 1


def test_an_answer_that_is_no_token_passes_the_authority_over() -> None:
    world = TimeWorld()
    with LossyLine(NOWHERE, instead=Instead.CUT) as line, HttpLine() as asking:
        authorities = TimeAuthorities(
            [Authority("A", line.url)],
            line=asking,
            anchors=world.authorities.anchors,
            clock=world.clock,
            timer=lambda: world.clock().timestamp(),
        )
        with pytest.raises(AuthorityUnavailable):
            authorities.stamp(bytes(32))
