# SPDX-License-Identifier: EUPL-1.2
"""Parts of an upload's way, each beside boto3's fastest form: passed through, digested only, sealed and dropped."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from api.client import MultipartBody, Source
from bench import pieces
from bench.client import PATIENCE, BenchFailed, write_document
from bench.measures import ROOT, Measure
from bench.peers import FASTEST, Peers
from bench.stage import Stage
from bench.uploads import turn, words
from deploy.embedded.child import Child, Launch
from deploy.embedded.directory import free_port

WAYS = {
    "pass": "passed through to the store by our server, nothing computed",
    "digest": "one digest on the way to the store: what an envelope sealed by its bidder would need",
    "sink": "sealed twice and digested, without a store behind it",
}
START_PATIENCE = 30.0  # seconds


def measure(stage: Stage, *, size: int, pairs: int) -> list[Measure]:
    """A row for each way, without goal: they say where the time goes."""
    source = write_document(stage.home / "ways.bin", size)
    peers = Peers(stage, source.file)
    fastest = peers.acts()[FASTEST]
    assert fastest is not None
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with _served(stage) as port:
        for _pair in range(pairs):
            for way, seconds in taken.items():
                peer = turn(fastest).seconds
                seconds.append((turn(lambda way=way: _put(port, way, source)).seconds, peer))  # type: ignore[misc]
            peers.clean()
    rate = size / 1e6
    return [
        Measure(
            f"{words(size)} {text}",
            round(median(rate / own for own, _ in taken[way]), 1),
            "MB/s",
            FASTEST,
            round(median(rate / peer for _, peer in taken[way]), 1),
            round(median(peer / own for own, peer in taken[way]), 3),
        )
        for way, text in WAYS.items()
    ]


def _put(port: int, way: str, source: Source) -> None:
    body = MultipartBody([source])
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"Content-Type": body.content_type, "Content-Length": str(body.size)}
        connection.request("PUT", f"/{way}", iter(body), headers)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status != HTTPStatus.CREATED:
        raise BenchFailed(f"the way {way} answered {answer.status}: {said[:500].decode(errors='replace')}")


@contextmanager
def _served(stage: Stage) -> Iterator[int]:
    port, policy = free_port(), stage.home / "policy.note"
    policy.write_bytes(stage.policy_note)
    own = {pieces.PORT: str(port), pieces.POLICY: str(policy), pieces.PROCEDURE: str(stage.procedure)}
    child = Child(
        Launch(
            name="the bench's server",
            command=[sys.executable, "-m", "bench.pieces"],
            log=Path(stage.home / "pieces.log"),
            directory=stage.home,
            environment={**stage.vault.environment, **own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
    )
    try:
        _await(child, port)
        yield port
    finally:
        child.stop()


def _await(child: Child, port: int) -> None:
    give_up = time.monotonic() + START_PATIENCE
    while True:
        child.require_running()
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
