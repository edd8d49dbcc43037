"""The REST stand-in behaves as the facts say that Supabase's gateway and PostgREST do.

Each test names the section of the project's notes on Supabase (supabase.md) that it comes from.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import psycopg
import pytest
import supabase
import throwaway

from stages.sandbox.rest.errors import from_postgres

SECRET = "a-secret-of-the-tests-only-with-more-than-32-bytes"  # noqa: S105
SCHEMA = (Path(__file__).parent / "gateway.sql").read_text(encoding="utf-8")


def sign(role: str, secret: str = SECRET, **claims: Any) -> str:
    now = int(time.time())
    payload = {"role": role, "iss": "supabase", "ref": "local", "iat": now, "exp": now + 3600}
    return jwt.encode(payload | claims, secret, algorithm="HS256")


@dataclass(frozen=True)
class Gateway:
    """A running stand-in: its address, its configuration, its process."""

    url: str
    config: dict[str, Any]
    process: subprocess.Popen[bytes]

    def get(
        self, path: str, /, method: str = "GET", key: str = "", **headers: str
    ) -> httpx.Response:
        """A request with the secret key, or with `key` and the headers (`_` for `-`)."""
        sent = {"apikey": key or self.config["secret_key"]}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, f"{self.url}{path}", headers=sent, timeout=30)

    def rows(self, path: str, **headers: str) -> Any:
        response = self.get(f"/rest/v1/{path}", **headers)
        assert response.status_code in (200, 206), response.text
        return response.json()


def start(folder: Path, dsn: str, **changes: Any) -> Gateway:
    config: dict[str, Any] = {
        "dsn": dsn,
        "jwt_secret": SECRET,
        "service_role_key": sign("service_role"),
        "anon_key": sign("anon"),
        "secret_key": "sb_secret_of_the_tests",
        "publishable_key": "sb_publishable_of_the_tests",
        "schemas": ["public", "other"],
        "max_rows": 1000,
        "ready": str(folder / "ready.json"),
    } | changes
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "stages.sandbox.gateway", str(path)]
    process = subprocess.Popen(command)
    ready = Path(config["ready"])
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None, "the stand-in ended before it served"
        assert time.monotonic() < deadline, "the stand-in does not serve"
        time.sleep(0.02)
    return Gateway(json.loads(ready.read_text(encoding="utf-8"))["url"], config, process)


def stop(gateway: Gateway) -> int:
    gateway.process.send_signal(signal.SIGTERM)
    return gateway.process.wait(5)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The conninfo of the login role of a Postgres that holds the tests' schema."""
    with throwaway.postgres() as folder:
        dsn = f"host={folder} dbname=postgres"
        with psycopg.connect(dsn, user="postgres", autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield f"{dsn} user=authenticator"


@pytest.fixture(scope="module")
def gateway(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = start(tmp_path_factory.mktemp("gateway"), database)
    yield running
    assert stop(running) == 0


class TestKeys:
    """supabase.md §1."""

    def test_no_key(self, gateway: Gateway) -> None:
        """§1 table "What bad keys return": the gateway's own body, without `code`."""
        response = httpx.get(f"{gateway.url}/rest/v1/people")
        assert response.status_code == 401
        assert response.json() == {
            "message": "No API key found in request",
            "hint": "No `apikey` request header or url param was found.",
        }

    @pytest.mark.parametrize("key", ["sb_secret_wrong", sign("service_role", "x" * 40)])
    def test_wrong_key(self, gateway: Gateway, key: str) -> None:
        """§1: `Invalid API key`, no `code`, and the header `sb-error-code`."""
        response = gateway.get("/rest/v1/people", key=key)
        assert response.status_code == 401
        assert response.json()["message"] == "Invalid API key"
        assert "code" not in response.json()
        assert response.headers["sb-error-code"] == "UNAUTHORIZED_INVALID_API_KEY"
        assert "proxy-status" not in response.headers

    def test_role_of_each_key(self, gateway: Gateway) -> None:
        """§1 table of keys: JWTs pick the role as the bearer, opaque keys stand for theirs."""
        config = gateway.config
        service, anon = config["service_role_key"], config["anon_key"]
        secret, publishable = config["secret_key"], config["publishable_key"]
        user = sign("authenticated", sub="me")
        for key, bearer, role in [
            (service, service, "service_role"),
            (anon, anon, "anon"),
            (service, None, "anon"),
            (secret, None, "service_role"),
            (publishable, None, "anon"),
            (secret, secret, "service_role"),
            (publishable, user, "authenticated"),
        ]:
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            response = gateway.get("/rest/v1/claims", key=key, **headers)
            (row,) = response.json()
            assert row["role"] == role
            assert row["sub"] == ("me" if bearer == user else None)

    @pytest.mark.parametrize(
        ("bearer", "code", "message"),
        [
            ("", "PGRST301", "Empty JWT is sent in Authorization header"),
            ("sb_secret_other", "PGRST301", "Expected 3 parts in JWT; got 1"),
            ("a.b", "PGRST301", "Expected 3 parts in JWT; got 2"),
            ("a.b.c", "PGRST301", "JWT cryptographic operation failed"),
            (sign("anon", "x" * 40), "PGRST301", "No suitable key or wrong key type"),
            (jwt.encode({"role": "anon"}, "", algorithm="none"), "PGRST301", None),
            (sign("anon", exp=1), "PGRST303", "JWT expired"),
            (sign("anon", nbf=2**40), "PGRST303", "JWT not yet valid"),
            (sign("anon", iat=2**40), "PGRST303", "JWT issued at future"),
            (sign("nobody"), "22023", 'role "nobody" does not exist'),
        ],
    )
    def test_bad_bearer(
        self, gateway: Gateway, bearer: str, code: str, message: str | None
    ) -> None:
        """§1: PGRST301 undecodable, PGRST303 by its claims, 22023 an unknown role; all 401."""
        response = gateway.get("/rest/v1/people", authorization=f"Bearer {bearer}".strip())
        assert (response.status_code, response.json()["code"]) == (401, code)
        assert message is None or response.json()["message"] == message
        assert response.headers["proxy-status"] == f"PostgREST; error={code}"
        challenge = response.headers["www-authenticate"]
        assert challenge.startswith('Bearer error="invalid_token"' if code[0] == "P" else "Bearer")

    def test_secret_key_in_a_browser(self, gateway: Gateway) -> None:
        """§1: `sb_secret_` is refused when the User-Agent looks like a browser."""
        response = gateway.get("/rest/v1/people", user_agent="Mozilla/5.0 (X11) Firefox/130")
        assert response.status_code == 401
        key = gateway.config["publishable_key"]
        assert gateway.get("/rest/v1/people", key=key, user_agent="Mozilla/5.0").status_code == 200

    def test_row_security(self, gateway: Gateway) -> None:
        """§1 RLS: no policy is 200 and no rows for anon; the service role sees all."""
        anon = gateway.get(
            "/rest/v1/guarded", key=gateway.config["publishable_key"], prefer="count=exact"
        )
        assert (anon.status_code, anon.json()) == (200, [])
        assert anon.headers["content-range"] == "*/0"
        assert len(gateway.rows("guarded")) == 2

    def test_missing_grant(self, gateway: Gateway) -> None:
        """§1 and §3: 42501 is 403, as anon 401, and the hint names the GRANT."""
        for key, role, status in [
            (gateway.config["secret_key"], "service_role", 403),
            (gateway.config["publishable_key"], "anon", 401),
        ]:
            response = gateway.get("/rest/v1/ungranted", key=key)
            body = response.json()
            assert (response.status_code, body["code"]) == (status, "42501")
            assert f"GRANT SELECT ON public.ungranted TO {role};" in body["hint"]


class TestPages:
    """supabase.md §2."""

    def test_max_rows_cut_silently(self, gateway: Gateway) -> None:
        """§2: 200 and `0-999/*`, however much was asked."""
        for path in ("numbers", "numbers?limit=50000"):
            response = gateway.get(f"/rest/v1/{path}")
            assert response.status_code == 200
            assert response.headers["content-range"] == "0-999/*"
            assert len(response.json()) == 1000

    @pytest.mark.parametrize("count", ["exact", "planned", "estimated"])
    def test_count(self, gateway: Gateway, count: str) -> None:
        """§2: only a wanted count gives a total, and 206 when there is more."""
        part = gateway.get("/rest/v1/numbers?select=id", prefer=f"count={count}")
        assert (part.status_code, part.headers["content-range"]) == (206, "0-999/2500")
        filtered = gateway.get("/rest/v1/people?mood=is.null", prefer="count=exact")
        assert (filtered.status_code, filtered.headers["content-range"]) == (200, "0-2/3")

    def test_planned_is_an_estimate(self, gateway: Gateway) -> None:
        """§2: `planned` is the plan's number of rows, here a guess that is not the truth."""
        path = "/rest/v1/numbers?limit=1&and=(small.not.is.null,id.lt.100,id.gt.90,small.gt.95)"
        exact = gateway.get(path, prefer="count=exact").headers["content-range"]
        planned = gateway.get(path, prefer="count=planned").headers["content-range"]
        assert exact == "0-0/4"
        assert planned != exact

    def test_empty(self, gateway: Gateway) -> None:
        """§2: `*/0` where an empty table is counted, `*/*` where not."""
        assert gateway.get("/rest/v1/empty").headers["content-range"] == "*/*"
        response = gateway.get("/rest/v1/empty", prefer="count=exact")
        assert (response.status_code, response.headers["content-range"]) == (200, "*/0")
        assert response.json() == []

    def test_offset_behind_the_end(self, gateway: Gateway) -> None:
        """§2 and §3: 200 `[]` without a count, 416 PGRST103 with one."""
        plain = gateway.get("/rest/v1/people?offset=50")
        assert (plain.status_code, plain.json()) == (200, [])
        counted = gateway.get("/rest/v1/people?offset=50", prefer="count=exact")
        assert (counted.status_code, counted.json()["code"]) == (416, "PGRST103")
        assert gateway.get("/rest/v1/people?offset=5", prefer="count=exact").status_code == 206

    @pytest.mark.parametrize(
        ("path", "wanted", "ids"),
        [
            ("numbers?order=id", "0-2", [1, 2, 3]),
            ("numbers?order=id", "2498-", [2499, 2500]),
            ("numbers?order=id&limit=2", "0-9", [1, 2]),
            ("numbers?order=id&offset=5&limit=10", "8-9", [9, 10]),
            ("numbers?order=id&limit=2&limit=3", "", [1, 2, 3]),
        ],
    )
    def test_range(self, gateway: Gateway, path: str, wanted: str, ids: list[int]) -> None:
        """§2: limit, offset and the Range header are intersected."""
        response = gateway.get(f"/rest/v1/{path}", range=wanted, range_unit="items")
        assert [row["id"] for row in response.json()] == ids
        first, last = ids[0] - 1, ids[-1] - 1
        assert response.headers["content-range"] == f"{first}-{last}/*"

    def test_impossible_range(self, gateway: Gateway) -> None:
        """§3: a range that cannot be is 416 PGRST103."""
        for path, wanted in [("people?limit=-1", ""), ("people", "5-2"), ("people?limit=2", "5-9")]:
            response = gateway.get(f"/rest/v1/{path}", range=wanted)
            assert (response.status_code, response.json()["code"]) == (416, "PGRST103")

    def test_keyset(self, gateway: Gateway) -> None:
        """§2 Keyset: pages of a single key, with the value in quotes, meet every row once."""
        for table, key, size in [("numbers", "id", 400), ("people", "id", 2), ("types", "id", 1)]:
            seen: list[Any] = []
            after = ""
            while page := gateway.rows(f"{table}?order={key}.asc&limit={size}{after}"):
                seen += [row[key] for row in page]
                after = f'&and=({key}.gt."{seen[-1]}")'
            assert len(set(seen)) == len(seen) == {"numbers": 2500, "people": 5, "types": 2}[table]

    def test_composite_keyset(self, gateway: Gateway) -> None:
        """§2 Keyset: both the `or` form and the two phases give the rows after a key."""
        all_rows = gateway.rows("pairs?order=a,b")
        assert len(all_rows) == 9
        a, b = all_rows[3]["a"], all_rows[3]["b"]
        either = f'or=(a.gt."{a}",and(a.eq."{a}",b.gt."{b}"))'.replace("+", "%2B")
        assert gateway.rows(f"pairs?order=a,b&{either}") == all_rows[4:]
        first = f'pairs?and=(a.eq."{a}",b.gt."{b}")&order=b'.replace("+", "%2B")
        second = f'pairs?and=(a.gt."{a}")&order=a,b'
        assert gateway.rows(first) + gateway.rows(second) == all_rows[4:]

    def test_ctid(self, gateway: Gateway) -> None:
        """§2: the system column can be selected, filtered and ordered."""
        path = 'keyless?select=ctid,n&and=(ctid.gte."(1,0)",ctid.lt."(2,0)")&order=ctid.desc'
        rows = gateway.rows(path)
        assert rows and all(row["ctid"].startswith("(1,") for row in rows)
        assert [row["n"] for row in rows] == sorted((row["n"] for row in rows), reverse=True)

    def test_head(self, gateway: Gateway) -> None:
        """§2: a HEAD asks for the count, and brings no body."""
        response = gateway.get("/rest/v1/numbers?limit=1", "HEAD", prefer="count=exact")
        assert (response.status_code, response.headers["content-range"]) == (206, "0-0/2500")
        assert response.content == b""
        missing = gateway.get("/rest/v1/nothing", "HEAD")
        assert (missing.status_code, missing.content) == (404, b"")
        assert missing.headers["proxy-status"] == "PostgREST; error=PGRST205"


class TestQueries:
    """supabase.md §2: the grammar of select, filters, order, and its quoting."""

    ODD = "odd%20100%25%20{name}"

    def test_select(self, gateway: Gateway) -> None:
        """§2 Quoting: casts, aliases and quoted names; `*` is the default."""
        assert gateway.rows("numbers?select=id::text,n:small,%22free%22&id=eq.3") == [
            {"id": "3", "n": 3, "free": False}
        ]
        assert gateway.rows("types?select=dbl::double precision&id=eq.1") == [
            {"dbl": 0.30000000000000004}
        ]
        assert set(gateway.rows("numbers?limit=1")[0]) >= {"id", "small", "person", "price"}
        assert list(gateway.rows("people?select=*,again:name&limit=1")[0])[-1] == "again"
        assert gateway.rows(f"people?select=m:mood::mood&id=eq.{UUID(int=2)}") == [{"m": "happy"}]

    @pytest.mark.parametrize("cast", ["text[]", "numeric(10,2)", ""])
    def test_casts_that_the_grammar_has_not(self, gateway: Gateway, cast: str) -> None:
        """§2 Quoting: neither arrays nor modifiers can be cast to."""
        response = gateway.get(f"/rest/v1/people?select=name::{cast}")
        assert (response.status_code, response.json()["code"]) == (400, "PGRST100")

    @pytest.mark.parametrize(
        ("condition", "ids"),
        [
            ("small=eq.3", [3]),
            ("small=neq.3&id=lt.5", [1, 2, 4]),
            ("small=lte.2", [1, 2]),
            ("small=gte.2499", [2499, 2500]),
            ("id=in.(1,2,9999)", [1, 2]),
            ("id=not.in.(1,2)&id=lt.5", [3, 4]),
            ('id=in.("1")', [1]),
            ("id=in.()", []),
            ("person=is.null&id=lt.3", [1, 2]),
            ("person=not.is.null", []),
            ("person=is.not_null", []),
            ("free=is.true", []),
            ("free=is.false&id=eq.1", [1]),
            ("or=(id.eq.1,id.eq.2)", [1, 2]),
            ("not.or=(id.gt.2,id.lt.1)", [1, 2]),
            ("and=(id.lt.4,not.and(id.gt.1,id.lt.3))", [1, 3]),
            ("and=(id.lt.9,or(id.eq.1,id.in.(2,3)),id.not.eq.2)", [1, 3]),
            ("and=( id.lt.4 , or( id.eq.1 , id.eq.2 ) )", [1, 2]),
            ("and=(id.gt.1)&or=(id.lt.4)&id=not.eq.2", [3]),
        ],
    )
    def test_filters(self, gateway: Gateway, condition: str, ids: list[int]) -> None:
        """§2: operators, negation and nesting."""
        assert [row["id"] for row in gateway.rows(f"numbers?order=id&{condition}")] == ids

    @pytest.mark.parametrize("value", ["a,b", 'c"d', "e\\f", "(g)"])
    def test_quoted_values(self, gateway: Gateway, value: str) -> None:
        """§2 Quoting: inside and=( ) and in.( ) values are quoted, with `\\` and `"` escaped."""
        quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for parameters in (
            {"and": f'("we.ird".eq.{quoted})'},
            {"and": f'("we.ird".in.({quoted},"?"))'},
            {"or": f'("we.ird".eq.{quoted},and("we.ird".eq."?","order".eq.0))'},
        ):
            (row,) = gateway.rows(f"{self.ODD}?{httpx.QueryParams(parameters)}")
            assert row["we.ird"] == value

    def test_plain_values_are_literal(self, gateway: Gateway) -> None:
        """§2 Quoting: in a plain filter, quotes and dots are part of the value; + is a blank."""
        assert gateway.rows('people?name=eq."person 1"') == []
        assert len(gateway.rows("people?name=eq.person+1")) == 1
        assert len(gateway.rows("pairs?b=eq.2024-01-01T02:00:00%2B00:00")) == 1
        assert gateway.get("/rest/v1/pairs?b=eq.2024-01-01T02:00:00+00:00").status_code == 400

    def test_reserved_names(self, gateway: Gateway) -> None:
        """§2: such columns are filtered inside and=( ), and ordered in quotes."""
        (row,) = gateway.rows(f'{self.ODD}?and=(order.eq.2,select.eq.20,and.eq.200)&select="order"')
        assert row == {"order": 2}
        rows = gateway.rows(f'{self.ODD}?order="we.ird".desc&select="we.ird"')
        names = [row["we.ird"] for row in rows]
        assert len(names) == 4 and names == sorted(names, reverse=True)
        said = httpx.QueryParams({"and": '("say \\"hi\\"".eq."%")', "select": '"say \\"hi\\""'})
        assert gateway.rows(f"{self.ODD}?{said}") == [{'say "hi"': "%"}]

    def test_dotted_name_is_a_path(self, gateway: Gateway) -> None:
        """§2: a plain filter on a column with a dot is taken as an embedded resource."""
        response = gateway.get(f"/rest/v1/{self.ODD}?we.ird=eq.x")
        assert (response.status_code, response.json()["code"]) == (400, "PGRST108")

    def test_order(self, gateway: Gateway) -> None:
        """§2: directions and the place of nulls."""

        def moods(order: str) -> list[str | None]:
            return [row["mood"] for row in gateway.rows(f"people?select=mood&order={order}")]

        assert moods("mood,id") == ["happy", "happy", None, None, None]
        assert moods("mood.desc") == [None, None, None, "happy", "happy"]
        assert moods("mood.asc.nullsfirst, id.desc") == [None, None, None, "happy", "happy"]
        assert moods("mood.desc.nullslast") == ["happy", "happy", None, None, None]

    @pytest.mark.parametrize(
        "query",
        ["id=1", "id=foo.1", "id=in.1,2", "id=is.nothing", "and=(id.eq.1", "and=()",
         "order=id.up", "order=id.asc.first", "select=a:b:c", "select=id,", "select=rel(*)",
         "select=doc->a", "and=(id.eq.1)x"],
    )  # fmt: skip
    def test_parse_errors(self, gateway: Gateway, query: str) -> None:
        """§3: what cannot be parsed is 400 PGRST100, and nothing is ignored."""
        response = gateway.get(f"/rest/v1/people?{query}")
        assert (response.status_code, response.json()["code"]) == (400, "PGRST100")
        assert set(response.json()) == {"code", "message", "details", "hint"}

    def test_names_and_values_are_no_sql(self, gateway: Gateway) -> None:
        """§2: values are untyped parameters; names are identifiers, whatever they hold."""
        nasty = 'x"; DROP TABLE people; --'
        select = httpx.QueryParams({"select": '"' + nasty.replace('"', '\\"') + '"'})
        assert gateway.get(f"/rest/v1/people?{select}").json()["code"] == "42703"
        value = httpx.QueryParams({"name": f"eq.{nasty}'$1%s"})
        assert gateway.rows(f"people?{value}") == []
        nul = gateway.get("/rest/v1/people?name=eq.a%00b")
        assert (nul.status_code, nul.json()["code"]) == (400, "22021")
        nul = gateway.get('/rest/v1/people?select="id%00x"')
        assert (nul.status_code, nul.json()["code"]) == (400, "PGRST100")


class TestErrors:
    """supabase.md §3."""

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("nothing", 404, "PGRST205"),
            ("parted_low", 404, "PGRST205"),
            ("a/b", 404, "PGRST125"),
            ("people?select=nope", 400, "42703"),
            ("people?order=nope", 400, "42703"),
            ("people?nope=eq.1", 400, "42703"),
            ("people?id=gt.x", 400, "22P02"),
            ("people?select=name::nosuchtype", 400, "42704"),
        ],
    )
    def test_status_and_code(self, gateway: Gateway, path: str, status: int, code: str) -> None:
        """§3 table; §5: a partition cannot be asked for."""
        response = gateway.get(f"/rest/v1/{path}")
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["proxy-status"] == f"PostgREST; error={code}"

    def test_near_name(self, gateway: Gateway) -> None:
        """§3: the hint of PGRST205 names the table that was perhaps meant."""
        hint = gateway.get("/rest/v1/peoples").json()["hint"]
        assert hint == "Perhaps you meant the table 'public.people'"

    def test_schemas(self, gateway: Gateway) -> None:
        """§3 and §5: Accept-Profile picks an exposed schema, another is 406 PGRST106."""
        response = gateway.get("/rest/v1/things", accept_profile="other")
        assert response.json() == [{"id": 7}]
        refused = gateway.get("/rest/v1/users", accept_profile="auth")
        assert (refused.status_code, refused.json()["code"]) == (406, "PGRST106")
        assert "public, other" in refused.json()["hint"]

    def test_media_types(self, gateway: Gateway) -> None:
        """§3: an Accept that cannot be served is 406 PGRST107."""
        response = gateway.get("/rest/v1/people", accept="text/html")
        assert (response.status_code, response.json()["code"]) == (406, "PGRST107")
        mixed = gateway.get("/rest/v1/people", accept="text/html, */*;q=0.8")
        assert mixed.status_code == 200

    @pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
    def test_no_writes(self, gateway: Gateway, method: str) -> None:
        """A reader's stand-in: 405; and §2, each request's transaction is READ ONLY."""
        assert gateway.get("/rest/v1/people", method).status_code == 405
        assert gateway.rows("claims")[0]["read_only"] == "on"

    def test_statement_timeout(self, gateway: Gateway) -> None:
        """§3: a role's own statement_timeout ends its query: 500 and 57014."""
        response = gateway.get("/rest/v1/slow", key=gateway.config["publishable_key"])
        assert (response.status_code, response.json()["code"]) == (500, "57014")

    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("57P01", 503),
            ("57014", 500),
            ("53300", 503),
            ("53400", 500),
            ("40001", 500),
            ("40P01", 500),
            ("25006", 405),
            ("XX000", 500),
            ("08006", 503),
            ("42P01", 404),
            ("22003", 400),
        ],
    )
    def test_status_of_sqlstates(self, code: str, status: int) -> None:
        """§3 table, and Retry-After on 503 only."""
        error = from_postgres(psycopg.errors.lookup(code)("said"), "service_role")
        assert error.status == status
        assert ("retry-after" in error.response().headers) == (status == 503)

    def test_lost_connections(self, gateway: Gateway, database: str) -> None:
        """§3: a restart of the database is 503, and passes by itself."""
        with psycopg.connect(database, user="postgres", autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'authenticator'"
            )
        deadline = time.monotonic() + 15
        while (response := gateway.get("/rest/v1/empty")).status_code != 200:
            assert response.status_code == 503
            assert response.json()["code"] in ("57P01", "PGRST001")
            assert response.headers["retry-after"]
            assert time.monotonic() < deadline


