"""Load a dump of pg_dump or `supabase db dump` into the sandbox's database with psql.

A dump of a whole project has much that this server does not support: extensions, roles,
publications, tables of Supabase's own services. If such a statement fails, it is skipped and
counted. Statements that hold the project's rows must not fail.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from stages.errors import UserError

# Identifies a dump by its first lines, whichever tool wrote it.
HEAD = re.compile(
    rb"PostgreSQL database dump|^\\restrict |^COPY .+ FROM stdin;|"
    rb"^SET (?:statement_timeout|session_replication_role) ?=",
    re.MULTILINE,
)
HEAD_BYTES = 1 << 16
# Supabase's own schemas: the sandbox has what it needs of them, in its own form.
OWN_SCHEMAS = {
    "auth", "storage", "realtime", "_realtime", "vault", "extensions", "graphql", "graphql_public",
    "pgbouncer", "supabase_functions", "supabase_migrations", "net", "cron", "pgsodium",
    "pgsodium_masks", "_analytics", "_supavisor",
}  # fmt: skip
# Tables in them that a migration may read. If their rows are INSERTs, they can't go through a
# temporary table.
READ = {("auth", "users"), ("auth", "identities")}
# Statements without which rows would be lost or would not fit their table.
NEEDED = re.compile(
    r"(?:CREATE (?:UNLOGGED )?TABLE|COPY|INSERT INTO|CREATE (?:TYPE|DOMAIN|SEQUENCE)|"
    r"ALTER TABLE (?:ONLY )?\S+\s+(?:ADD CONSTRAINT \S+ (?:PRIMARY KEY|UNIQUE)|ATTACH PARTITION))\b"
)
NAMED = re.compile(
    r"(?:TABLE(?: IF NOT EXISTS)?(?: ONLY)?|COPY|INTO|TYPE|DOMAIN|SEQUENCE)\s+"
    r'"?([^".\s(]+)"?\."?([^".\s(]+)'
)
KIND = re.compile(r"[A-Z]+(?: [A-Z]+)?")
ERROR = re.compile(r"^psql:.*?:(\d+): (?:ERROR|FATAL):  (\w{5}): (.*)$", re.MULTILINE)
STATEMENT = re.compile(r"^psql:.*?:\d+: STATEMENT:  (.*?)(?=^psql:|\Z)", re.MULTILINE | re.DOTALL)
ORPHANS = "23503"
ALREADY_THERE = {"42P06", "42P07", "42710", "42723"}
COPY = re.compile(rb'COPY "?([\w]+)"?\."?([\w]+)"? \((.*)\) FROM stdin;\s*')
# Rows of Supabase's own tables go into a temporary table first: columns differ by version, and if a
# COPY failed, psql would run its rows as statements.
BESIDE = "DROP TABLE IF EXISTS pg_temp.copied; CREATE TEMP TABLE copied ({columns}); COPY "
TAKE_OVER = (
    "DO $stages$ DECLARE names text; casts text; BEGIN SELECT string_agg(format('%I', attname), "
    "', '), string_agg(format('%I::%s', attname, format_type(atttypid, atttypmod)), ', ') INTO "
    "names, casts FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT "
    "attisdropped AND attgenerated = '' AND attname = ANY (ARRAY[{names}]); IF names IS NOT NULL "
    "THEN EXECUTE format('INSERT INTO {table} (%s) SELECT %s FROM pg_temp.copied ON CONFLICT DO "
    "NOTHING', names, casts); END IF; END $stages$; "
)


@dataclass(frozen=True)
class _Failure:
    """A failed statement: the line where it ends, Postgres' code and message, and its text."""

    line: int
    code: str
    words: str
    statement: str

    @property
    def kind(self) -> str:
        kind = KIND.match(self.statement)
        return kind[0] if kind else "statement"

    @property
    def place(self) -> tuple[str, str]:
        """(schema, name) of the table or type concerned; empty strings if it names none."""
        named = NAMED.search(self.statement)
        return (named[1], named[2]) if named else ("", "")

    @property
    def is_fatal(self) -> bool:
        if self.code in ALREADY_THERE:
            return False
        if self.place[0] in OWN_SCHEMAS:
            return self.place in READ and self.statement.startswith("INSERT ")
        return bool(NEEDED.match(self.statement))


def is_dump(file: Path) -> bool:
    """Whether an SQL file is a dump; other files run unchanged, and must not fail."""
    with file.open("rb") as handle:
        return bool(HEAD.search(handle.read(HEAD_BYTES)))


