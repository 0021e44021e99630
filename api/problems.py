# SPDX-License-Identifier: EUPL-1.2
"""Errors become answers: RFC 9457 problems with stable types, in the caller's language. Only here are statuses known.

Rules
  1. An error is told by its `code`; a code that nobody wrote into the table is ours to answer for: 500, no details.
  2. An answer shows the typed facts that the table allows, never an error's text.
  3. Answers of one type to one caller are the same bytes whatever was asked for.
  4. A fault of ours is written to the log by its kind, without values; a refusal is an entry in the journal.

Left to others: the table (api.problem_table), the entry (api.refused).
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.errors import ApiError
from api.observing import log_fault
from api.problem_of import PROBLEM_OF
from api.problem_table import (
    INTERNAL,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PROBLEMS,
    TOO_MANY_BYTES,
    Problem,
)
from api.refused import Edge
from crypto.errors import CryptoError
from vault.errors import InvalidInput, VaultError
from vault.refusals import is_told

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = timedelta(seconds=5)
LANGUAGES = ("en", "fr")
_OF_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_MANY_BYTES, 400: INVALID_INPUT, 422: INVALID_INPUT}

Facts = Mapping[str, "str | int | list[dict[str, str]]"]


class FieldFault(BaseModel):
    """One value that does not have its form."""

    field: str
    reason: str


class ProblemBody(BaseModel):
    """A problem as it is answered (RFC 9457); some types carry further members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[NOT_FOUND.type])
    title: str
    status: int
    detail: str
    errors: list[FieldFault] | None = None


def problem_of(error: Exception) -> Problem:
    """The problem that this error is."""
    code = getattr(error, "code", None)
    return PROBLEMS[PROBLEM_OF.get(code, INTERNAL.slug)] if isinstance(code, str) else INTERNAL


def answer(problem: Problem, *, accept_language: str = "", facts: Facts | None = None) -> Response:
    """The answer for one problem."""
    language = preferred_language(accept_language)
    title, detail = problem.french if language == "fr" else problem.english
    body = {"type": problem.type, "title": title, "status": problem.status, "detail": detail, **(facts or {})}
    headers = {"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(int(RETRY_AFTER.total_seconds()))
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def preferred_language(accept_language: str) -> str:
    """English or French, whichever the header ranks first; English when it names neither."""
    best, best_weight = LANGUAGES[0], 0.0
    for choice in accept_language.split(","):
        tag, _, weight = choice.partition(";q=")
        language = tag.strip().lower().split("-")[0]
        try:
            rank = float(weight) if weight else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and rank > best_weight:
            best, best_weight = language, rank
    return best


def install(app: FastAPI) -> None:
    """Make the app answer every error this way."""
    for root in (ApiError, VaultError, CryptoError):
        app.add_exception_handler(root, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_status)


def internal(scope: Scope) -> Response:
    """The answer to an error that nobody foresaw."""
    return answer(INTERNAL, accept_language=Headers(scope=scope).get("accept-language", ""))


def _answer_error(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log_fault(error, request.scope)
    elif not is_told(error):
        _tell(request, str(getattr(error, "code", problem.slug)))
    facts: dict[str, str | int | list[dict[str, str]]] = {name: getattr(error, name) for name in problem.facts}
    if isinstance(error, InvalidInput):
        facts["errors"] = [{"field": error.field, "reason": error.reason}]
    return answer(problem, accept_language=_language_of(request), facts=facts)


def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    _tell(request, INVALID_INPUT.slug)
    faults = [
        {"field": ".".join(str(step) for step in fault["loc"]), "reason": str(fault["msg"])} for fault in error.errors()
    ]
    return answer(INVALID_INPUT, accept_language=_language_of(request), facts={"errors": faults})


def _answer_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == TOO_MANY_BYTES.status:
        _tell(request, TOO_MANY_BYTES.slug)
    return answer(_OF_STATUS.get(error.status_code, INTERNAL), accept_language=_language_of(request))


def _tell(request: Request, code: str) -> None:
    """Journal a refusal that no journey has journaled."""
    edge: Edge = request.app.state.services.edge
    edge.tell(request, code)


def _language_of(request: Request) -> str:
    return request.headers.get("accept-language", "")
