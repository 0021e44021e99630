# SPDX-License-Identifier: EUPL-1.2
"""Problems: every error is one, and none tells what it must not."""

import inspect
import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.auth import Role
from api.errors import ApiError
from api.problem_of import PROBLEM_OF
from api.problem_table import INTERNAL, PROBLEMS
from api.problems import MEDIA_TYPE, answer, preferred_language, problem_of
from crypto.errors import CryptoError, PassphraseError, SignatureError
from tests.api.frame import Frame, Inbox
from vault import errors as vault_errors
from vault.errors import InvalidInput, NotFound, TooLarge, VaultError

ABSTRACT = {"api", "vault", "caller", "fault", "outside", "crypto"}


def every_error(root: type[Exception]) -> Iterator[type[Exception]]:
    """A class and all below it."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)


def ours(root: type[Exception]) -> set[str]:
    """The codes of the errors of our packages."""
    classes = [error for error in every_error(root) if not error.__module__.startswith("tests.")]
    return {str(vars(error).get("code", "")) for error in classes} - {""}


def test_every_error_has_its_problem() -> None:
    codes = ours(ApiError) | ours(VaultError) | ours(CryptoError)

    assert codes - ABSTRACT == set(PROBLEM_OF)
    assert set(PROBLEM_OF.values()) <= set(PROBLEMS)


def test_every_problem_is_the_answer_to_some_error() -> None:
    assert set(PROBLEMS) - set(PROBLEM_OF.values()) == {"method-not-allowed", "too-many-bytes"}


def test_each_fact_is_an_attribute_of_its_errors() -> None:
    for error in every_error(VaultError):
        code = str(vars(error).get("code", ""))
        if code in PROBLEM_OF:
            attributes = set(inspect.signature(error).parameters) if "__init__" in vars(error) else set()
            assert set(PROBLEMS[PROBLEM_OF[code]].facts) <= attributes | {"code"}, error


def test_an_unforeseen_error_says_nothing_of_itself() -> None:
    frame = Frame(faces=(Inbox().router(),))
    client = TestClient(frame.app())
    for act in ("dies", "refused"):
        got = client.get(f"/v1/test/atoll/{act}", headers=frame.bearer(Role.PLATFORM))
        assert got.status_code == 500
        assert got.headers["content-type"] == MEDIA_TYPE
        assert got.json()["type"] == INTERNAL.type
        assert "atoll" not in got.text


def test_strangers_unknown_things_and_unknown_addresses_get_the_same_bytes() -> None:
    frame = Frame(faces=(Inbox().router(),))
    client = TestClient(frame.app())
    answers = [
        client.get(address, headers=frame.bearer(Role.PLATFORM))
        for address in ("/v1/test/one/mine", "/v1/test/other/mine", "/v1/nothing", "/elsewhere")
    ]

    assert {got.status_code for got in answers} == {404}
    assert len({got.content for got in answers}) == 1
    assert len({str(sorted(got.headers.items())) for got in answers}) == 1


def test_a_wrong_method_is_a_problem() -> None:
    got = TestClient(Frame().app()).delete("/livez")

    assert got.status_code == 405
    assert got.json()["type"] == "urn:bidvault:problem:method-not-allowed"


def test_only_the_facts_of_the_table_are_shown() -> None:
    assert problem_of(TooLarge("envelope", 3, 2)).facts == ("what", "announced", "limit")
    assert problem_of(NotFound("the secret")).facts == ()
    assert problem_of(SignatureError("of whom")).facts == ("code",)
    assert problem_of(PassphraseError("x")) is INTERNAL
    assert problem_of(InvalidInput("bidder", "siret: and 14 digits")).slug == "invalid-input"
    assert problem_of(KeyError("x")) is INTERNAL


def test_all_refusals_of_sealed_bytes_are_one_problem() -> None:
    codes = ["truncated", "chunk", "commitment", "manifest", "already-sealed", "share", "holders", "dealt", "format"]

    assert {PROBLEM_OF[code] for code in codes} == {"seal-refused"}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-FR,en;q=0.5", "fr"),
        ("en,fr", "en"),
        ("en;q=0.1, FR;q=0.9", "fr"),
        ("de", "en"),
        ("fr;q=x", "en"),
        ("fr;q=0", "en"),
    ],
)
def test_the_language_is_the_callers(header: str, language: str) -> None:
    assert preferred_language(header) == language
    got = answer(INTERNAL, accept_language=header)
    assert got.headers["content-language"] == language
    assert json.loads(bytes(got.body))["title"] == (INTERNAL.french if language == "fr" else INTERNAL.english)[0]


def test_outside_parts_that_fail_ask_for_a_repeat() -> None:
    for error in (vault_errors.StoreUnavailable(), vault_errors.TimeUnproven(), vault_errors.AuthorityUnavailable()):
        got = answer(problem_of(error))
        assert got.status_code == 503
        assert int(got.headers["retry-after"]) > 0


def test_types_are_stable() -> None:
    assert all(problem.type == f"urn:bidvault:problem:{slug}" for slug, problem in PROBLEMS.items())
