# SPDX-License-Identifier: EUPL-1.2
"""Tokens and roles: who is let in, and that nobody else is."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from api import auth
from api.auth import Actor, Role, TokenIssuer, TokenVerifier, create_token_key, open_issuer, open_verifier
from api.errors import TokenKeyError, Unauthenticated
from tests.api.frame import NOON, Frame, Inbox, SetClock, actor

Claims = dict[str, "str | int | list[str] | None"]


def claims(**changes: str | int | list[str] | None) -> Claims:
    """Claims of a good token, changed; None takes one away."""
    good: Claims = {
        "iss": auth.ISSUER,
        "aud": auth.AUDIENCE,
        "sub": "megalis",
        "role": "platform",
        "platform": "default",
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(key: Ed25519PrivateKey, said: Claims) -> str:
    """These claims under this key."""
    return jwt.encode({"alg": "Ed25519"}, said, OKPKey.import_key(key), algorithms=["Ed25519"])


@pytest.mark.parametrize("role", list(Role))
def test_a_token_speaks_for_its_actor(role: Role) -> None:
    private, clock = Ed25519PrivateKey.generate(), SetClock()
    token = TokenIssuer(private, clock).issue(actor(role), timedelta(hours=1))

    assert TokenVerifier(private.public_key(), clock).actor(token) == actor(role)
    assert len(token) < auth.TOKEN_LIMIT


@pytest.mark.parametrize(
    "said",
    [
        claims(exp=int(NOON.timestamp())),
        claims(exp=None),
        claims(iat=None),
        claims(iat=int(NOON.timestamp()) + 60),
        claims(nbf=int(NOON.timestamp()) + 60),
        claims(iss="somebody"),
        claims(iss=None),
        claims(aud="somebody"),
        claims(aud=None),
        claims(role="root"),
        claims(role=None),
        claims(role=["platform"]),
        claims(sub=None),
        claims(sub="a b"),
        claims(sub="x" * 200),
        claims(sub=7),
        claims(platform=None),
        claims(platform="../other"),
        claims(role="buyer"),
        claims(role="buyer", organisation="2135023880001"),
        claims(organisation="21350238800019"),
        claims(role="custodian"),
        claims(role="custodian", person="00"),
        claims(role="custodian", person="zz" * 16),
        claims(role="custodian", person="00" * 16, kid="00"),
        claims(person="00" * 16),
    ],
)
def test_a_token_that_says_something_else_is_refused(said: Claims) -> None:
    private = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthenticated):
        TokenVerifier(private.public_key(), SetClock()).actor(signed(private, said))


def unsigned(_private: Ed25519PrivateKey) -> str:
    def part(value: dict[str, str] | Claims) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims())}."


def by_shared_secret(private: Ed25519PrivateKey) -> str:
    public = private.public_key().public_bytes_raw()
    return jwt.encode({"alg": "HS256"}, claims(), OctKey.import_key(public), algorithms=["HS256"])


def by_another_key(_private: Ed25519PrivateKey) -> str:
    return signed(Ed25519PrivateKey.generate(), claims())


def with_a_flipped_bit(private: Ed25519PrivateKey) -> str:
    head, body, signature = signed(private, claims()).split(".")
    return f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}"


def endless(private: Ed25519PrivateKey) -> str:
    return signed(private, claims(jti="x" * 5000))


def empty(_private: Ed25519PrivateKey) -> str:
    return ""


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # the attacker's short HMAC key
@pytest.mark.parametrize(
    "forge", [unsigned, by_shared_secret, by_another_key, with_a_flipped_bit, endless, empty, lambda _: "a.b.c"]
)
def test_forged_tokens_are_refused(forge: Callable[[Ed25519PrivateKey], str]) -> None:
    private = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthenticated):
        TokenVerifier(private.public_key(), SetClock()).actor(forge(private))


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(seconds=-1), timedelta(days=400)])
def test_a_token_has_a_bounded_life(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="lives at most"):
        TokenIssuer(Ed25519PrivateKey.generate(), SetClock()).issue(actor(Role.AUDITOR), lifetime)


def test_a_token_ends() -> None:
    frame = Frame(faces=(Inbox().router(),))
    headers = frame.bearer(Role.PLATFORM)
    client = TestClient(frame.app())
    assert client.get("/v1/test/x/mine", headers=headers).status_code == 404

    frame.clock.at += timedelta(hours=1)

    assert client.get("/v1/test/x/mine", headers=headers).status_code == 401


def test_the_key_pair_stays_and_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    create_token_key(tmp_path / "keys", "pass phrase")
    create_token_key(tmp_path / "keys", "pass phrase")
    clock = SetClock()
    token = open_issuer(tmp_path / "keys", "pass phrase", clock).issue(actor(Role.BUYER), timedelta(hours=1))

    assert open_verifier(tmp_path / "keys", clock).actor(token).organisation == "21350238800019"
    assert (tmp_path / "keys" / auth.PRIVATE_FILE).stat().st_mode & 0o077 == 0
    with pytest.raises(TokenKeyError):
        open_issuer(tmp_path / "keys", "other", clock)
    with pytest.raises(TokenKeyError):
        create_token_key(tmp_path / "keys", "other")


def test_a_missing_or_broken_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenKeyError):
        open_verifier(tmp_path, SetClock())
    (tmp_path / auth.PRIVATE_FILE).write_text("not a key")
    (tmp_path / auth.PUBLIC_FILE).write_text("not a key")
    with pytest.raises(TokenKeyError):
        open_issuer(tmp_path, "pass phrase", SetClock())
    with pytest.raises(TokenKeyError):
        open_verifier(tmp_path, SetClock())


def test_missing_broken_and_expired_tokens_get_one_answer() -> None:
    frame = Frame(faces=(Inbox().router(),))
    client = TestClient(frame.app())
    expired = frame.token(Role.PLATFORM, lifetime=timedelta(seconds=1))
    frame.clock.at += timedelta(hours=1)

    answers = [
        client.get("/v1/test/x/mine", headers=headers)
        for headers in (
            {},
            {"Authorization": "Bearer x"},
            {"Authorization": f"Bearer {expired}"},
            {"Authorization": "x"},
        )
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.PLATFORM])
def test_a_wrong_role_is_told_before_anything_is_looked_up(role: Role) -> None:
    frame = Frame(faces=(Inbox().router(),))
    answer = TestClient(frame.app()).get("/v1/test/x/mine", headers=frame.bearer(role))

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:bidvault:problem:role-not-allowed"


def test_a_declaration_names_a_role() -> None:
    with pytest.raises(ValueError, match="at least one role"):
        auth.allow()


def test_an_actor_without_its_claims_cannot_exist() -> None:
    with pytest.raises(ValueError, match="organisation"):
        Actor(subject="x", role=Role.BUYER)


def test_a_private_key_does_not_print() -> None:
    assert "private" not in repr(TokenIssuer(Ed25519PrivateKey.generate(), SetClock()))
