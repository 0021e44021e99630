# SPDX-License-Identifier: EUPL-1.2
"""Who calls: bearer tokens of the local issuer, the five roles, and which role may call which route.

Rules
  1. A token is a JWT signed with Ed25519, for this audience, with one role and an end; nothing is accepted unsigned.
  2. Missing, broken, foreign and expired tokens get one answer; a wrong role is told before anything is looked up.
  3. A route says who may call it with `allow(...)`; one without it is public, and a test lists the public ones.
  4. Serving needs the public key only; the private one is read by the command that issues.

Left to others: whether the thing asked for is the caller's (the journeys: `NotFound` for strangers and unknown alike).
"""

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import Claims, JWTClaimsRegistry

from api.errors import RoleNotAllowed, TokenKeyError, Unauthenticated
from crypto.encoding import sha256
from crypto.policy import LOCAL_ISSUER

ISSUER = LOCAL_ISSUER
AUDIENCE = "bidvault"
ALGORITHM = "Ed25519"  # RFC 9864: the fully specified name; "EdDSA" is deprecated by it
DEFAULT_PLATFORM = "default"
ID_BYTES = 16  # protocol 3.1: kid and person
TOKEN_LIMIT = 4096  # characters; ours have under 600
LIFETIME_LIMIT = timedelta(days=366)
PRIVATE_FILE = "token.pem"
PUBLIC_FILE = "token.pub"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@:-]{0,126}[A-Za-z0-9])?")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HEX16 = re.compile(r"[0-9a-f]{32}")
_SIRET = re.compile(r"[0-9]{14}")


class Role(StrEnum):
    """What a token allows; one role per token."""

    PLATFORM = "platform"  # a tender platform: deposits for bidders
    BUYER = "buyer"  # the contracting authority of a procedure
    CUSTODIAN = "custodian"  # a person who holds a key
    AUDITOR = "auditor"  # reads journal and proofs
    OPERATOR = "operator"  # runs the deployment; reads no bid


@dataclass(frozen=True)
class Actor:
    """Whoever calls, as the token says.

    Attributes:
        organisation: SIRET, for buyers.
        kid: the custodian's card, where the token names one.
        person: who the custodian is (protocol 3.1), the same on whatever card.
    """

    subject: str
    role: Role
    platform: str = DEFAULT_PLATFORM
    organisation: str | None = None
    kid: bytes | None = None
    person: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what no token may say.

        Raises:
            ValueError: a name, SIRET, kid or person without its form, or missing for this role.
        """
        if not _NAME.fullmatch(self.subject):
            raise ValueError("subject: up to 128 letters, digits and . _ @ : -")
        if not _PLATFORM.fullmatch(self.platform):
            raise ValueError("platform: up to 32 lower-case letters, digits and -")
        if (self.organisation is None) == (self.role is Role.BUYER):
            raise ValueError("a buyer, and nobody else, needs an organisation")
        if self.organisation is not None and not _SIRET.fullmatch(self.organisation):
            raise ValueError("organisation: a SIRET of 14 digits")
        if (self.person is None) == (self.role is Role.CUSTODIAN):
            raise ValueError("a custodian, and nobody else, needs a person")
        if any(value is not None and len(value) != ID_BYTES for value in (self.kid, self.person)):
            raise ValueError("kid and person: 16 bytes each")


@dataclass(frozen=True)
class Known:
    """Who calls, once their token is found good, and the token's digest, by which the journal knows it."""

    actor: Actor
    token: bytes = field(repr=False)


class Clock(Protocol):
    """Tells the time; UTC, aware."""

    def now(self) -> datetime: ...


