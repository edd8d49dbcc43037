"""The endpoints: tables, the root document, and users."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from stages.sandbox.rest.auth import Caller, identify
from stages.sandbox.rest.config import Config
from stages.sandbox.rest.database import Cursor, Database
from stages.sandbox.rest.errors import GatewayError, RestError, from_postgres
from stages.sandbox.rest.openapi import CATALOG, describe
from stages.sandbox.rest.query import Query, Statement, out_of_bounds, parse_query

JSON_TYPE = "application/json; charset=utf-8"
OPENAPI_TYPE = "application/openapi+json; charset=utf-8"
USERS = (Path(__file__).parent / "users.sql").read_text(encoding="utf-8")
IDENTITIES = (Path(__file__).parent / "identities.sql").read_text(encoding="utf-8")
AUTH_ROLE = "supabase_auth_admin"
_SHARED_SCHEMAS = ("public", "extensions")  # searched for types after the request's own schema


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The Prefer header, as far as it concerns reading."""

    count: str | None
    timezone: str | None

    def applied(self) -> dict[str, str]:
        preferences = {"count": self.count, "timezone": self.timezone}
        text = ", ".join(f"{name}={value}" for name, value in preferences.items() if value)
        return {"Preference-Applied": text} if text else {}


class Endpoint:
    """An ASGI application that responds with the result of `answer`, or the error it raises."""

    def __init__(self, config: Config, database: Database) -> None:
        self.config = config
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        role = ""
        try:
            caller = identify(self.config.keys, request.headers)
            role = caller.role
            response = await self.answer(request, caller)
        except (GatewayError, RestError) as error:
            response = error.response()
        except psycopg.Error as error:
            response = from_postgres(error, role).response()
        if request.method == "HEAD":
            # The page was not built, so its length is unknown.
            del response.headers["content-length"]
        if self.config.latency:
            await asyncio.sleep(self.config.latency)
        await response(scope, receive, send)

    async def answer(self, request: Request, caller: Caller) -> Response:
        raise NotImplementedError


class Rest(Endpoint):
    """`/rest/v1/` and `/rest/v1/<table>`."""

    async def answer(self, request: Request, caller: Caller) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise RestError(405, "PGRST117", f"Unsupported HTTP method: {request.method}")
        table = request.path_params.get("table", "")
        if not table and not caller.privileged:
            raise GatewayError(
                401,
                "Invalid API key",
                "Only the `service_role` API key can be used for this endpoint.",
                "UNAUTHORIZED_INVALID_API_KEY_TYPE",
            )
        # A slash in the name itself is percent-encoded.
        if b"/" in request.scope["raw_path"].partition(b"/rest/v1/")[2]:
            raise RestError(404, "PGRST125", "Invalid path specified in request URL")
        schema = self._schema(request)
        headers = {"Content-Profile": schema} if len(self.config.schemas) > 1 else {}
        if not table:
            _accept(request, "application/openapi+json", "application/json")
            return await self._root(request, caller, schema, headers)
        _accept(request, "application/json")
        parameters = request.query_params.multi_items()
        query = parse_query(parameters, request.headers.get("range"))
        await self.database.require_relation(schema, table)
        return await self._page(request, caller, (schema, table), query, headers)

    def _schema(self, request: Request) -> str:
        schemas = self.config.schemas
        schema = request.headers.get("accept-profile", schemas[0])
        if schema not in schemas:
            hint = f"Only the following schemas are exposed: {', '.join(schemas)}"
            raise RestError(406, "PGRST106", f"Invalid schema: {schema}", hint=hint)
        return schema

    async def _root(
        self, request: Request, caller: Caller, schema: str, headers: dict[str, str]
    ) -> Response:
        async with self.database.transaction(caller, schemas=("",)) as cursor:
            await cursor.execute(CATALOG, [schema, list(self.config.schemas)])
            relations: list[Any] = await cursor.fetchall()
        document = describe(relations, request.url.netloc)
        return JSONResponse(document, 200, headers, OPENAPI_TYPE)

    async def _preferences(self, request: Request) -> Preferences:
        items = ",".join(request.headers.getlist("prefer")).split(",")
        preferences = dict(item.strip().partition("=")[::2] for item in reversed(items))
        count, timezone = preferences.get("count"), preferences.get("timezone")
        is_timezone = timezone is not None and await self.database.knows_timezone(timezone)
        return Preferences(
            count=count if count in ("exact", "planned", "estimated") else None,
            timezone=timezone if is_timezone else None,
        )

    async def _page(
        self,
        request: Request,
        caller: Caller,
        relation: tuple[str, str],
        query: Query,
        headers: dict[str, str],
    ) -> Response:
        preferences = await self._preferences(request)
        limit = self.config.max_rows
        window = query.window
        if limit is not None:
            window = window.intersect(window.offset, limit)
        counted = {"exact": 0, "estimated": limit + 1 if limit else 0}.get(preferences.count or "")
        statement = Statement(sql.Identifier(*relation))
        text = statement.page(
            replace(query, window=window), body=request.method == "GET", counted=counted
        )
        schemas = dict.fromkeys((relation[0], *_SHARED_SCHEMAS))
        async with self.database.transaction(
            caller, schemas=tuple(schemas), timezone=preferences.timezone
        ) as cursor:
            await cursor.execute(text, statement.values)
            body, rows, total = _first_row(cursor)
            if preferences.count == "planned":
                total = await _planned(cursor, relation, query)
            elif preferences.count == "estimated" and limit and total and total > limit:
                total = max(total, await _planned(cursor, relation, query))
        if total is not None and window.offset > total:
            raise out_of_bounds(window.offset, total)
        status = 206 if total is not None and rows < total else 200
        headers |= {
            "Content-Range": window.content_range(rows, total),
            **preferences.applied(),
        }
        return Response(body, status, headers, JSON_TYPE)


