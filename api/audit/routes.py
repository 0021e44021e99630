# SPDX-License-Identifier: EUPL-1.2
"""The audit face: the journal's signed head and its tiles, at the paths of C2SP tlog-tiles.

Rules
  1. Auditors and operators only: the size of the journal tells how many deposits there are (protocol 4.12).
  2. Bytes are served as they are stored; whoever reads them checks them.

Left to others: writing them (vault.sequencer).
"""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.auth import Actor, Role, allow
from api.dependencies import ServicesOf
from vault import sequencer
from vault.errors import NotFound, ObjectMissing

router = APIRouter(prefix="/v1/journal", tags=["audit"])

Answers = dict[int | str, dict[str, object]]
Reader = Annotated[Actor, Depends(allow(Role.AUDITOR, Role.OPERATOR))]
TILE = re.compile(
    r"(?:entries|[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/){0,6}[0-9]{3}"
    r"(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)  # C2SP tlog-tiles: level or entries, index in groups of three digits, width of a partial tile
_TEXT: Answers = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The signed head."}}
_BYTES: Answers = {200: {"content": {"application/octet-stream": {}}, "description": "The tile's bytes."}}
UNCHANGING = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/checkpoint", response_class=Response, responses=_TEXT)
def get_checkpoint(actor: Reader, services: ServicesOf) -> Response:  # noqa: ARG001 - the role is all that counts
    """The journal's newest signed head."""
    with services.works.open() as work:
        head = sequencer.latest(work)
    if head is None:
        raise NotFound
    return Response(head.note, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.get("/tile/{path:path}", response_class=Response, responses=_BYTES)
def get_tile(actor: Reader, services: ServicesOf, path: str) -> Response:  # noqa: ARG001 - as above
    """A tile of hashes (`<level>/<index>`) or a bundle of entries (`entries/<index>`), full or `.p/<width>`."""
    if TILE.fullmatch(path) is None:
        raise NotFound
    try:
        tile = sequencer.read_tile_object(services.works, f"tile/{path}")
    except ObjectMissing as error:
        raise NotFound from error
    return Response(tile, media_type="application/octet-stream", headers=UNCHANGING)
