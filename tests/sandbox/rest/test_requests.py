"""The stand-in reads requests as the facts say PostgREST does: keys, pages, queries.

Each test names the section of the project's notes on Supabase (supabase.md) that it comes from.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest

from tests.sandbox.rest.support import Gateway, sign


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
        """§1 and §3: 42501 is 403, as anon 401; postgrest.md: no hint, as 14.17 answers."""
        for key, status in [
            (gateway.config["secret_key"], 403),
            (gateway.config["publishable_key"], 401),
        ]:
            response = gateway.get("/rest/v1/ungranted", key=key)
            body = response.json()
            assert (response.status_code, body["code"]) == (status, "42501")
            assert body["hint"] is None
            assert list(body) == ["code", "details", "hint", "message"]

    def test_slash_in_a_name(self, gateway: Gateway) -> None:
        """postgrest.md: one that is encoded is of the table's name, another one of the path."""
        assert gateway.get("/rest/v1/we%2Fird").json() == [{"id": 1}]
        assert gateway.get("/rest/v1/we/ird").json()["code"] == "PGRST125"

    def test_quoted_star_is_the_star(self, gateway: Gateway) -> None:
        """postgrest.md: no column can be meant by it."""
        (row,) = gateway.get('/rest/v1/people?select="*"&limit=1').json()
        assert {"id", "name", "mood"} <= set(row)

    def test_functions_of_a_row_are_columns(self, gateway: Gateway) -> None:
        """PostgREST passes names on unread, and Postgres takes a function of the row for one."""
        path = "/rest/v1/people?select=digits:hash_record::real&limit=1"
        (row,) = gateway.get(path).json()
        assert isinstance(row["digits"], float)


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
        ("path", "range_header", "ids"),
        [
            ("numbers?order=id", "0-2", [1, 2, 3]),
            ("numbers?order=id", "2498-", [2499, 2500]),
            ("numbers?order=id&limit=2", "0-9", [1, 2]),
            ("numbers?order=id&offset=5&limit=10", "8-9", [9, 10]),
            ("numbers?order=id&limit=2&limit=3", "", [1, 2, 3]),
        ],
    )
    def test_range(self, gateway: Gateway, path: str, range_header: str, ids: list[int]) -> None:
        """§2: limit, offset and the Range header are intersected."""
        response = gateway.get(f"/rest/v1/{path}", range=range_header, range_unit="items")
        assert [row["id"] for row in response.json()] == ids
        first, last = ids[0] - 1, ids[-1] - 1
        assert response.headers["content-range"] == f"{first}-{last}/*"

    def test_impossible_range(self, gateway: Gateway) -> None:
        """§3: a range that cannot be is 416 PGRST103."""
        for path, range_header in [
            ("people?limit=-1", ""),
            ("people", "5-2"),
            ("people?limit=2", "5-9"),
        ]:
            response = gateway.get(f"/rest/v1/{path}", range=range_header)
            assert (response.status_code, response.json()["code"]) == (416, "PGRST103")

    def test_keyset(self, gateway: Gateway) -> None:
        """§2 Keyset: pages of a single key, with the value in quotes, meet every row once."""
        for table, key, size in [("numbers", "id", 400), ("people", "id", 2), ("types", "id", 1)]:
            keys: list[Any] = []
            after = ""
            while page := gateway.rows(f"{table}?order={key}.asc&limit={size}{after}"):
                keys += [row[key] for row in page]
                after = f'&and=({key}.gt."{keys[-1]}")'
            assert len(set(keys)) == len(keys) == {"numbers": 2500, "people": 5, "types": 2}[table]

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
        [
            "id=1",
            "id=foo.1",
            "id=in.1,2",
            "id=is.nothing",
            "and=(id.eq.1",
            "and=()",
            "order=id.up",
            "order=id.asc.first",
            "select=a:b:c",
            "select=id,",
            "select=rel(*)",
            "select=doc->a",
            "and=(id.eq.1)x",
        ],
    )
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