class TestValues:
    """supabase.md §4a: the JSON is made by Postgres."""

    def test_exact_text(self, gateway: Gateway) -> None:
        """§4a table: numbers with all digits, the verbatim json, texts of every other type."""
        text = gateway.get("/rest/v1/types?id=eq.1").text
        for part in (
            '"big":9223372036854775807',
            '"num":12345678901234567890.10',
            '"dbl":0.30000000000000004',
            '"txt":"é😀"',
            '"ch":"a  "',
            '"day":"0044-03-15 BC"',
            '"at":"24:00:00"',
            '"stamp":"2024-02-29T12:34:56.123456"',
            '"stamptz":"2024-02-29T12:34:56.12+00:00"',
            '"span":"1 year 2 mons"',
            '"doc":{"a": 1E5, "a": 2}',
            '"bin":"\\\\x00ff"',
            '"bits":"101"',
            '"net":"192.168.1.5/24"',
            '"spans":"[1,10)"',
            '"cash":"$1,234.50"',
            '"matrix":[[1,2],[3,null]]',
            '"mood":"happy"',
        ):
            assert part in text

    def test_special_values(self, gateway: Gateway) -> None:
        """§4a: NaN and infinities are strings, a json null is a null, `{}` is []."""
        (row,) = gateway.rows("types?id=eq.2")
        assert (row["num"], row["dbl"], row["day"]) == ("NaN", "-Infinity", "infinity")
        assert (row["stamp"], row["stamptz"]) == ("-infinity", "infinity")
        assert (row["doc"], row["matrix"], row["spans"]) == (None, [], "empty")
        (row,) = gateway.rows("types?id=eq.2&select=doc::text,bin::text")
        assert row == {"doc": "null", "bin": None}

    def test_lines(self, gateway: Gateway) -> None:
        """§4: rows are separated by `, \\n`, as json_agg does."""
        assert gateway.get("/rest/v1/people?select=name&limit=2&order=id").text == (
            '[{"name":"person 1"}, \n {"name":"person 2"}]'
        )

    def test_time_zone(self, gateway: Gateway) -> None:
        """§4a: `Prefer: timezone=` sets the zone; an unknown one is passed over."""
        path = "/rest/v1/types?id=eq.1&select=stamptz"
        tokyo = gateway.get(path, prefer="timezone=Asia/Tokyo")
        assert tokyo.json() == [{"stamptz": "2024-02-29T21:34:56.12+09:00"}]
        assert tokyo.headers["preference-applied"] == "timezone=Asia/Tokyo"
        unknown = gateway.get(path, prefer="timezone=Mars/Olympus")
        assert unknown.json() == [{"stamptz": "2024-02-29T12:34:56.12+00:00"}]
        assert "preference-applied" not in unknown.headers


