# SPDX-License-Identifier: EUPL-1.2
"""What is written down of each request: its route's pattern, method, status and duration; nothing else.

Rules
  1. No address, header, token, name, id, size or digest enters a log line or a metric (protocol 4.12): a path names
     a procedure, a size tells a bid.
  2. An unforeseen error is logged by its kind and the place in our code, without its text: texts carry values.
  3. Logs are JSON lines, one per request.
  4. What outside libraries have to say is told by who says it and where; their words carry values too.

ASGI is asynchronous, so the middleware is; it waits for nothing of its own.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "(none)"
BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)  # seconds: from a look-up to an upload of 50 GB
QUIET = ("uvicorn", "uvicorn.access", "uvicorn.error", "python_multipart", "botocore", "boto3", "urllib3", "httpx2")


def configure_logging(stream: TextIO | None = None) -> None:
    """JSON lines on `stream` (standard error); outside libraries only say what is wrong, and none says a path."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Outside(logging.WARNING)]
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("python_multipart").disabled = True  # quotes the characters it stumbles over


@dataclass
class Metrics:
    """Figures of one process."""

    MEDIA_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    durations: Histogram = field(init=False)

    def __post_init__(self) -> None:
        """Two families, by route pattern."""
        self.requests = Counter(
            "bidvault_requests", "requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.durations = Histogram(
            "bidvault_request_seconds", "time to answer", ["method", "route"], registry=self.registry, buckets=BUCKETS
        )

    def exposition(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True)
class Observed:
    """The outermost middleware.

    Attributes:
        on_fault: the answer to a request that died of an error nobody foresaw. When its answer had begun, nothing more
            is sent and the server breaks the connection: half a document never ends like a whole one.
    """

    app: ASGIApp
    metrics: Metrics
    on_fault: Callable[[Scope], ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        status, has_begun = 500, False

        async def watched(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 the last to see it; the server would log its text
            log_fault(error, scope)
            if not has_begun:
                await self.on_fault(scope)(scope, receive, watched)
        finally:
            self._write_down(scope, status, time.monotonic() - began)

    def _write_down(self, scope: Scope, status: int, seconds: float) -> None:
        route = pattern_of(scope)
        method = scope["method"] if route != NO_ROUTE else NO_ROUTE  # a method may be any word a stranger sends
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.durations.labels(method, route).observe(seconds)
        structlog.get_logger().info("request", method=method, route=route, status=status, seconds=round(seconds, 3))


def pattern_of(scope: Scope) -> str:
    """The pattern of the route that answered, without the values in the address."""
    pattern = getattr(scope.get("route"), "path", None)
    return pattern if isinstance(pattern, str) else NO_ROUTE


def log_fault(error: BaseException, scope: Scope) -> None:
    """Write down a request's unforeseen error: its kinds and where it happened, never what it says."""
    structlog.get_logger().error("fault", route=pattern_of(scope), kinds=kinds_of(error), places=places_of(error))


def kinds_of(error: BaseException) -> list[str]:
    """The classes of an error and of what it came from, each once: errors may have come from each other."""
    known: dict[int, BaseException] = {}
    cause: BaseException | None = error
    while cause is not None and id(cause) not in known:
        known[id(cause)] = cause
        cause = cause.__cause__ or cause.__context__
    return [type(one).__qualname__ for one in known.values()]


def places_of(error: BaseException) -> list[str]:
    """The last lines of code that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return ["/".join([*frame.filename.split("/")[-2:], str(frame.lineno)]) for frame in frames]


class _Outside(logging.Handler):
    """Tells that an outside library complained, from which line and of what kind of error: never its words (rule 4)."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().warning(
            "outside",
            library=record.name,
            severity=record.levelname.lower(),
            place=f"{record.module}/{record.lineno}",
            kinds=[] if error is None else kinds_of(error),
            places=[] if error is None else places_of(error),
        )
