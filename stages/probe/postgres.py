"""The direct side of a probe: every check of the connection to Postgres, read-only."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from stages.errors import StagesError
from stages.extract.postgres_session import SETTINGS
from stages.probe.checks import Checks, NotChecked, Seen, measured, median, seconds_of
from stages.probe.database import Database, Lost, Plain, Refused
from stages.sql import name_sql, text_sql

CONNECTION = "Supabase 6: Postgres connection"
OLDEST = 15
# Rows to stream, and the size of the batches.
STREAMED_ROWS = 200_000
BATCH_BYTES = 64 << 10
# Seconds that a session sleeps while another one observes it.
SLEEP = 1.0
# A setting name that no other program uses, so that setting it has no effect.
MARK = "stages_probe.mark"
ROUNDS = 3
OWN_TABLES = (
    ("auth", "users"),
    ("auth", "identities"),
    ("storage", "buckets"),
    ("storage", "objects"),
)
CHECKS: Checks[Database] = Checks()


# ── the connection ──────────────────────────────────────────────────────────────────────────


@CHECKS.of(CONNECTION)
def the_settings_of_a_transaction_hold(database: Database) -> Seen:
    """The address connects, and each setting that stages makes in a transaction reads back as it
    was set."""
    seconds = seconds_of(database.first)
    words = f"{len(SETTINGS)} settings hold, connected in {seconds * 1000:,.0f} ms"
    return Seen(words, database.first().setting("row_security") == "off")


@CHECKS.of(CONNECTION)
def the_server_is_15_or_newer(database: Database) -> Seen:
    """Postgres is of version 15 or newer."""
    row = database.one("SELECT current_setting('server_version_num')::int4 AS version")
    major, minor = divmod(int(row["version"]), 10_000)
    return Seen(f"{major}.{minor}", major >= OLDEST)


@CHECKS.of(CONNECTION)
def the_server_is_the_primary(database: Database) -> Seen:
    """The server is not a replica: a snapshot exported on one can't be used on another."""
    replica = database.one("SELECT pg_is_in_recovery() AS replica")["replica"]
    return Seen("a replica" if replica else "the primary", not replica)


@CHECKS.of(CONNECTION)
def the_connection_is_encrypted(database: Database) -> Seen:
    """The connection uses TLS, unless it stays on this machine."""
    with database.plain() as plain:
        encrypted = plain.is_encrypted
    here = database.is_here
    words = "TLS" if encrypted else "no TLS, on this machine" if here else "no TLS"
    return Seen(words, encrypted or here)


@CHECKS.of(CONNECTION)
def row_security_hides_nothing(database: Database) -> Seen:
    """The role has BYPASSRLS, so that row security hides no row from it."""
    row = database.one(
        "SELECT rolbypassrls OR rolsuper AS bypass FROM pg_roles WHERE rolname = current_user"
    )
    return Seen("BYPASSRLS" if row["bypass"] else "row security applies", bool(row["bypass"]))


@CHECKS.of(CONNECTION)
def every_table_can_be_read(database: Database) -> Seen:
    """The role may read every table of the plan that exists."""
    there, readable = count_readable(database, database.places)
    if not database.places:
        raise NotChecked("the plan has no sources")
    words = f"{readable} of {there} tables that exist, of {len(database.places)} in the plan"
    return Seen(words, readable == there)


@CHECKS.of(CONNECTION)
def users_and_files_can_be_read(database: Database) -> Seen:
    """The role may read the tables of users, identities, buckets and objects."""
    there, readable = count_readable(database, OWN_TABLES)
    if not there:
        raise NotChecked("neither auth nor storage has its tables here")
    return Seen(f"{readable} of {there} that exist", readable == there)


def count_readable(database: Database, places: Any) -> tuple[int, int]:
    """How many of these tables exist, and how many of those the role may read."""
    if not places:
        return 0, 0
    row = database.one(
        f"""
        SELECT count(*) AS there, count(*) FILTER (
          WHERE has_schema_privilege(n.oid, 'USAGE')
            AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
        ) AS readable
        FROM (VALUES {_values(places)}) AS place (schema, name)
        JOIN pg_namespace n ON n.nspname = place.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = place.name
        """
    )
    return int(row["there"]), int(row["readable"])