class TestDiscovery:
    """supabase.md §5."""

    def test_only_for_service_keys(self, gateway: Gateway) -> None:
        """§1 and §5: the root is refused to anon and publishable keys."""
        for key in (gateway.config["anon_key"], gateway.config["publishable_key"]):
            response = gateway.get("/rest/v1/", key=key)
            assert response.status_code == 401
            assert "Only the `service_role` API key" in response.json()["hint"]
            error = response.headers["sb-error-code"]
            assert error == "UNAUTHORIZED_INVALID_API_KEY_TYPE"

    def test_relations(self, gateway: Gateway) -> None:
        """§5: what the role has a right on, no partitions; POST only where rows can be written."""
        response = gateway.get("/rest/v1/", accept="application/openapi+json")
        assert response.headers["content-type"].startswith("application/openapi+json")
        document = response.json()
        assert document["swagger"] == "2.0"
        names = set(document["definitions"])
        assert {"people", "parted", "plain", "odd 100% {name}"} <= names
        assert names.isdisjoint({"ungranted", "parted_low", "users", "things"})
        assert {path for path in document["paths"] if path != "/"} == {f"/{n}" for n in names}
        written = {name for name in names if "post" in document["paths"][f"/{name}"]}
        assert {"people", "plain", "parted"} <= written
        assert "sums" not in written
        other = gateway.get("/rest/v1/", accept_profile="other").json()
        assert list(other["definitions"]) == ["things"]

    def test_columns(self, gateway: Gateway) -> None:
        """§5: formats of 14.8 and later, required, enum, maxLength, default, keys."""
        definitions = gateway.get("/rest/v1/").json()["definitions"]
        people, numbers = definitions["people"], definitions["numbers"]
        assert people["description"] == "Who they are"
        assert people["required"] == ["id", "name"]
        assert people["properties"] == {
            "id": {
                "format": "uuid",
                "type": "string",
                "description": "Note:\nThis is a Primary Key.<pk/>",
            },
            "name": {
                "format": "character varying",
                "type": "string",
                "default": "nobody",
                "maxLength": 40,
            },
            "mood": {
                "format": "public.mood",
                "type": "string",
                "default": "sad",
                "enum": ["sad", "happy"],
            },
            "born": {"format": "timestamp with time zone", "type": "string"},
            "tags": {"format": "text[]", "type": "array", "items": {"type": "string"}},
        }
        columns = numbers["properties"]
        assert columns["id"]["format"] == "int64"
        assert columns["small"] == {"format": "int32", "type": "integer"}
        assert columns["person"]["description"] == (
            "Note:\nThis is a Foreign Key to `people.id`.<fk table='people' column='id'/>"
        )
        assert columns["price"] == {"format": "numeric", "type": "number", "default": 1.5}
        assert columns["free"] == {"format": "boolean", "type": "boolean", "default": False}
        assert columns["extra"] == {"format": "jsonb"}
        assert columns["count"] == {"format": "int32", "type": "integer"}
        assert [
            name
            for name, column in definitions["pairs"]["properties"].items()
            if "<pk/>" in column.get("description", "")
        ] == ["a", "b"]


