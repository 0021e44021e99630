# SPDX-License-Identifier: EUPL-1.2
"""The API against its own description: whatever it is sent, it never fails and answers as it says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import content_type_conformance

from api.app import FACES
from api.auth import Role
from api.description import declarations
from tests.api.depositing import Site

AnyCase = Case[Any]  # schemathesis types its operations by four parameters that nothing here depends on
EXAMPLES = 20  # of each operation; more find the same and cost minutes
CALM = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
OPERATIONS = [(path, method, roles) for path, method, roles in declarations(FACES)]


@pytest.fixture(scope="module")
def described(site: Site) -> BaseSchema:
    """The description of the application under test."""
    return schemathesis.openapi.from_asgi("/openapi.json", site.http.app, config=SchemathesisConfig())


@pytest.mark.parametrize(("path", "method", "roles"), OPERATIONS, ids=[f"{one[1]} {one[0]}" for one in OPERATIONS])
def test_no_operation_fails_whatever_it_is_sent(
    site: Site, described: BaseSchema, path: str, method: str, roles: frozenset[Role] | None
) -> None:
    headers = site.bearer(min(roles)) if roles else {}

    @CALM
    @given(case=described[path][method].as_strategy(), is_known=st.booleans())
    def answers(case: AnyCase, *, is_known: bool) -> None:
        if is_known and "procedure" in case.path_parameters:
            case.path_parameters["procedure"] = str(site.world.procedure)
        case.call_and_validate(headers=headers, checks=[not_a_server_error, content_type_conformance])

    answers()
