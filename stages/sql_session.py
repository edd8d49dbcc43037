"""A user's SQL over the staged files, statement by statement, on one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from stages.errors import UserError
from stages.project.plan import Plan
from stages.reading import confine, require_reading
from stages.side_views import side_files
from stages.sql import query_errors
from stages.state.workspace import Workspace
from stages.views import connect, make, statements_for_people

if TYPE_CHECKING:
    import duckdb


class SqlSession:
    """SQL over the staged files; it can only read them.

    Temporary tables, views and macros that a statement creates remain for later statements. `hint`
    is added to errors of statements that DuckDB rejects. Not thread-safe.
    """

    hint = 'see the tables with: stages sql "show all tables"'

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        errors: Callable[[], AbstractContextManager[None]],
        tables: Mapping[str, Any] | None = None,
    ) -> None:
        self._workspace, self._plan, self._outer_errors = workspace, plan, errors
        self._made: list[str] = []
        with self.errors():
            self._connection = connect(workspace, plan, locked=False, views=False)
            self.renew()
            for name, table in (tables or {}).items():
                self._connection.register(name, table)
            confine(
                self._connection,
                (workspace.extracts, workspace.target_folder),
                [file.resolve() for file in side_files(workspace, plan).values()],
            )

    def renew(self) -> None:
        """Create views of newly staged files; if one fails, all are created again next time."""
        with self.errors():
            sql = list(statements_for_people(self._workspace, self._plan))
            if sql != self._made:
                self._made = sql if make(self._connection, sql) else []

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """The result of the query's last statement. Raises UserError for SQL that DuckDB rejects,
        and for anything that does more than read these files."""
        with self.errors():
            self._statements(query)
            return self._connection.sql(query)

    def results(self, query: str) -> Iterator[duckdb.DuckDBPyRelation]:
        """Yield the result of each statement that returns rows, in order. Fetch a relation's rows
        before asking for the next one, inside `errors`."""
        import duckdb

        with self.errors():
            statements = self._statements(query)
        for statement in statements:
            with self.errors():
                relation = self._connection.sql(statement)
            if statement.type != duckdb.StatementType.CREATE:
                yield relation

    def interrupt(self) -> None:
        """Interrupt the running statement from another thread; it then raises an error."""
        self._connection.interrupt()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn DuckDB's errors into UserError while rows are fetched; some only occur then."""
        with self._outer_errors(), query_errors(self.hint):
            yield

    def _statements(self, query: str) -> list[duckdb.Statement]:
        require_reading(self._connection, query)
        statements = self._connection.extract_statements(query)
        if not statements:
            raise UserError("the query holds no statement", 'such as: stages sql "show tables"')
        return statements
