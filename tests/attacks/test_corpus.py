# SPDX-License-Identifier: EUPL-1.2
"""Damaged bytes by the thousand, seeded: each a typed refusal without plaintext, in little time and memory.

Rules
  1. Time is the processor's for the one call, the collector off; a slow call is measured again before it is blamed, so
     that a busy machine blames nobody.
  2. A reader that accepts damaged bytes read another value, whose one encoding they are.
  3. Seed and number are fixed: what fails, fails again.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from crypto.ceremony import Keyed, MinutedEnvelope, Minutes, Opening, Outcome, Unkeyed
from crypto.closings import EnvelopeList, ListEntry
from crypto.errors import CryptoError
from crypto.manifest import Document, Manifest
from tests.attacks.corpus import PLANTED, Encoded, Specimen, decoded, specimens
from tests.crypto import test_ceremony as said
from tests.figures import record

SEED = 20261124
FEW, MANY = 100, 400  # damaged forms of each specimen: in `make test`, in `make test-long`
MAX_SECONDS = 0.010
MAX_BYTES = 1_000_000
TRIES = 5  # of a call that was slow
SHARES = (pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.long))
NAMES = tuple(one.name for one in specimens())


@cache
def _by_name() -> dict[str, Specimen]:
    return {one.name: one for one in specimens()}


@pytest.fixture
def collector_off() -> Iterator[None]:
    """No garbage is collected in a measured call: its cost is that of what else the process holds."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", NAMES)
def test_a_specimen_undamaged_is_read(name: str) -> None:
    specimen = _by_name()[name]

    assert specimen.read(specimen.good) in (None, specimen.good)


@pytest.mark.proves("T31", "T32", "T33", "T34", "T35", "CONF-09", "CONF-10")
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("collector_off")
def test_damaged_bytes_are_a_typed_refusal_at_once(name: str, share: int) -> None:
    specimen = _by_name()[name]
    refused = 0
    for damaged in specimen.damages(SEED, share):
        error = _read(specimen, damaged)
        assert _seconds(lambda read=damaged: _read(specimen, read)) < MAX_SECONDS  # type: ignore[misc]
        refused += error is not None

    assert refused >= share // 4  # the corpus does damage


@pytest.mark.proves("T33", "T34")
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("collector_off")
def test_refusing_damaged_bytes_takes_little_memory(name: str, share: int) -> None:
    specimen = _by_name()[name]
    for damaged in specimen.damages(SEED + 1, share // 4):
        with _measured() as peak:
            _read(specimen, damaged)
        assert peak() < MAX_BYTES


def test_the_corpus_of_the_long_run_is_large_enough() -> None:
    count = len(NAMES) * MANY
    record("damaged forms of what is read from outside", count)

    assert count >= 10_000


LONG: dict[str, Encoded] = {
    "list": EnvelopeList(tuple(ListEntry(n.to_bytes(16, "big"), bytes(32), bytes(32), 1) for n in range(3000))),
    "opening": Opening(bytes(32), (bytes(32),), 1, bytes(1216), said.OPENING.opener, said.MOMENT, tuple(range(9000))),
    "keyed": Keyed(bytes(32), (bytes(32),), tuple(Unkeyed(n, "") for n in range(3000))),
    "minutes": Minutes(
        bytes(32),
        bytes(32),
        said.MOMENT,
        said.MOMENT,
        (bytes(16),),
        tuple(MinutedEnvelope(n, Outcome.OPENED) for n in range(3000)),
    ),
    "manifest": Manifest("b", bytes(32), tuple(Document(f"{n:x}", 0, bytes(32)) for n in range(3000))),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_payload_of_the_shortest_values_is_read(name: str) -> None:
    value = LONG[name]

    assert decoded(value, value.encode()) == value


def _read(specimen: Specimen, damaged: bytes) -> CryptoError | None:
    """Read damaged bytes: a typed refusal that says nothing of a bid, or another value."""
    try:
        found = specimen.read(damaged)
    except CryptoError as error:
        told = f"{error!r} {error.__cause__!r} {error.__context__!r}"
        assert "PLANTED" not in told
        assert PLANTED[:20].hex() not in told
        return error
    assert found == damaged, f"{specimen.name}: {damaged[:200].hex()} was accepted"
    return None


def _seconds(call: Callable[[], object]) -> float:
    """Processor time of one call; the least of several where the first was slow."""
    least = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        call()
        least = min(least, time.process_time() - began)
        if least < MAX_SECONDS:
            break
    return least


@contextmanager
def _measured() -> Iterator[Callable[[], int]]:
    """Peak bytes that a block allocates."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
