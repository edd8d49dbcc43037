"""The live page: only with the token, only by the server's own name, and read-only."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import Migration, UserError
from stages.page.server import PageServer
from stages.state.lock import data_lock
from tests.page.support import CHANGED, MARKUP, REJECTED, Browser, let_in
from tests.page.test_file import data_of
from tests.support.tiny_project import Small

PATHS = ["/", "/api/page", "/api/rejects", "/api/changes", "/api/row?table=people&key=p1"]


@pytest.fixture
def server(assets: Path, small_page: Migration) -> Iterator[PageServer]:
    with small_page.page_server() as running:
        yield running


@pytest.fixture
def browser(server: PageServer) -> Browser:
    return let_in(server)


# ── access ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [*PATHS, "/?token=", "/?token=wrong", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "stages=wrong"}, {"Cookie": "=;;\x01"}],
)
def test_nothing_without_the_token(server: PageServer, path: str, headers: dict[str, str]) -> None:
    answer = Browser(server).ask(path, **headers)
    assert answer.status == 403
    assert "open the address that `stages ui` printed" in answer.text
    assert server.token not in str(answer)


def test_the_address_lets_a_browser_in(server: PageServer) -> None:
    path = server.address.removeprefix(server.origin)
    answer = Browser(server).ask(path)
    assert (answer.status, answer.headers["location"], answer.text) == (303, "/", "")
    cookie = answer.headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    # Another server on this machine may have set cookies of any form.
    for other in ("other=1", 'prefs={"a":1}', "a=b c", "flag"):
        inside = Browser(server, {"Cookie": f"{other}; {cookie.partition(';')[0]}"})
        assert inside.ask("/").status == 200, other
    assert inside.ask("/api/page").status == 200
    assert Browser(server, {"Cookie": "other=1"}).ask("/api/page").status == 403


def test_a_link_of_another_site_goes_on_by_a_page(server: PageServer) -> None:
    """A strict cookie is not sent on a redirect that another site started."""
    path = server.address.removeprefix(server.origin)
    answer = Browser(server).ask(path, Sec_Fetch_Site="cross-site")
    assert answer.status == 200 and 'content="0; url=/"' in answer.text
    assert "set-cookie" in answer.headers and server.token not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:80", ""])
def test_no_other_name_of_this_server(server: PageServer, browser: Browser, host: str) -> None:
    """A site that points its own name here is refused, even with the token."""
    for path in (*PATHS, server.address.removeprefix(server.origin)):
        assert browser.ask(path, Host=host).status == 403


def test_localhost_is_a_name_of_it(server: PageServer, browser: Browser) -> None:
    port = server.origin.rpartition(":")[2]
    assert browser.ask("/api/page", Host=f"LOCALHOST:{port}").status == 200


def test_it_listens_on_this_machine_only(server: PageServer) -> None:
    assert server.origin.startswith("http://127.0.0.1:")
    assert server._http.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_it_only_reads(browser: Browser, method: str) -> None:
    answer = browser.ask("/api/page", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "//etc/passwd", "/%2e%2e/plan.toml", "/assets/page.js", "/favicon.ico",
        "/api", "/api/page/", "/api/../api/page",
    ],
)  # fmt: skip
def test_there_is_nothing_else(browser: Browser, path: str) -> None:
    answer = browser.ask(path)
    assert answer.status == 404 and answer.json["error"].startswith("there is no /")


@pytest.mark.parametrize("path", PATHS)
def test_what_every_answer_says(browser: Browser, path: str) -> None:
    answer = browser.ask(path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in answer.headers
    head = browser.ask(path, "HEAD")
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-type"] == answer.headers["content-type"]


# ── contents ────────────────────────────────────────────────────────────────────────────────


def test_the_page_has_its_data_and_may_ask_for_more(browser: Browser) -> None:
    text = browser.ask("/").text
    page = data_of(text)
    assert (page["live"], page["values"]) == (True, True)
    assert "connect-src &#x27;self&#x27;" in text
    assert MARKUP not in text
    again = browser.ask("/api/page").json
    assert {**again, "made": ""} == {**page, "made": ""}


def test_it_is_sent_once_until_something_changes(small: Small, browser: Browser) -> None:
    first = browser.ask("/api/page")
    tag = first.headers["etag"]
    same = browser.ask("/api/page", If_None_Match=tag)
    assert (same.status, same.text, same.headers["etag"]) == (304, "", tag)
    small.model("pets", "SELECT key(id) AS _source_id, NULL::VARCHAR AS owner FROM extract.pets")
    other = browser.ask("/api/page", If_None_Match=tag)
    assert other.status == 200 and other.headers["etag"] != tag
    small.transform()
    pets = browser.ask("/api/page").json["tables"][1]
    assert pets["losses"] == [
        {"stage": "transform", "field": "owner", "rule": "required_null", "rows": 2}
    ]


def test_a_changed_plan_is_seen(small: Small, browser: Browser) -> None:
    plan = small.workspace.plan
    plan.write_text(f'name = "another"\n{plan.read_text("utf-8")}', "utf-8")
    assert browser.ask("/api/page").json["plan"] == "another"
    plan.write_text("[[[", "utf-8")
    answer = browser.ask("/api/page")
    assert answer.status == 400 and "plan.toml" in answer.json["error"]


def test_rejects_are_filtered_searched_and_paged(browser: Browser) -> None:
    everything = browser.ask("/api/rejects").json
    assert everything["total"] == 2
    assert [row["source_id"] for row in everything["rows"]] == ["p2", "y"]
    assert REJECTED in everything["rows"][0]["reason"]
    assert browser.ask("/api/rejects?offset=1&limit=1").json["rows"][0]["source_id"] == "y"
    assert browser.ask("/api/rejects?search=REJECTED-51").json["total"] == 1
    assert browser.ask("/api/rejects?table=pets&rule=parent_rejected").json["total"] == 1
    assert browser.ask("/api/rejects?table=pets&rule=orphan").json == {"total": 0, "rows": []}
    assert browser.ask("/api/rejects?limit=0").json == {"total": 2, "rows": []}
    assert browser.ask("/api/rejects?table=").json["total"] == 2
    (change,) = browser.ask("/api/changes?table=people&search=unn").json["rows"]
    assert (change["field"], change["old"], change["new"]) == ("name", None, "unnamed")


@pytest.mark.parametrize(
    "query", ["offset=-1", "limit=x", "limit=1001", "limit=1e3", "offset=" + "9" * 99]
)
def test_a_number_that_is_none(browser: Browser, query: str) -> None:
    answer = browser.ask(f"/api/rejects?{query}")
    assert answer.status == 400 and "must be 0 to" in answer.json["error"]


def test_one_row_is_what_show_says(browser: Browser, small_page: Migration) -> None:
    row = browser.ask("/api/row?table=people&key=p2").json
    shown = small_page.show("people", "p2", convex=False).to_json()
    assert row == json.loads(json.dumps(shown))
    assert row["rejects"][0]["rule"] == "not_int64"
    other = browser.ask("/api/row?table=people&key=nobody")
    assert other.status == 400 and "no row with the key" in other.json["error"]
    assert other.json["hint"].endswith('"select source_id from transform.people"')
    assert f"--project {small_page.project}" in other.json["hint"]
    assert browser.ask("/api/row?table=people").status == 400
    assert browser.ask("/api/row?table=nothing&key=1").json["error"].startswith("`nothing` is")


def test_convex_is_asked_only_where_that_is_wanted(browser: Browser) -> None:
    row = browser.ask("/api/row?table=people&key=p1&convex=1").json
    assert row["not_asked"] == "it has no Convex id yet"


def test_a_damaged_file_is_a_sentence(small: Small, browser: Browser) -> None:
    file = small.workspace.rejects("people")
    file.write_bytes(file.read_bytes()[:20])
    answer = browser.ask("/api/rejects")
    assert answer.status == 400 and answer.json["error"]
    assert browser.ask("/api/page").json["problems"]


# ── other processes, and lost connections ───────────────────────────────────────────────────


def test_it_looks_on_while_another_command_writes(small: Small, browser: Browser) -> None:
    with data_lock(small.workspace, "load"):
        assert browser.ask("/api/page").status == 200
        assert browser.ask("/api/rejects").json["total"] == 2


def test_many_at_once(server: PageServer, browser: Browser) -> None:
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(browser.ask("/api/rejects").json["total"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2] * 8


def test_who_goes_away_or_speaks_something_else(
    server: PageServer, browser: Browser, capfd: pytest.CaptureFixture[str]
) -> None:
    port = int(server.origin.rpartition(":")[2])
    for words in (
        b"",
        b"\x16\x03\x01\x02",
        b"GET /api/page HTTP/1.1\r\nHost: x",
        b"GET / HTTP/9\r\n\r\n",
        f"GET http://[x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode(),
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(words)
    request = (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        # Closed with a reset while the page is being built.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(request.encode())
    assert browser.ask("/api/page").status == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken(server: PageServer, small_page: Migration) -> None:
    port = int(server.origin.rpartition(":")[2])
    with pytest.raises(UserError, match=f"port {port} can't be used: Address already in use"):
        small_page.page_server(port=port)
    with pytest.raises(UserError, match="is not a port"):
        small_page.page_server(port=70_000)


def test_it_ends(assets: Path, small_page: Migration) -> None:
    with small_page.page_server() as server:
        browser = let_in(server)
        assert browser.ask("/api/page").status == 200
    with pytest.raises(ConnectionRefusedError):
        browser.ask("/api/page")


def test_two_servers_have_two_tokens(assets: Path, small_page: Migration) -> None:
    with small_page.page_server() as one, small_page.page_server() as other:
        assert one.token != other.token and len(one.token) >= 32
        assert Browser(other, let_in(one).headers).ask("/").status == 403


def test_values_stay_out_of_what_is_not_asked_for(browser: Browser) -> None:
    assert CHANGED in browser.ask("/api/changes?table=people").text
    assert CHANGED not in browser.ask("/api/changes?table=pets").text