class TestUsers:
    """supabase.md §6: auth.users has secrets inside."""

    def test_pages(self, gateway: Gateway) -> None:
        """§6: users by page, without their secrets, and the number of all."""
        response = gateway.get("/auth/v1/admin/users?page=2&per_page=2")
        assert response.headers["x-total-count"] == "3"
        assert response.json()["aud"] == "authenticated"
        (user,) = response.json()["users"]
        assert user["email"] == "1@example.com"
        assert (user["user_metadata"], user["app_metadata"]) == ({"name": "N"}, {})
        assert "hash" not in response.text

    def test_only_for_service_keys(self, gateway: Gateway) -> None:
        """§6: an anonymous caller gets no users, by the API nor by a token for the role."""
        refused = gateway.get("/auth/v1/admin/users", key=gateway.config["publishable_key"])
        assert (refused.status_code, refused.json()["error_code"]) == (403, "not_admin")

    def test_client(self, gateway: Gateway) -> None:
        """§7: the client's own admin call reads it."""
        client = supabase.create_client(gateway.url, gateway.config["secret_key"])
        users = client.auth.admin.list_users(page=1, per_page=50)
        assert sorted(user.email or "" for user in users) == [f"{i}@example.com" for i in (1, 2, 3)]


class TestClient:
    """supabase.md §7: the real client."""

    @pytest.mark.parametrize("key", ["secret_key", "service_role_key"])
    def test_reads(self, gateway: Gateway, key: str) -> None:
        """§7: it sends the key twice; filters, order and count work."""
        client = supabase.create_client(gateway.url, gateway.config[key])
        everything = client.table("people").select("*").execute()
        assert len(everything.data) == 5
        answer = (
            client.table("numbers")
            .select("id", count="exact")  # type: ignore[arg-type]
            .gt("id", 10)
            .in_("small", [11, 12, 13])
            .order("id", desc=True)
            .limit(2)
            .execute()
        )
        assert (answer.data, answer.count) == ([{"id": 13}, {"id": 12}], 3)
        thing = client.schema("other").table("things").select("id").execute()
        assert thing.data == [{"id": 7}]

    def test_errors(self, gateway: Gateway) -> None:
        """§7: APIError has the code of the body."""
        client = supabase.create_client(gateway.url, gateway.config["secret_key"])
        with pytest.raises(supabase.PostgrestAPIError) as caught:
            client.table("nothing").select("*").execute()
        assert caught.value.code == "PGRST205"


