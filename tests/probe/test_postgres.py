"""Each check of the direct connection: confirmed on a real Postgres, and seen to differ where it,
its role, or a pooler in between is otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from stages.probe import database as direct
from stages.probe import postgres, postgres_roles
from stages.probe.checks import Check, Checks
from stages.probe.database import Database, Plain, Session
from stages.probe.findings import Finding
from stages.probe.source import probe_source, words_of
from stages.project.plan import Plan
from stages.project.settings import Secret, Source
from tests.extract.pooler import pooler
from tests.extract.support import Database as OwnDatabase
from tests.probe.in_front import PLANTED

CHECKS: dict[str, Check[Database]] = {
    check.name: check for checks in (postgres.CHECKS, postgres_roles.CHECKS) for check in checks
}
MEASUREMENTS = {
    "which-pooler-is-in-between",
    "whether-a-session-keeps-what-it-sets",
    "whether-a-connection-may-ask-for-options",
    "how-long-a-query-takes",
    "how-many-connections-are-free",
    "how-many-tables-of-auth-are-granted",
    "whether-the-cluster-has-an-identifier",
    "whether-floats-are-cut-over-rest",
}
READER = f"{PLANTED}_reader"
Rows = list[dict[str, Any]]


class Otherwise:
    """A session that answers otherwise to the queries that hold one of these texts."""

    is_encrypted = False

    def __init__(self, session: Any, answers: dict[str, Rows]) -> None:
        self._session = session
        self._answers = answers

    def rows(self, sql: str) -> Rows:
        rows: Rows = self._session.rows(sql)
        return next((answer for text, answer in self._answers.items() if text in sql), rows)

    def setting(self, name: str) -> str:
        given: Rows | None = self._answers.get(f"setting {name}")
        return str(given[0][name]) if given else str(self._session.setting(name))

    def batches(self, sql: str, size: int) -> list[int]:
        return [sum(self._session.batches(sql, size))]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class OtherDatabase(Database):
    """The same database, whose sessions answer otherwise."""

    is_here = False

    def __init__(self, source: Source, plan: Plan, answers: dict[str, Rows]) -> None:
        super().__init__(source, plan)
        self._answers = answers

    def first(self) -> Session:
        return cast(Session, Otherwise(super().first(), self._answers))

    @contextmanager
    def second(self, snapshot: str | None = None) -> Iterator[Session]:
        with super().second(snapshot) as session:
            yield cast(Session, Otherwise(session, self._answers))

    @contextmanager
    def plain(self, options: str = "") -> Iterator[Plain]:
        with super().plain(options) as session:
            yield cast(Plain, Otherwise(session, self._answers))


Setting = Callable[[OwnDatabase, Source], AbstractContextManager[Source]]


@contextmanager
def as_reader(own: OwnDatabase, source: Source) -> Iterator[Source]:
    """As a role with few rights: to some of the plan's tables, under row security."""
    own.admin.execute(
        f"""
        CREATE ROLE {READER} LOGIN PASSWORD '{READER}';
        GRANT SELECT ON public.{PLANTED}_rows TO {READER};
        GRANT USAGE ON SCHEMA auth TO {READER};
        GRANT SELECT ON auth.identities TO {READER}
        """.encode()
    )
    try:
        yield replace(source, db_url=Secret(own.url(READER, READER)))
    finally:
        own.admin.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}".encode())


@contextmanager
def other_style(own: OwnDatabase, source: Source) -> Iterator[Source]:
    """A database that prints intervals otherwise."""
    name = own.one("SELECT current_database()")
    own.sql(f"ALTER DATABASE {name} SET intervalstyle = 'iso_8601'")
    try:
        yield source
    finally:
        own.sql(f"ALTER DATABASE {name} RESET intervalstyle")


@contextmanager
def other_rows(own: OwnDatabase, source: Source) -> Iterator[Source]:
    """Users and files as no project has them, as far as is known."""
    changed = f"""
        UPDATE auth.users SET phone = '+49 1', encrypted_password = '{{"key_id": "{PLANTED}"}}'
        WHERE email LIKE '{PLANTED}1@%';
        INSERT INTO storage.objects (name) VALUES ('{PLANTED}/ä.txt')
    """
    undone = f"""
        UPDATE auth.users SET phone = '1', encrypted_password = '$2a$10$x'
        WHERE email LIKE '{PLANTED}1@%';
        DELETE FROM storage.objects WHERE version IS NULL
    """
    own.sql(changed)
    try:
        yield source
    finally:
        own.sql(undone)


