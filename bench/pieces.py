# SPDX-License-Identifier: EUPL-1.2
"""The pieces of an upload, each alone: `python -m bench.pieces` serves them on the way that deposits take.

Rules
  1. Server, pump, blocks and the store's uploads are the vault's own; what is left out is named by the path.
  2. No row, no token, no receipt: these are the bytes' way alone.

    pass     as it comes into the store, nothing computed
    digest   one SHA-256 beside it: what the vault would do with an envelope sealed by its bidder
    sink     sealed twice, both digests, and dropped: what the vault could do if no store stood behind it
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from fastapi import FastAPI, Request, Response

from api.bootstrap import objects_of
from api.deposit.upload import ReceivedUpload, Uploads
from api.deposit.upload import Upload as Received
from api.server import make_server
from bench.sealing import BIDDER, Nowhere
from bench.stage import LOT
from crypto.header import EnvelopeKind
from crypto.policy import Part, Policy
from crypto.sealing import EnvelopeSealer
from crypto.statement import Kind, parse_note
from crypto.stream import PassingDigest
from deploy.serve import keep_memory_flat
from vault.deposit import pipeline
from vault.deposit.announcement import DepositRequest
from vault.settings import Settings
from vault.store import ObjectStore, Upload
from vault.store.barrier import OutsidePromise
from vault.store.locks import evidence_lock
from vault.store.names import object_name
from vault.store.s3_objects import S3ObjectStore
from vault.work import SystemClock

PORT, POLICY, PROCEDURE = "BENCH_PORT", "BENCH_POLICY", "BENCH_PROCEDURE"


@dataclass(frozen=True)
class _Served:
    """What `app.state.services` is to the vault's own routes, as far as an upload needs it."""

    uploads: Uploads


@dataclass(frozen=True)
class Pieces:
    """The three ways."""

    store: ObjectStore
    policy: Policy
    procedure: UUID

    def passed(self, upload: Received) -> None:
        """Into the store."""
        with self._begun() as stored:
            for piece in upload.body:
                stored.write(piece.data)
            stored.complete()

    def digested(self, upload: Received) -> None:
        """Into the store, with one digest."""
        digest = PassingDigest()
        with self._begun() as stored:
            for piece in upload.body:
                digest.update(piece.data)
                stored.write(piece.data)
                digest.wait()
            stored.complete()
        digest.digest()

    def sunk(self, upload: Received) -> None:
        """Sealed, and dropped."""
        envelope, secret = uuid4(), os.urandom(32)
        request = DepositRequest(
            platform="default",
            procedure=self.procedure,
            lot=LOT,
            part=Part.TECHNICAL,
            envelope_id=envelope,
            bidder=BIDDER,
            secret=secret,
            documents=upload.documents,
        )
        sealer = EnvelopeSealer(
            self.policy, 1, envelope.bytes, kind=EnvelopeKind.BID, bidder=BIDDER, deposit_secret=secret
        )
        outer = pipeline.outer_layer(os.urandom(32), uuid4())
        pipeline.seal(sealer, outer, Nowhere(), request=request, body=upload.body)

    def _begun(self) -> Upload:
        return self.store.begin_upload(object_name(uuid4().bytes), lock_until=evidence_lock(SystemClock().now()))


def create_app(pieces: Pieces) -> FastAPI:
    """The application."""
    app = FastAPI(openapi_url=None)
    app.state.services = _Served(Uploads(SystemClock()))
    ways: dict[str, Callable[[Received], None]] = {
        "pass": pieces.passed,
        "digest": pieces.digested,
        "sink": pieces.sunk,
    }

    def take(request: Request, upload: ReceivedUpload) -> Response:
        ways[request.path_params["way"]](upload)
        return Response(status_code=201)

    app.add_api_route("/{way}", take, methods=["PUT"], response_class=Response)
    return app


def main() -> None:
    """The child's entry."""
    keep_memory_flat()
    policy = Policy.of(parse_note(Path(os.environ[POLICY]).read_bytes(), Kind.POLICY))
    store = S3ObjectStore(objects_of(Settings.model_validate({})), clock=SystemClock().now, barrier=OutsidePromise())
    pieces = Pieces(store, policy, UUID(os.environ[PROCEDURE]))
    make_server(create_app(pieces), port=int(os.environ[PORT])).run()


if __name__ == "__main__":
    main()
