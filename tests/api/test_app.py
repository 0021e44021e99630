# SPDX-License-Identifier: EUPL-1.2
"""The application's faces: who may call what, and that the description is the committed one."""

import json

import pytest
from fastapi.testclient import TestClient

from api.app import FACES
from api.auth import Role
from api.description import declarations
from tests.api.frame import Frame
from tests.api.openapi_file import COMMITTED, current

PUBLIC = {
    ("/livez", "GET"),
    ("/readyz", "GET"),
    ("/v1/limits", "GET"),
    ("/v1/receipts/pdf", "POST"),
}
"""Who calls these needs no token; whoever adds one says here why: health and limits name nothing of a
procedure, a receipt's holder sends all that its print says."""


def test_only_these_routes_are_public() -> None:
    assert {(path, method) for path, method, roles in declarations(FACES) if roles is None} == PUBLIC


def test_no_route_is_declared_for_nobody() -> None:
    assert all(roles is None or roles for _, _, roles in declarations(FACES))


@pytest.mark.proves("OPEN-13")
def test_no_token_is_made_for_bidders() -> None:
    assert {role.value for role in Role} == {"platform", "buyer", "custodian", "auditor", "operator"}


def test_every_route_refuses_a_stranger_and_every_role_it_does_not_name() -> None:
    frame = Frame(faces=FACES)
    client = TestClient(frame.app(), raise_server_exceptions=False)
    for path, method, roles in declarations(FACES):
        if roles is None:
            continue
        assert client.request(method, path).status_code == 401, path
        for role in set(Role) - roles:
            assert client.request(method, path, headers=frame.bearer(role)).status_code == 403, (path, role)


def test_the_committed_description_is_that_of_the_program() -> None:
    assert COMMITTED.read_text() == current(), "run: python -m tests.api.openapi_file"
    assert json.loads(current())["openapi"] == "3.1.0"


def test_each_operation_says_its_roles_or_that_it_needs_none() -> None:
    said = json.loads(COMMITTED.read_text())
    for path, method, roles in declarations(FACES):
        operation = said["paths"][path][method.lower()]
        if roles is None:
            assert operation["security"] == []
        else:
            assert operation["x-roles"] == sorted(roles)
            assert operation["security"] == [{"HTTPBearer": []}]
        assert "default" in operation["responses"]