REAL: dict[str, Setting] = {
    "row-security-hides-nothing": as_reader,
    "every-table-can-be-read": as_reader,
    "users-and-files-can-be-read": as_reader,
    "api-roles-print-as-stages-reads": other_style,
    "no-password-hash-is-encrypted": other_rows,
    "phones-are-digits": other_rows,
    "files-have-sizes-versions-and-plain-keys": other_rows,
}
# What can't be set here: by texts of the queries that are answered otherwise.
TOLD: dict[str, dict[str, Rows]] = {
    "the-settings-of-a-transaction-hold": {"setting row_security": [{"row_security": "on"}]},
    "the-server-is-15-or-newer": {"server_version_num": [{"version": 140011}]},
    "the-server-is-the-primary": {"pg_is_in_recovery": [{"replica": True}]},
    "the-connection-is-encrypted": {},
    "a-second-connection-takes-the-snapshot": {
        "pg_export_snapshot": [{"snapshot": "00000003-0000001B-1", "seen": "1:1:"}]
    },
    "timeouts-can-be-lifted": {"setting statement_timeout": [{"statement_timeout": "2min"}]},
    "another-connection-sees-what-ours-does": {"pg_stat_activity WHERE pid": []},
    "rows-come-in-a-stream": {},
    "rows-have-places-and-versions-directly": {
        "age(xmin)": [{"age": None, "version": "", "place": ""}]
    },
    "api-roles-time-out-after-8-s": {
        "pg_db_role_setting": [
            {"role": "authenticator", "setting": "statement_timeout=3s"},
            {"role": "service_role", "setting": f"statement_timeout={PLANTED}"},
        ]
    },
}


def look(name: str, database: Database) -> Finding:
    """What one check finds."""
    only: Checks[Database] = Checks()
    only.of(CHECKS[name].section)(CHECKS[name].look)
    try:
        return next(only.run(database, words_of))
    finally:
        database.close()


def shows_nothing(finding: Finding, source: Source) -> bool:
    """Whether a finding's words hold nothing of the source."""
    assert source.db_url
    parts = urlsplit(source.db_url.reveal())
    hidden = [PLANTED, source.ref, parts.hostname or "", str(parts.port), parts.password or "—"]
    return not any(text in finding.seen for text in hidden)


def direct_only(source: Source) -> Source:
    return replace(source, url=None, key=None)


def test_everything_holds_on_a_real_server(source: Source, plan: Plan) -> None:
    findings = list(probe_source(direct_only(source), plan))
    assert [finding.name for finding in findings] == list(CHECKS)
    odd = [f"{f.name}: {f.seen}" for f in findings if f.verdict not in ("confirmed", "measured")]
    assert not odd
    assert {f.name for f in findings if f.verdict == "measured"} == MEASUREMENTS
    assert all(shows_nothing(finding, source) for finding in findings)


@pytest.mark.parametrize("name", [*REAL, *TOLD])
def test_a_check_differs_where_the_server_is_otherwise(
    database: OwnDatabase, source: Source, plan: Plan, name: str
) -> None:
    setting = REAL[name](database, source) if name in REAL else nullcontext(source)
    with setting as other:
        if name in REAL:
            finding = look(name, Database(other, plan))
        else:
            finding = look(name, OtherDatabase(other, plan, TOLD[name]))
    assert finding.verdict == "differs", finding.seen
    assert shows_nothing(finding, other), finding.seen


def test_each_check_has_a_server_that_is_otherwise() -> None:
    assert set(REAL) | set(TOLD) == set(CHECKS) - MEASUREMENTS


def test_a_pooler_in_transaction_mode_is_seen(source: Source, plan: Plan) -> None:
    """What was set is seen where the next transaction of somebody else is, and options are not."""
    for name, direct_words, pooled_words in (
        ("whether-a-session-keeps-what-it-sets", "kept by its session, not seen", "lost"),
        ("whether-a-connection-may-ask-for-options", "taken", "ignored"),
    ):
        assert look(name, Database(source, plan)).seen.startswith(direct_words)
        with pooler(source, {}) as (behind, pool):
            found = look(name, Database(behind, plan))
            assert found.seen.startswith(pooled_words), found.seen
            assert pool.used


def test_a_pooler_is_seen_by_the_process_that_it_makes_up(source: Source, plan: Plan) -> None:
    told = OtherDatabase(source, plan, {"SELECT pg_backend_pid() AS pid": [{"pid": -1}]})
    finding = look("which-pooler-is-in-between", told)
    assert (finding.verdict, finding.seen) == ("measured", "a pooler")


def test_a_wrong_password_is_one_difference(source: Source, plan: Plan) -> None:
    assert source.db_url
    wrong = Secret(source.db_url.reveal().replace("@", f"{PLANTED}@", 1))
    first, *others = probe_source(replace(direct_only(source), db_url=wrong), plan)
    assert first.verdict == "differs"
    assert {finding.verdict for finding in others} == {"not checked"}
    assert shows_nothing(first, source)


def test_a_query_that_is_refused_leaves_the_session_usable(source: Source, plan: Plan) -> None:
    database = Database(source, plan)
    try:
        with pytest.raises(direct.Refused, match="refused, SQLSTATE 42P01"):
            database.rows("SELECT * FROM stages_probe_no_such_table")
        assert database.one("SELECT 1 AS one") == {"one": 1}
    finally:
        database.close()


def test_a_server_that_hangs_is_asked_once(source: Source, plan: Plan) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"postgresql://u:p@127.0.0.1:{listener.getsockname()[1]}/d?connect_timeout=2"
        first, *others = probe_source(
            replace(direct_only(source), db_url=Secret(address)), plan
        )  # fmt: skip
    assert (first.verdict, first.seen) == ("failed", "no connection, or it was lost")
    assert {(f.verdict, f.seen) for f in others} == {("not checked", "there is no connection")}
