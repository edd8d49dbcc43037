"""Which APIs a service key can use, tested with Supabase's own client: tables, Auth and Storage.

The three APIs expect `sb_secret_` keys in different headers, and the client knows which. Pages of
tables are read with plain httpx, which takes half the CPU time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from stages.extract.catalog import Reading
from stages.extract.rest_select import quoted
from stages.project.settings import Source

if TYPE_CHECKING:
    from supabase import Client

TABLES = "tables"
NOT_SERVED = {"404", "no_route"}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One API: whether it accepts the key or is not served here, and what was seen."""

    api: str
    ok: bool
    detail: str


def prove_key(
    source: Source, reading: Reading, http: httpx.Client | None = None
) -> Iterator[Opened]:
    """Send each API a minimal request; `reading` is of a table that the key should be able to read.

    An API that this server does not have is not a failure; a refused key is. `http` is for callers
    to whom the client's own timeouts are too long.
    """
    from supabase import ClientOptions, create_client

    assert source.url and source.key
    options = ClientOptions(httpx_client=http)
    client = create_client(source.url, source.key.reveal(), options)
    yield _ask(TABLES, lambda: _read_nothing(client, reading))
    yield _ask("Auth", lambda: _count_users(client))
    yield _ask("Storage", lambda: _count_buckets(client))


def _read_nothing(client: Client, reading: Reading) -> str:
    column = quoted(reading.columns[0].name)  # the key may read only some columns
    client.schema(reading.schema).table(reading.name).select(column).limit(0).execute()
    return f"reads {reading.source}"


def _count_users(client: Client) -> str:
    users = client.auth.admin.list_users(page=1, per_page=1)
    return "lists users" if users else "lists users: there are none"


def _count_buckets(client: Client) -> str:
    return f"lists buckets: {len(client.storage.list_buckets()):,}"


def _ask(api: str, ask: Callable[[], str]) -> Opened:
    from postgrest import APIError
    from pydantic import ValidationError
    from storage3.exceptions import StorageApiError
    from supabase_auth.errors import AuthError

    try:
        return Opened(api=api, ok=True, detail=ask())
    except APIError as error:
        code, message = str(error.code), str(error.message)
    except AuthError as error:
        status = getattr(error, "status", None)
        code, message = str(error.code or status), error.message
        code = str(status) if status == 404 else code
    except StorageApiError as error:
        code, message = str(error.status), error.message
    except (ValidationError, ValueError, TypeError):
        return Opened(api=api, ok=False, detail="answers what its own client can't read")
    except httpx.HTTPError as error:
        return Opened(api=api, ok=False, detail=f"does not answer: {type(error).__name__}")
    if code in NOT_SERVED and api != TABLES:
        return Opened(api=api, ok=True, detail="is not served here")
    if code.startswith("5"):
        return Opened(api=api, ok=False, detail=f"does not work: {message} ({code})")
    return Opened(api=api, ok=False, detail=f"refuses the key: {message} ({code})")
