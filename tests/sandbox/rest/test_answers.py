"""The stand-in answers as the facts say PostgREST does: errors, values, discovery, the service.

Each test names the section of the project's notes on Supabase (supabase.md) that it comes from.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import psycopg
import pytest
import supabase

from stages.sandbox.rest.errors import from_postgres
from tests.sandbox.rest.support import Gateway, start, stop


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

    def test_what_is_inferred(self, gateway: Gateway) -> None:
        """postgrest.md: keys of views, lengths of bits and domains; nothing of hidden schemas."""
        definitions = gateway.get("/rest/v1/").json()["definitions"]

        def keys(view: str) -> list[str]:
            columns = definitions[view]["properties"].items()
            return [name for name, c in columns if "<pk/>" in c.get("description", "")]

        assert keys("plain") == ["id"]
        assert keys("joined") in (["a", "second"], ["number"])
        assert keys("half") == keys("sums") == []
        bits = definitions["bits"]["properties"]
        assert (bits["five"]["maxLength"], bits["most"]["maxLength"]) == (5, 9)
        assert bits["word"] == {
            "format": "character varying", "type": "string", "default": "none", "maxLength": 7,
        }  # fmt: skip
        assert "description" not in bits["parent"]


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

    def test_one_with_identities(self, gateway: Gateway) -> None:
        """One user has identities, under the Auth service's names; the list does not."""
        user = "10000000-0000-0000-0000-000000000001"
        assert "identities" not in gateway.get("/auth/v1/admin/users").text
        answer = gateway.get(f"/auth/v1/admin/users/{user}").json()
        assert answer["email"] == "1@example.com"
        first, second = answer["identities"]
        assert first["identity_id"] == "20000000-0000-0000-0000-000000000001"
        assert (first["id"], first["user_id"]) == ("sub1", user)
        assert first["identity_data"] == {"sub": "sub1"}
        # What is empty is left out.
        assert {"identity_data", "email", "last_sign_in_at"}.isdisjoint(second)
        other = gateway.get(f"/auth/v1/admin/users/{user[:-1]}2").json()
        assert other["identities"] == []

    @pytest.mark.parametrize(
        ("user", "code"),
        [("10000000-0000-0000-0000-000000000009", "user_not_found"), ("x", "validation_failed")],
    )
    def test_no_such_user(self, gateway: Gateway, user: str, code: str) -> None:
        """A user who is not there is a 404 with the Auth service's code."""
        refused = gateway.get(f"/auth/v1/admin/users/{user}")
        assert (refused.status_code, refused.json()["error_code"]) == (404, code)

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
        missing = gateway.get("/rest/v1/fresh")
        assert (missing.status_code, missing.json()["code"]) == (404, "42P01")

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
