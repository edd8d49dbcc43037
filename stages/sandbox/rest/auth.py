"""Authentication: the gateway checks the API key, then PostgREST checks the JWT."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from stages.sandbox.rest.errors import GatewayError, RestError

LEEWAY = 30  # seconds of clock skew that PostgREST tolerates


@dataclass(frozen=True, kw_only=True)
class ApiKeys:
    """A project's four API keys and the secret that signs its JWTs."""

    jwt_secret: str
    service_role_key: str
    anon_key: str
    secret_key: str
    publishable_key: str

    def __repr__(self) -> str:
        return "ApiKeys(***)"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """`role` and `claims` (JSON text) are for the transaction; `privileged`: the API key is a
    service key."""

    role: str
    claims: str
    privileged: bool


def identify(keys: ApiKeys, headers: Mapping[str, str]) -> Caller:
    """Identify the caller from the headers `apikey`, `authorization` and `user-agent`.

    Raises GatewayError (401) for a bad key, RestError (PGRST301, PGRST303) for a bad JWT.
    """
    apikey = headers.get("apikey", "")
    if not apikey:
        raise GatewayError(
            401,
            "No API key found in request",
            "No `apikey` request header or url param was found.",
        )
    roles = {
        keys.service_role_key: "service_role",
        keys.secret_key: "service_role",
        keys.anon_key: "anon",
        keys.publishable_key: "anon",
    }
    matches = [role for key, role in roles.items() if _same(key, apikey)]
    if not matches:
        raise GatewayError(
            401,
            "Invalid API key",
            "Double check your Supabase `anon` or `service_role` API key.",
            "UNAUTHORIZED_INVALID_API_KEY",
        )
    opaque = apikey.startswith("sb_")
    if _same(apikey, keys.secret_key) and headers.get("user-agent", "").startswith("Mozilla/"):
        raise GatewayError(401, "A secret API key must not be used in a browser")
    privileged = matches[0] == "service_role"
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or (opaque and _same(token, apikey)):
        # An opaque key gives its role; a JWT key does so only as the bearer token.
        role = matches[0] if opaque else "anon"
        return Caller(role=role, claims=json.dumps({"role": role}), privileged=privileged)
    claims = _verify(token, keys.jwt_secret)
    return Caller(
        role=str(claims.get("role", "anon")), claims=json.dumps(claims), privileged=privileged
    )


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _refused(code: str, message: str, details: str | None = None) -> RestError:
    challenge = f'Bearer error="invalid_token", error_description="{message}"'
    return RestError(401, code, message, details, headers={"WWW-Authenticate": challenge})


def _verify(token: str, secret: str) -> dict[str, Any]:
    """The claims of a JWT, after checking its signature and times."""
    if not token:
        raise _refused("PGRST301", "Empty JWT is sent in Authorization header")
    parts = token.count(".") + 1
    if parts != 3:
        raise _refused("PGRST301", f"Expected 3 parts in JWT; got {parts}")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            # Times are checked below, in PostgREST's order and with its messages.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
            },
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        details = "None of the keys was able to decode the JWT"
        raise _refused("PGRST301", "No suitable key or wrong key type", details) from None
    except jwt.InvalidTokenError:
        raise _refused("PGRST301", "JWT cryptographic operation failed") from None
    _check_times(claims)
    return claims


def _check_times(claims: dict[str, Any]) -> None:
    now = time.time()
    times: dict[str, float] = {}
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refused("PGRST303", f"The JWT '{name}' claim must be a number")
        times[name] = value
    if times.get("exp", now) < now - LEEWAY:
        raise _refused("PGRST303", "JWT expired")
    if times.get("nbf", now) > now + LEEWAY:
        raise _refused("PGRST303", "JWT not yet valid")
    if times.get("iat", now) > now + LEEWAY:
        raise _refused("PGRST303", "JWT issued at future")