def load_dump(psql: Path, variables: Mapping[str, str], file: Path) -> str | None:
    """Run a dump as the role `postgres`; returns a sentence on what was skipped, or None.

    `variables` are psql's environment for the connection. Raises UserError if a table, a type or
    rows of the project fail.
    """
    with file.open("rb") as handle:
        ended, told = _run(psql, variables, _lines(handle))
    failures = list(_failures(told))
    orphans = [failure for failure in failures if failure.code == ORPHANS]
    if orphans:
        # Keep the foreign key even if some rows violate it: it shows how tables are related.
        again = (f"{failure.statement.rstrip(';')} NOT VALID;\n".encode() for failure in orphans)
        refused = _failures(_run(psql, variables, again)[1])
        left = {failure.statement.replace(" NOT VALID;", ";") for failure in refused}
        failures = [f for f in failures if f.code != ORPHANS or f.statement in left]
    fatal = next((failure for failure in failures if failure.is_fatal), None)
    if fatal:
        raise UserError(
            f"{file}, line {fatal.line}: {fatal.kind} {'.'.join(fatal.place)} fails: {fatal.words}",
            "dump its rows as COPY, as pg_dump does by itself (supabase db dump --use-copy); "
            "then: stages sandbox up"
            if fatal.place in READ
            else "leave the table out of the dump (pg_dump --exclude-table), or write its SQL by "
            "hand; then: stages sandbox up",
        )
    # Failed statements leave exit code 0: something else has ended psql.
    if ended != 0:
        last = next(iter(told.strip().splitlines()[-1:]), "")
        raise UserError(
            f"{file} was not loaded completely: {last}",
            "make a dump of one database, without --create; then: stages sandbox up",
        )
    if not failures:
        return None
    kinds = Counter(failure.kind for failure in failures if failure.place[0] not in OWN_SCHEMAS)
    own = sum(failure.place[0] in OWN_SCHEMAS for failure in failures)
    listed = [f"{number:,} {kind}" for kind, number in kinds.most_common()]
    if own:
        listed.append(f"{own:,} of Supabase's own schemas")
    return f"{file.name}: left out, since they do not run here: {', '.join(listed)}"


def _run(psql: Path, variables: Mapping[str, str], lines: Iterable[bytes]) -> tuple[int, str]:
    """Run the lines in psql as `postgres`; returns its exit code and stderr."""
    command = [
        str(psql), "--no-psqlrc", "--quiet", "--echo-errors", "--set=VERBOSITY=verbose",
        "--command=SET SESSION AUTHORIZATION postgres; SET statement_timeout = 0", "--file=-",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        assert process.stdin
        # If it ends early, its stderr says why.
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.writelines(lines)
        ended = process.wait()
        errors.seek(0)
        return ended, errors.read().decode(errors="replace")


def _lines(dump: Iterable[bytes]) -> Iterator[bytes]:
    """A dump's lines, with the same line numbers; rows of Supabase's own tables go into a temporary
    table first."""
    copying, then, before = False, b"", b""
    for line in dump:
        if copying:
            copying, before = line.rstrip(b"\r\n") != b"\\.", line
            yield line
            continue
        # In a dump, COPY follows a comment or an empty line: a string may also contain such a line.
        apart = not before.strip() or before.startswith(b"--") or before.rstrip() == b"\\."
        copy = COPY.fullmatch(line) if apart and line.startswith(b"COPY ") else None
        copying, before = copy is not None, line
        if copy and copy[1].decode() in OWN_SCHEMAS:
            columns = [name.strip().strip(b'"').decode() for name in copy[3].split(b",")]
            quoted = [f'"{name}"' for name in columns]
            beside = BESIDE.format(columns=", ".join(f"{name} text" for name in quoted))
            line = f"{beside}pg_temp.copied ({', '.join(quoted)}) FROM stdin;\n".encode()
            yield then + line
            names = ", ".join(f"'{name}'" for name in columns)
            table = f"{copy[1].decode()}.{copy[2].decode()}"
            then = TAKE_OVER.format(table=table, names=names).encode()
        else:
            yield then + line
            then = b""
    if then:
        yield then


def _failures(told: str) -> Iterator[_Failure]:
    errors = list(ERROR.finditer(told))
    for error, following in zip_longest(errors, errors[1:]):
        part = told[error.end() : following.start() if following else len(told)]
        statement = STATEMENT.search(part)
        text = re.sub(r"\s+", " ", statement[1]).strip() if statement else ""
        yield _Failure(int(error[1]), error[2], error[3].strip(), text)
