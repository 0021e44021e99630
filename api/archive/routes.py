# SPDX-License-Identifier: EUPL-1.2
"""The archive face: a buyer takes an opened procedure away as one package.

Rules
  1. Only the procedure's own buyer exports it; nobody else is told that there is anything.
  2. The package is streamed; its length is known before its first byte, and a stream that fails breaks off.

Left to others: what is in it (retention.export), its bytes (retention.formats.bagit).
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from api.auth import Actor, Role, allow
from api.dependencies import ServicesOf
from retention.export import export
from retention.formats.bagit import MEDIA_TYPE, stream_tar, tar_length
from vault.procedures import Caller

router = APIRouter(tags=["archive"])

Buyer = Annotated[Actor, Depends(allow(Role.BUYER))]


@router.get(
    "/v1/procedures/{procedure}/package",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A BagIt package as TAR, not compressed."}},
)
def get_package(actor: Buyer, services: ServicesOf, procedure: UUID) -> StreamingResponse:
    """Export a procedure whose boxes are closed as one package that is checked without the vault."""
    caller = Caller(actor.subject, actor.platform, organisation=actor.organisation)
    package = export(services.works, caller, procedure, seal=services.seal)
    headers = {
        "Content-Length": str(tar_length(package)),
        "Content-Disposition": f'attachment; filename="{procedure}.tar"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(stream_tar(package), media_type=MEDIA_TYPE, headers=headers)