def _values(places: Any) -> str:
    return ", ".join(f"({text_sql(schema)}, {text_sql(name)})" for schema, name in places)


@CHECKS.of(CONNECTION)
def which_pooler_is_in_between(database: Database) -> Seen:
    """Whether a pooler is in between: it makes up the process ID that the login returns."""
    with database.plain() as plain:
        (row,) = plain.rows("SELECT pg_backend_pid() AS pid")
        login = plain.login_pid
    return measured("none seen" if int(row["pid"]) == login else "a pooler")


@CHECKS.of(CONNECTION)
def whether_a_session_keeps_what_it_sets(database: Database) -> Seen:
    """Whether a setting of a session lasts until its next transaction, and does not reach another
    session: a pooler in transaction mode shares server sessions, so stages sets everything in its
    transactions."""
    with database.plain() as one, database.plain() as other:
        one.rows(f"SET {MARK} = 'one'")
        # Either sign is enough: a shared session may come back to its client by chance.
        shared = False
        try:
            # A pooler hands out either the session that was returned first, or the last one.
            for number in range(ROUNDS):
                # Alternately once and twice, to vary the order in which a pooler hands them out.
                for _ in range(1 + number % 2):
                    shared |= _mark(other) is not None
                shared |= _mark(one) is None
            other.rows("BEGIN")  # keeps the server session that it was given
            shared |= _mark(other) is not None
            shared |= _mark(one) is None
            other.rows("ROLLBACK")
        finally:
            for each in (one, other) * (ROUNDS if shared else 1):
                each.rows(f"RESET {MARK}")
    return measured(
        "lost by its session, or seen by another"
        if shared
        else "kept by its session, not seen by another"
    )


def _mark(session: Plain) -> str | None:
    (row,) = session.rows(f"SELECT current_setting('{MARK}', true) AS mark")
    return str(row["mark"]) if row["mark"] else None


@CHECKS.of(CONNECTION)
def whether_a_connection_may_ask_for_options(database: Database) -> Seen:
    """Whether a connection may ask for a setting as it starts, which stages does only where the
    source quotes all names."""
    try:
        with database.plain("-c quote_all_identifiers=on") as plain:
            (row,) = plain.rows("SELECT current_setting('quote_all_identifiers') AS quotes")
    except (Refused, Lost) as error:
        return measured(f"no such connection: {error.message}")
    return measured("taken" if row["quotes"] == "on" else "ignored")


@CHECKS.of(CONNECTION)
def a_second_connection_takes_the_snapshot(database: Database) -> Seen:
    """A second connection can read in the snapshot that the first one exports, and sees the same
    transactions."""
    seen = "SELECT pg_current_snapshot()::text AS seen"
    exported = database.one(f"SELECT pg_export_snapshot()::text AS snapshot, ({seen}) AS seen")
    try:
        with database.second(exported["snapshot"]) as second:
            (row,) = second.rows(seen)
    except Refused as error:
        return Seen(f"the second one is {error.message}", False)
    same = row["seen"] == exported["seen"]
    return Seen("taken, with the same transactions" if same else "taken, with others", same)


@CHECKS.of(CONNECTION)
def timeouts_can_be_lifted(database: Database) -> Seen:
    """The timeouts of a statement and of an idle transaction can be lifted in a transaction."""
    names = ("statement_timeout", "idle_in_transaction_session_timeout")
    listed = ", ".join(map(text_sql, names))
    with database.second() as second:
        own = {
            row["name"]: int(row["value"])
            for row in second.rows(
                "SELECT name, reset_val AS value FROM pg_settings "
                f"WHERE name IN ({listed}) AND reset_val ~ '^[0-9]+$'"
            )
        }
    with database.second() as second:
        ours = [second.setting(name) for name in names]
    words = "; ".join(
        f"{what} {f'{own[name] / 1000:g} s' if own.get(name) else 'no limit'} by default"
        for what, name in zip(("a statement", "an idle transaction"), names, strict=True)
    )
    lifted = ours == ["0", "0"]
    return Seen(f"{words}; {'lifted' if lifted else 'not lifted'} in ours", lifted)


