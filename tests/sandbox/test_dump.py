"""A dump as pg_dump writes it becomes the sandbox's database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stages import sandbox
from stages.errors import UserError
from stages.progress import Lines
from stages.sandbox import State
from stages.sandbox.postgres import binary, variables
from tests.support.command_line import ROOT
from tests.support.sandboxes import open_folder, own_sandbox

# What dumps of hosted projects have, and this server can't.
BEFORE = r"""--
-- PostgreSQL database dump
--

\restrict Xq3
SET statement_timeout = 0;
SET transaction_timeout = 0;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
CREATE TABLE auth.users (id uuid NOT NULL, instance_id uuid, email character varying(255));
CREATE TABLE storage.objects (id uuid NOT NULL, name text);

COPY auth.users (id, instance_id, email) FROM stdin;
3d9fcd1e-0000-4000-8000-000000000001	\N	ann@example.com
\.
COPY storage.objects (id, name) FROM stdin;
3d9fcd1e-0000-4000-8000-000000000002	a "quoted" name; DROP TABLE public.articles;
\.
"""
AFTER = r"""
CREATE POLICY own ON public.articles USING ((auth.uid() IS NOT NULL));
CREATE PUBLICATION supabase_realtime WITH (publish = 'insert, update');
GRANT ALL ON TABLE public.articles TO dashboard_user;
\unrestrict Xq3
"""
COUNTED = "SELECT md5(string_agg(t::text, ';' ORDER BY id)) FROM public.articles t"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose sandbox has a folder of its own."""
    (tmp_path / "data" / "sandbox").mkdir(parents=True)
    with open_folder("test") as folder, own_sandbox(folder / "box"):
        yield tmp_path


def dumped(state: State) -> str:
    """The sample as pg_dump writes it."""
    command = [str(binary(state.root, "pg_dump")), "--schema=public"]
    variables_ = {**os.environ, **variables(state.source.db_url)}
    ran = subprocess.run(command, env=variables_, capture_output=True, text=True, check=True)
    assert "COPY public.articles" in ran.stdout and "CREATE SCHEMA public;" in ran.stdout
    return "\n".join(line for line in ran.stdout.splitlines() if not line.startswith("\\restr"))


def rows(state: State, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(state.source.db_url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_dump(supabase: State, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = dumped(supabase).replace("\\unrestrict", "-- \\unrestrict")
    folder = project / "data" / "sandbox"
    (folder / "dump.sql").write_text(BEFORE + text + AFTER, "utf-8")
    # However long a statement takes, also in files that do not lift the limit themselves.
    limit = "CREATE TABLE {} AS SELECT current_setting('statement_timeout') AS lasts;"
    (folder / "own.sql").write_text(limit.format("public.own"), "utf-8")
    head = "-- PostgreSQL database dump\n"
    (folder / "part.sql").write_text(head + limit.format("public.part"), "utf-8")
    state = sandbox.up(project, [], Lines())
    assert rows(state, COUNTED) == rows(supabase, COUNTED)
    assert rows(state, "SELECT polname, auth.uid() FROM pg_policy") == [("own", None)]
    assert rows(state, "SELECT email FROM auth.users") == [("ann@example.com",)]
    assert rows(state, "SELECT own.lasts, part.lasts FROM own, part") == [("0", "0")]
    assert rows(state, "SHOW statement_timeout") == [("2min",)]
    told = capsys.readouterr().err
    assert "dump.sql: left out, since they do not run here: " in told
    for kind in (
        "1 CREATE EXTENSION",
        "1 GRANT ALL",
        "1 CREATE SCHEMA",
    ):
        assert kind in told
    # The sample has orphans on purpose; how its tables belong together is known all the same.
    counted = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
    assert int(str(rows(state, counted)[0][0])) > 10
    assert "ALTER TABLE" not in told
    # It is a sandbox like any other: over REST as well, and again.
    assert rows(state, "SELECT has_table_privilege('service_role', 'articles', 'SELECT')") == [
        (True,)
    ]
    assert sandbox.up(project, []).source == state.source


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "CREATE TABLE public.t (id citext);",
            'line 2: CREATE TABLE public.t fails: type "citext"',
        ),
        ("COPY public.t (id) FROM stdin;\n1\n\\.", "line 2: COPY public.t fails: relation"),
        (
            "INSERT INTO auth.users (id, unheard_of) VALUES (NULL, 1);",
            "line 2: INSERT INTO auth.users fails: column",
        ),
        # As `pg_dump --create` writes it: psql can't go on in that database.
        ("CREATE EXTENSION postgis;\n\\connect shop", "was not loaded completely: psql"),
    ],
)
def test_rows_of_the_project_must_not_fail(statement: str, words: str, project: Path) -> None:
    """Nor is such a database kept: the next start makes it anew."""
    file = project / "data" / "sandbox" / "dump.sql"
    file.write_text(f"-- PostgreSQL database dump\n{statement}\nCREATE TABLE public.u (id int);\n")
    for _ in range(2):
        with pytest.raises(UserError) as raised:
            sandbox.up(project, [])
        assert words in raised.value.message
    file.write_text("-- PostgreSQL database dump\nCREATE TABLE public.u (id int);\n")
    assert rows(sandbox.up(project, []), "SELECT * FROM public.u") == []


def test_the_shipped_sample_is_no_dump() -> None:
    from stages.sandbox.dump import is_dump

    assert not any(is_dump(file) for file in (ROOT / "data" / "sandbox").glob("*.sql"))