class TestService:
    """How the stand-in runs as a process of the sandbox."""

    def test_no_transaction_stays_open(self, gateway: Gateway, database: str) -> None:
        gateway.rows("people")
        gateway.get("/rest/v1/people?select=nope")
        with psycopg.connect(database, user="postgres") as connection:
            (open_ones,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE usename = 'authenticator' AND state <> 'idle'"
            ).fetchone() or (None,)
        assert open_ones == 0

    def test_new_table_is_seen(self, gateway: Gateway, database: str) -> None:
        with psycopg.connect(database, user="postgres", autocommit=True) as connection:
            connection.execute("CREATE TABLE fresh (id integer)")
            connection.execute("GRANT SELECT ON fresh TO service_role")
            assert gateway.rows("fresh") == []
            connection.execute("DROP TABLE fresh")
        gone = gateway.get("/rest/v1/fresh")
        assert (gone.status_code, gone.json()["code"]) == (404, "42P01")

    def test_latency_and_row_limit(self, database: str, tmp_path: Path) -> None:
        """`latency_ms` slows each answer down; §2, `max_rows` is the project's setting."""
        running = start(tmp_path, database, latency_ms=200, max_rows=2, schemas=["public"])
        try:
            response = running.get("/rest/v1/people")
            assert response.elapsed.total_seconds() >= 0.2
            assert len(response.json()) == 2
            assert "content-profile" not in response.headers
            estimated = running.get("/rest/v1/people", prefer="count=estimated")
            assert estimated.headers["content-range"] == "0-1/5"
        finally:
            assert stop(running) == 0

    def test_keeps_connections_alive(self, gateway: Gateway) -> None:
        with httpx.Client(headers={"apikey": gateway.config["secret_key"]}) as client:
            ports = {
                client.get(f"{gateway.url}/rest/v1/{path}")
                .extensions["network_stream"]
                .get_extra_info("client_addr")[1]
                for path in ("empty", "nothing", "people", "people?nope=eq.1")
            }
        assert len(ports) == 1
