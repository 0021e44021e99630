# SPDX-License-Identifier: EUPL-1.2
"""The API's description, OpenAPI 3.1: what FastAPI sees in the routes, and what only we know.

Rules
  1. An operation says its roles (`x-roles`), or that it needs none (`security: []`).
  2. Every operation may answer with a problem; no operation describes an answer that is never given.
  3. The text is the same from every start: keys sorted, no address of a server in it.
"""

import json
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.auth import Role, roles_of
from api.problems import MEDIA_TYPE, ProblemBody

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

PROBLEM_REF = "#/components/schemas/ProblemBody"
ANY_PROBLEM: dict[int | str, dict[str, object]] = {
    "default": {
        "description": "A problem (RFC 9457); its `type` is stable.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REF}}},
    }
}


def declarations(faces: Sequence[APIRouter]) -> Iterator[tuple[str, str, frozenset[Role] | None]]:
    """Path, method and roles of each operation; no roles: public."""
    for face in faces:
        for route in face.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in sorted(route.methods or ()):
                    yield route.path_format, method, roles_of(route)


def describe(app: FastAPI, faces: Sequence[APIRouter]) -> dict[str, Json]:
    """The description of this application."""
    found: dict[str, Json] = get_openapi(
        title=app.title, version=app.version, description=app.description, openapi_version="3.1.0", routes=app.routes
    )
    paths = _at(found, "paths")
    for path, method, roles in declarations(faces):
        operation = _at(_at(paths, path), method.lower())
        if roles is None:
            operation["security"] = []
        else:
            operation["x-roles"] = [role.value for role in sorted(roles)]
    schemas = _at(_at(found, "components"), "schemas")
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["ProblemBody"] = problem
    return found


def as_text(description: dict[str, Json]) -> str:
    """As it is committed."""
    return json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _at(node: dict[str, Json], key: str) -> dict[str, Json]:
    inner = node.setdefault(key, {})
    assert isinstance(inner, dict)
    return inner
