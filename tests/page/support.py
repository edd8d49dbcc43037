"""Projects with values that must not leak, and a stand-in for the built page."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages import Migration
from stages.convex.schema import SchemaCache, made_from
from stages.page.server import PageServer
from stages.state.records import write_record
from tests.support.tiny_project import INT64, NUMBER, STRING, Small, id_of

# Stand-ins for the build, with text that could do harm wherever it is embedded.
SCRIPT = "document.body.dataset.seen = '</script><!-- \u2028';"
STYLE = "body { color: CanvasText } /* </style> */"
# Values of rows: one that is rejected, one that is changed, and one that is markup.
REJECTED, CHANGED, MARKUP = "rejected-51a2", "05.678901", "<script>alert(1)</script>\u2028&"


def stand_in(folder: Path) -> Path:
    """A folder with a script and a style."""
    folder.mkdir()
    (folder / "page.js").write_text(SCRIPT, "utf-8")
    (folder / "page.css").write_text(STYLE, "utf-8")
    return folder


def people(small: Small) -> Migration:
    """People and their pets. One person's age is not a number, so person and pet are rejected; one
    name is null and becomes a value; one time has more digits than Convex supports; one key is
    markup."""
    small.write(
        "plan.toml",
        "max_rejects = 100\n[tables.people]\nsource = 'people'\n"
        "[tables.pets]\nsource = 'pets'\n[targets.small]\nconvex_url = 'SMALL_URL'\n",
    )
    small.model(
        "people",
        "SELECT key(id) AS _source_id, coalesce(name, 'unnamed') AS name, to_int64(age) AS age, "
        "to_ms(joined) AS joined FROM extract.people",
    )
    small.model(
        "pets", "SELECT key(id) AS _source_id, ref('people', owner) AS owner FROM extract.pets"
    )
    small.schema("people", {"name": STRING, "age": INT64, "joined?": NUMBER})
    small.schema("pets", {"owner": id_of("people"), "colour?": STRING})
    ids = ["p1", "p2", MARKUP]
    ages = ["1", REJECTED, "3"]
    joined = pa.array([None, None, datetime(2024, 1, 2, 3, 4, 5, 678_901, UTC)])
    small.extract(
        "people",
        pa.table({"id": ids, "name": [None, "Ada", "Bo"], "age": ages, "joined": joined}),
        ["id"],
    )
    small.extract("pets", pa.table({"id": ["x", "y"], "owner": ["p1", "p2"]}), ["id"])
    small.transform()
    keep_schema(small)
    return opened(small)


def keep_schema(small: Small) -> None:
    """Write schema.json, as if schema.ts had been exported."""
    made = made_from(small.workspace.convex, [])
    cache = SchemaCache(made_from=made, inputs=[], exported={"tables": small.tables})
    write_record(small.workspace.schema, cache)


def opened(small: Small, **environment: str) -> Migration:
    workspace = small.workspace
    return Migration(workspace.project, target=workspace.target, environment=environment)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A server's response."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Browser:
    """A client of the page's server, anonymous unless its headers have the token."""

    server: PageServer
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send one request; `_` in a header's name becomes `-`."""
        port = int(self.server.origin.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, headers={**self.headers, **named})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return Answer(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            text=body.decode("utf-8"),
        )


def let_in(server: PageServer) -> Browser:
    """A client that has the token."""
    return Browser(server, {"Authorization": f"Bearer {server.token}"})
