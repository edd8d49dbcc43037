"""Errors as a client of the REST API sees them: status, JSON body and headers."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg
from starlette.responses import JSONResponse, Response

RETRY_AFTER = "1"

# SQLSTATE → status; the longest matching prefix wins, and codes not listed are the client's fault.
_STATUS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "21": 500,
    "23503": 409,
    "23505": 409,
    "25": 500,
    "25006": 405,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53": 503,
    "53400": 500,
    "54": 500,
    "55": 500,
    "57": 500,
    "57P01": 503,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "P0001": 400,
    "XX": 500,
}


@dataclass(eq=False)
class RestError(Exception):
    """PostgREST refuses: `code` is a PGRST code or a SQLSTATE."""

    status: int
    code: str
    message: str
    details: str | None = None
    hint: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = {
            "code": self.code,
            "details": self.details,
            "hint": self.hint,
            "message": self.message,
        }
        headers = {"Proxy-Status": f"PostgREST; error={self.code}", **self.headers}
        if self.status == 401:
            headers.setdefault("WWW-Authenticate", "Bearer")
        if self.status == 503:
            headers["Retry-After"] = RETRY_AFTER
        return JSONResponse(body, self.status, headers, "application/json; charset=utf-8")


@dataclass(eq=False)
class GatewayError(Exception):
    """The gateway refuses before PostgREST sees the request: no `code` in the body."""

    status: int
    message: str
    hint: str | None = None
    reason: str | None = None

    def response(self) -> Response:
        body = {"message": self.message} | ({"hint": self.hint} if self.hint else {})
        headers = {"sb-error-code": self.reason} if self.reason else None
        return JSONResponse(body, self.status, headers, "application/json; charset=utf-8")


def _status(code: str, message: str, role: str) -> int:
    if code == "42501" and role == "anon":
        return 401
    if code == "22023" and message.startswith("role ") and message.endswith("does not exist"):
        return 401
    prefixes = (code[:length] for length in range(len(code), 1, -1))
    return next((_STATUS[prefix] for prefix in prefixes if prefix in _STATUS), 400)


def from_postgres(error: psycopg.Error, role: str) -> RestError:
    """Convert an error of Postgres as PostgREST would for a caller in `role`."""
    code = error.sqlstate
    if code is None:
        if isinstance(error, psycopg.DataError):  # such as a NUL byte: refused before sending
            return RestError(400, "22021", str(error))
        return RestError(
            503, "PGRST001", "Database client error. Retrying the connection.", str(error)
        )
    message = error.diag.message_primary or ""
    status = _status(code, message, role)
    return RestError(status, code, message, error.diag.message_detail, error.diag.message_hint)
