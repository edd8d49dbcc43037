"""A stand-in for Supabase's gateway and PostgREST: read requests in front of a real Postgres.

`python -m stages.sandbox.gateway CONFIG` serves on a free loopback port until SIGTERM. CONFIG is a
JSON file: `dsn` (of the login role, usually `authenticator`), `jwt_secret`, `service_role_key`,
`anon_key`, `secret_key`, `publishable_key`, `schemas`, `max_rows`, `ready`, and, to delay every
response, `latency_ms`. Once it serves, it writes `{"url": …}` to the file named by `ready`.

It is not PostgREST. It supports what reading tables needs, and refuses the rest: GET and HEAD on
`/rest/v1/` and its tables, and, in place of the Auth service, GET on `/auth/v1/admin/users` and a
single user. Postgres itself creates the JSON, which is passed on unparsed.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stages.sandbox.rest.config import Config
from stages.sandbox.rest.database import Database
from stages.sandbox.rest.endpoints import Rest, User, Users


async def _no_route(request: Request, _: Exception) -> Response:
    return JSONResponse({"message": "no Route matched with those values"}, 404)


def application(config: Config) -> Starlette:
    """The ASGI application; its lifespan opens and closes the pool."""
    database = Database(config.dsn, config.schemas)
    rest = Rest(config, database)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database:
            yield

    routes = [
        Route("/rest/v1", rest),
        Route("/rest/v1/{table:path}", rest),
        Route("/auth/v1/admin/users", Users(config, database)),
        Route("/auth/v1/admin/users/{user}", User(config, database)),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _no_route})


class Server(uvicorn.Server):
    """Reports when it actually serves, and shuts down gracefully on SIGTERM and SIGINT."""

    def __init__(self, config: Config) -> None:
        options: dict[str, Any] = {
            "access_log": False,  # it would contain keys of rows
            "log_level": "warning",
            "server_header": False,
            "timeout_keep_alive": 60,
            "timeout_graceful_shutdown": 0.5,
        }
        super().__init__(uvicorn.Config(application(config), **options))
        self._ready = config.ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()
        written = self._ready.with_name(self._ready.name + ".tmp")
        written.write_text(json.dumps({"url": f"http://{host}:{port}"}), encoding="utf-8")
        written.replace(self._ready)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def main(arguments: list[str]) -> int:
    """Serve until a signal; returns 2 for wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m stages.sandbox.gateway CONFIG\n")
        return 2
    config = Config.read(Path(arguments[0]))
    config.ready.unlink(missing_ok=True)  # an earlier process' address
    # asyncio sets TCP_NODELAY only on sockets declared as TCP; without it, responses take 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
