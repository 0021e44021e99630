# SPDX-License-Identifier: EUPL-1.2
"""The API as one application: its faces, its frame, its description.

Rules
  1. A face is a router with full paths; the faces know nothing of each other.
  2. An error that nobody foresaw becomes a problem without details, or, in the middle of a stream, a broken connection.
  3. Pages of the description come from our own files.

Left to others: the composition (api.bootstrap), the server (api.server), the description (api.description).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from api import health, problems
from api.archive import routes as archive
from api.audit import routes as audit
from api.deposit import prints
from api.deposit import routes as deposit
from api.description import ANY_PROBLEM, describe
from api.lingering import Lingering
from api.observing import Metrics, Observed
from api.opening import openings, procedures
from api.services import Services

VERSION = "1"
FACES: tuple[APIRouter, ...] = (
    procedures.router,
    deposit.router,
    prints.router,
    openings.router,
    archive.router,
    audit.router,
    health.router,
)
"""Every router there is; a new face enters here and nowhere else."""

THREADS = 200  # handlers wait for stores and authorities, not for the processor
ABOUT = """Keeps bids sealed until they may be opened, and proves what happened to them.

A token of the local issuer (`bidvault token`) says who calls; `x-roles` of an operation says which roles may call it.
Every refusal is a problem of RFC 9457; its `type` is stable.
What belongs to others is answered like what does not exist."""


def create_app(services: Services, *, faces: Sequence[APIRouter] = FACES) -> FastAPI:
    """The application over these services."""
    metrics = Metrics()
    app = FastAPIOffline(
        title="bidvault",
        version=VERSION,
        description=ABOUT,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
        responses=ANY_PROBLEM,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.state.metrics = metrics
    for face in faces:
        app.include_router(face)
    problems.install(app)
    app.add_middleware(Lingering)
    app.add_middleware(Observed, metrics=metrics, on_fault=problems.internal)
    description = describe(app, faces)
    app.openapi = lambda: description  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