class Users(Endpoint):
    """`/auth/v1/admin/users`: the Auth service's list of users, without secrets or identities.

    Modelled on the service's documented JSON; it is not that service.
    """

    async def answer(self, request: Request, caller: Caller) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _auth_error(405, "not_found", "Method not allowed")
        if not (caller.privileged and caller.role == "service_role"):
            return _auth_error(403, "not_admin", "User not allowed")
        admin = Caller(role=AUTH_ROLE, claims=caller.claims, privileged=True)
        try:
            async with self.database.transaction(admin, schemas=("",), timezone="UTC") as cursor:
                return await self.respond(request, cursor)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            what = error.diag.message_primary
            return _auth_error(404, "not_found", f"This project has no such table: {what}")
        except psycopg.Error as error:
            sys.stderr.write(f"auth: {error.sqlstate} {error.diag.message_primary}\n")
            return _auth_error(500, "unexpected_failure", "Database error finding users")

    async def respond(self, request: Request, cursor: Cursor) -> Response:
        page, size = (
            request.query_params.get(name, default)
            for name, default in (("page", "1"), ("per_page", "50"))
        )
        if not (page.isdecimal() and size.isdecimal()):
            return _auth_error(400, "validation_failed", "Bad Pagination Parameters")
        offset = max(int(page) - 1, 0) * int(size)
        await cursor.execute(USERS, [size, str(offset), None])
        content = b'{"users":' + _value(cursor, 0) + b',"aud":"authenticated"}'
        total = _value(cursor, 1).decode()
        return Response(content, 200, {"X-Total-Count": total}, "application/json")


class User(Users):
    """`/auth/v1/admin/users/<id>`: one user, with identities."""

    async def respond(self, request: Request, cursor: Cursor) -> Response:
        try:
            user = str(UUID(request.path_params["user"]))
        except ValueError:
            return _auth_error(404, "validation_failed", "user_id must be an UUID")
        await cursor.execute(USERS, ["1", "0", user])
        page = _value(cursor, 0).decode()
        if page == "[]":
            return _auth_error(404, "user_not_found", "User not found")
        await cursor.execute(IDENTITIES, [page, user])
        return Response(_value(cursor, 0), 200, None, "application/json")


def _auth_error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status)


def _value(cursor: Cursor, column: int) -> bytes:
    """One value of the first row as Postgres sent it: pages are never decoded."""
    value = cursor.pgresult.get_value(0, column) if cursor.pgresult else None
    return value or b""


def _first_row(cursor: Cursor) -> tuple[bytes, int, int | None]:
    total = _value(cursor, 2)
    return _value(cursor, 0), int(_value(cursor, 1)), int(total) if total else None


async def _planned(cursor: Cursor, relation: tuple[str, str], query: Query) -> int:
    statement = Statement(sql.Identifier(*relation))
    await cursor.execute(statement.plan(query), statement.values)
    (plan,) = json.loads(_value(cursor, 0))
    return int(plan["Plan"]["Plan Rows"])


def _accept(request: Request, *produced: str) -> None:
    accept = ",".join(request.headers.getlist("accept")) or "*/*"
    media_types = [item.partition(";")[0].strip().lower() for item in accept.split(",")]
    if not {*produced, "*/*", "application/*"}.intersection(media_types):
        message = f"None of these media types are available: {', '.join(media_types)}"
        raise RestError(406, "PGRST107", message)