@dataclass(frozen=True)
class TokenVerifier:
    """Turns a bearer token into an actor, or refuses."""

    public: Ed25519PublicKey
    clock: Clock

    def actor(self, token: str) -> Actor:
        """Who this token speaks for.

        Raises:
            Unauthenticated: not ours, broken, not yet or no longer valid.
        """
        if len(token) > TOKEN_LIMIT:
            raise Unauthenticated
        registry = JWTClaimsRegistry(
            now=lambda: int(self.clock.now().timestamp()),
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = jwt.decode(token, _jwk(self.public), algorithms=[ALGORITHM]).claims
            registry.validate(claims)
            return _actor_of(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated from error


@dataclass(frozen=True)
class TokenIssuer:
    """Signs tokens; lives in the command, never in a serving process."""

    private: Ed25519PrivateKey = field(repr=False)
    clock: Clock

    def issue(self, actor: Actor, lifetime: timedelta) -> str:
        """A bearer token for this actor, good from now for `lifetime`.

        Raises:
            ValueError: a lifetime that is not positive or longer than `LIFETIME_LIMIT`.
        """
        if not timedelta() < lifetime <= LIFETIME_LIMIT:
            raise ValueError(f"a token lives at most {LIFETIME_LIMIT.days} days")
        now = self.clock.now()
        claims: Claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": actor.subject,
            "role": actor.role.value,
            "platform": actor.platform,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": secrets.token_hex(16),
        }
        optional = {"organisation": actor.organisation, "kid": _hex(actor.kid), "person": _hex(actor.person)}
        claims.update({name: value for name, value in optional.items() if value is not None})
        return jwt.encode({"alg": ALGORITHM}, claims, _jwk(self.private), algorithms=[ALGORITHM])


def create_token_key(folder: Path, passphrase: str) -> None:
    """Make the issuer's key pair in the keys directory; a private key that is there stays.

    Raises:
        TokenKeyError: a key is there, but this passphrase does not open it.
    """
    if not (folder / PRIVATE_FILE).exists():
        private = Ed25519PrivateKey.generate()
        locked = pem.BestAvailableEncryption(passphrase.encode())
        _write(folder / PRIVATE_FILE, private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, locked), 0o600)
    private = _read_private(folder, passphrase)
    public = private.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    _write(folder / PUBLIC_FILE, public, 0o644)


def open_issuer(folder: Path, passphrase: str, clock: Clock) -> TokenIssuer:
    """The issuer of this keys directory.

    Raises:
        TokenKeyError: no key there, a broken one, or another passphrase.
    """
    return TokenIssuer(_read_private(folder, passphrase), clock)


def open_verifier(folder: Path, clock: Clock) -> TokenVerifier:
    """What checks this keys directory's tokens.

    Raises:
        TokenKeyError: no public key there, or a broken one.
    """
    try:
        public = pem.load_pem_public_key((folder / PUBLIC_FILE).read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise TokenKeyError(f"{folder / PUBLIC_FILE} cannot be read: missing or broken") from error
    if not isinstance(public, Ed25519PublicKey):
        raise TokenKeyError(f"{folder / PUBLIC_FILE} is not an Ed25519 key")
    return TokenVerifier(public, clock)


bearer = HTTPBearer(auto_error=False, description="A token of `bidvault token`, signed with Ed25519.")


class Allowed:
    """The dependency that `allow` makes: callable by FastAPI, readable by whoever lists the routes."""

    SCHEME: ClassVar[HTTPBearer] = bearer

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    def __call__(
        self,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Actor:
        """The actor, once its token is good and its role fits."""
        if credentials is None:
            raise Unauthenticated
        verifier: TokenVerifier = request.app.state.services.tokens
        actor = verifier.actor(credentials.credentials)
        request.state.known = Known(actor, sha256(credentials.credentials.encode()))
        if actor.role not in self.roles:
            raise RoleNotAllowed
        return actor


def allow(*roles: Role) -> Callable[..., Actor]:
    """Declare who may call a route: `actor: Annotated[Actor, Depends(allow(Role.PLATFORM))]`."""
    if not roles:
        raise ValueError("name at least one role; a public route has no declaration")
    return Allowed(frozenset(roles))


def roles_of(route: APIRoute) -> frozenset[Role] | None:
    """Who may call this route; None when it is public."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    declared = [call.roles for call in calls if isinstance(call, Allowed)]
    return frozenset.intersection(*declared) if declared else None


def _actor_of(claims: Claims) -> Actor:
    def text(name: str) -> str | None:
        value = claims.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(name)
        return value

    return Actor(
        subject=text("sub") or "",
        role=Role(claims["role"]),
        platform=text("platform") or "",
        organisation=text("organisation"),
        kid=_unhex(text("kid")),
        person=_unhex(text("person")),
    )


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    if value is None:
        return None
    if not _HEX16.fullmatch(value):
        raise ValueError("not 16 bytes in hex")
    return bytes.fromhex(value)


def _jwk(key: Ed25519PrivateKey | Ed25519PublicKey) -> OKPKey:
    return OKPKey.import_key(key)


def _read_private(folder: Path, passphrase: str) -> Ed25519PrivateKey:
    path = folder / PRIVATE_FILE
    try:
        private = pem.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TokenKeyError(f"{path} cannot be opened: missing, broken or another passphrase") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise TokenKeyError(f"{path} is not an Ed25519 key")
    return private


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all: a process that reads meanwhile sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
