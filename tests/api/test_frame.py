# SPDX-License-Identifier: EUPL-1.2
"""The frame around the faces: health, description, documentation, and what is written down of a request."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog
from fastapi.testclient import TestClient

from api import health
from api.auth import Role
from api.lingering import BODY_LIMIT
from api.observing import configure_logging, kinds_of
from api.services import NotWell, Probe
from tests.api.frame import Frame, Inbox


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    handlers = logging.getLogger().handlers
    configure_logging(stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


def well() -> None:
    """A probe of a part that is well."""


def broken() -> None:
    """A probe that finds its part broken."""
    raise NotWell("the journal cannot advance: the store does not answer")


def dying() -> None:
    """A probe that dies."""
    raise ZeroDivisionError("password=hunter2")


def test_a_process_is_alive_whatever_its_parts_are() -> None:
    frame = Frame(probes=(Probe("journal", broken),))

    assert TestClient(frame.app()).get("/livez").json() == {"status": "alive"}


def test_readiness_is_green_when_all_is_well() -> None:
    got = TestClient(Frame(probes=(Probe("journal", well),)).app()).get("/readyz")

    assert (got.status_code, got.json()) == (200, {"status": "ready", "reasons": {}})


def test_readiness_is_red_with_the_reasons() -> None:
    frame = Frame(probes=(Probe("journal", broken), Probe("store", well), Probe("database", dying)))
    got = TestClient(frame.app()).get("/readyz")

    assert got.status_code == 503
    assert got.json() == {
        "status": "not-ready",
        "reasons": {
            "journal": "the journal cannot advance: the store does not answer",
            "database": "the check itself failed: ZeroDivisionError",
        },
    }


@pytest.mark.proves("DEP-04")
def test_limits_are_published_for_machines() -> None:
    got = TestClient(Frame().app()).get("/v1/limits").json()

    assert got["max_document"] == 1000
    assert got["max_envelope"] == 2000
    assert got["max_documents"] == 3
    assert got["max_deposits"] == 4


def test_figures_are_for_operators_and_name_no_address() -> None:
    frame = Frame(faces=(Inbox().router(), health.router))
    client = TestClient(frame.app())
    client.get("/v1/test/atoll/mine", headers=frame.bearer(Role.PLATFORM))
    client.get("/v1/unknown/atoll")
    client.request("ATOLL", "/v1/unknown")

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=frame.bearer(Role.PLATFORM)).status_code == 403
    figures = client.get("/metrics", headers=frame.bearer(Role.OPERATOR)).text
    assert 'bidvault_requests_total{method="GET",route="/v1/test/{name}/mine",status="404"} 1.0' in figures
    assert "atoll" not in figures.lower()


@pytest.mark.proves("CONF-02")
def test_a_log_line_has_pattern_method_status_and_duration_only(log: io.StringIO) -> None:
    frame = Frame(faces=(Inbox().router(),))
    client = TestClient(frame.app())
    headers = {**frame.bearer(Role.PLATFORM), "Deposit-Secret": "atoll", "Bidder": "siret:21350238800019"}
    for act in ("mine", "dies", "refused"):
        client.get(f"/v1/test/atoll/{act}?part=atoll", headers=headers)

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["method"], line["status"]) for line in requests] == [
        ("/v1/test/{name}/mine", "GET", 404),
        ("/v1/test/{name}/dies", "GET", 500),
        ("/v1/test/{name}/refused", "GET", 500),
    ]
    assert {frozenset(line) for line in requests} == {
        frozenset({"event", "level", "timestamp", "route", "method", "status", "seconds"})
    }
    faults = [line for line in lines if line["event"] == "fault"]
    assert [line["kinds"] for line in faults] == [["ZeroDivisionError"], ["_Foreign"]]
    for secret in ("atoll", "21350238800019", "secret", headers["Authorization"][-20:]):
        assert secret not in log.getvalue()


@pytest.mark.proves("CONF-02", "KEY-07")
def test_what_a_library_complains_of_is_told_without_its_words(log: io.StringIO) -> None:
    try:
        raise ZeroDivisionError("atoll")  # noqa: TRY301 a library's
    except ZeroDivisionError:
        logging.getLogger("procrastinate.worker").exception("job of %s failed", "atoll")

    line = json.loads(log.getvalue())
    assert (line["library"], line["kinds"]) == ("procrastinate.worker", ["ZeroDivisionError"])
    assert "atoll" not in log.getvalue()


def test_validation_names_the_field_and_repeats_no_value() -> None:
    frame = Frame(faces=(health.router,))
    app = frame.app()

    @app.get("/probe")
    def probe(number: int) -> int:
        return number

    got = TestClient(app).get("/probe", params={"number": "atoll"})
    assert got.status_code == 422
    assert got.json()["errors"][0]["field"] == "query.number"
    assert "atoll" not in got.text


def test_documentation_comes_from_our_own_files() -> None:
    client = TestClient(Frame().app())
    for page in ("/docs", "/redoc"):
        text = client.get(page).text
        assert not re.search(r"""(?:src|href)=["']https?://""", text)
        for source in re.findall(r"""(?:src|href)=["'](/[^"']+)""", text):
            assert client.get(source).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_no_deposit_is_bounded(kind: str, *, is_chunked: bool) -> None:
    long = b"x" * (BODY_LIMIT + 1)
    content: bytes | Iterator[bytes] = (long[start : start + 2**20] for start in range(0, len(long), 2**20))
    app = Frame().app()

    @app.post("/probe")
    def probe(words: list[str]) -> int:
        return len(words)

    got = TestClient(app).post("/probe", content=content if is_chunked else long, headers={"Content-Type": kind})
    assert (got.status_code, got.json()["type"]) == (413, "urn:bidvault:problem:too-many-bytes")
    assert TestClient(app).post("/probe", json=["a"]).json() == 1


def test_errors_that_came_from_each_other_are_told_once_and_hold_nobody_up() -> None:
    first, second = KeyError("a"), ValueError("b")
    first.__cause__, second.__context__ = second, first

    assert kinds_of(first) == ["KeyError", "ValueError"]