@CHECKS.of(CONNECTION)
def another_connection_sees_what_ours_does(database: Database) -> Seen:
    """`pg_stat_activity` shows a connection of ours to another one: active, and not waiting for
    its client, while its server works for it, and otherwise idle in its transaction."""
    first = database.first()
    state = f"SELECT state, wait_event_type AS wait FROM pg_stat_activity WHERE pid = {first.pid}"

    def sleep() -> None:
        with suppress(StagesError, NotChecked):
            database.rows(f"SELECT pg_sleep({SLEEP})::text")

    sleeping = threading.Thread(target=sleep)
    # Not in a transaction: there, every query would see the same state as the first.
    with database.plain() as other:
        idle = _state(other.rows(state))
        sleeping.start()
        active, ends = "", time.monotonic() + SLEEP
        while active != "active" and time.monotonic() < ends:
            active = _state(other.rows(state))
        sleeping.join()
    words = f"{active or 'nothing'} at work, {idle or 'nothing'} otherwise"
    return Seen(words, active == "active" and idle == "idle in transaction")


def _state(rows: list[dict[str, Any]]) -> str:
    """What a connection is doing, as it may be shown; "" if it is not visible."""
    states = ("active", "idle", "idle in transaction", "idle in transaction (aborted)", "disabled")
    found = rows[0] if rows else {}
    if found.get("state") not in states:
        return ""
    waits = found["state"] == "active" and found["wait"] == "Client"
    return "active for its client" if waits else str(found["state"])


@CHECKS.of(CONNECTION)
def rows_come_in_a_stream(database: Database) -> Seen:
    """COPY gives rows as they come, in many batches."""
    sql = f"SELECT n, n::text AS t FROM generate_series(1, {STREAMED_ROWS}) n"
    began = time.monotonic()
    with database.second() as second:
        batches = second.batches(sql, BATCH_BYTES)
    seconds = time.monotonic() - began
    words = f"{sum(batches):,} rows in {'many batches' if len(batches) > 1 else 'one batch'}"
    words += f", {seconds:.1f} s"
    return Seen(words, sum(batches) == STREAMED_ROWS and len(batches) > 1)


@CHECKS.of(CONNECTION)
def rows_have_places_and_versions_directly(database: Database) -> Seen:
    """A table's rows have `xmin`, whose age can be compared, and `ctid`."""
    plain = database.rows(
        f"""
        SELECT place.schema, place.name
        FROM (VALUES {_values(database.places or [("", "")])}) AS place (schema, name)
        JOIN pg_namespace n ON n.nspname = place.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = place.name
        WHERE c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
        ORDER BY c.relpages DESC LIMIT 5
        """
    )
    for place in plain:
        rows = database.rows(
            "SELECT age(xmin)::int8 AS age, xmin::text AS version, ctid::text AS place "
            f"FROM {name_sql(place['schema'])}.{name_sql(place['name'])} LIMIT 3"
        )
        if rows:
            whole = all(row["age"] is not None and row["version"] and row["place"] for row in rows)
            return Seen(f"{len(rows)} rows with both" if whole else "rows without", whole)
    raise NotChecked("no table of the plan has rows that the role reads")


@CHECKS.of(CONNECTION)
def how_long_a_query_takes(database: Database) -> Seen:
    """How long an empty query takes, as the median of five."""
    first = database.first()
    seconds = median(seconds_of(lambda: first.setting("server_version")) for _ in range(5))
    return measured(f"{seconds * 1000:,.0f} ms")


@CHECKS.of(CONNECTION)
def how_many_connections_are_free(database: Database) -> Seen:
    """How many connections the server takes, and how many are free: extract uses up to a quarter
    of those."""
    row = database.one(
        "SELECT current_setting('max_connections')::int4 AS most, "
        "(SELECT count(*) FROM pg_stat_activity)::int4 AS used"
    )
    return measured(f"{row['most'] - row['used']} free, of {row['most']}")


@CHECKS.of(CONNECTION)
def whether_the_cluster_has_an_identifier(database: Database) -> Seen:
    """Whether the role may read the cluster's identifier, by which a later extract knows that it
    reads the same one."""
    row = database.one(
        "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS ok"
    )
    return measured("it may" if row["ok"] else "it may not")
