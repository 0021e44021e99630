# SPDX-License-Identifier: EUPL-1.2
"""Health: is the process alive, may it be given work, what does it take; and its figures for operators.

Rules
  1. `/livez` says that the process answers, nothing else: a dead database must not get the API killed.
  2. `/readyz` is green only when every probe passes: journal advancing, store locking, clock right, database up.
     A reason names the broken part and nothing of any procedure; what a probe did not foresee is told by its kind.
  3. `/metrics` counts by route pattern and is for operators: counts of deposits are secret before the closing (4.12).

Left to others: what a probe looks at (vault, handed in by api.bootstrap).
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, allow
from api.dependencies import ServicesOf
from api.deposit.announcement import ANNOUNCEMENT_LIMIT
from api.deposit.upload import SILENCE
from api.observing import Metrics
from api.services import NotWell, Probe

NOT_STORED: Mapping[str, str] = {"Cache-Control": "no-store"}

router = APIRouter(tags=["service"])


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether the process may be given work."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ready", "not-ready"]
    reasons: Annotated[dict[str, str], Field(description="the broken parts, by name")]


class Limits(BaseModel):
    """What this deployment takes at most; a procedure's policy may allow less."""

    max_document: Annotated[int, Field(description="bytes of one document")]
    max_envelope: Annotated[int, Field(description="bytes of all documents of one envelope")]
    max_documents: Annotated[int, Field(description="documents in one envelope")]
    max_deposits: Annotated[int, Field(description="deposits of one bidder in one box")]
    max_announcement: Annotated[int, Field(description="bytes of the announcement")] = ANNOUNCEMENT_LIMIT
    max_silence: Annotated[int, Field(description="seconds without a byte until an upload is given up")] = int(
        SILENCE.total_seconds()
    )


@router.get("/livez")
def livez(response: Response) -> Liveness:
    """Whether the process answers."""
    response.headers.update(NOT_STORED)
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready, with the reasons"}})
def readyz(services: ServicesOf, response: Response) -> Readiness:
    """Whether the process may be given work, with the reasons where not."""
    response.headers.update(NOT_STORED)
    reasons = {probe.name: reason for probe in services.probes if (reason := _finding(probe)) is not None}
    if reasons:
        response.status_code = 503
    return Readiness(status="not-ready" if reasons else "ready", reasons=reasons)


@router.get("/v1/limits")
def limits(services: ServicesOf) -> Limits:
    """What this deployment takes at most."""
    published = services.limits
    return Limits(
        max_document=published.max_document,
        max_envelope=published.max_envelope,
        max_documents=published.max_documents,
        max_deposits=published.max_deposits,
    )


@router.get(
    "/metrics",
    dependencies=[Depends(allow(Role.OPERATOR))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Figures of this process in Prometheus's text format."""
    figures: Metrics = request.app.state.metrics
    return Response(figures.exposition(), media_type=figures.MEDIA_TYPE, headers=NOT_STORED)


def _finding(probe: Probe) -> str | None:
    try:
        probe.check()
    except NotWell as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 whatever a probe dies of makes its part red
        return f"the check itself failed: {type(error).__name__}"
    return None
