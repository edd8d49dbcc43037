"""Tab completion at the prompt of `stages sql`: views, columns, macros, and SQL keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from stages.cli.sql_help import NAMES, is_command, views_of
from stages.errors import StagesError
from stages.sql import name_sql
from stages.sql_session import SqlSession
from stages.terminal import printable

WORD = re.compile(r'[\w."]+')
# A view follows these.
BEFORE_VIEW = re.compile(r"(?:\b(?:from|join|summarize|describe)|\.tables)\s+\S*\Z", re.IGNORECASE)
COLUMNS = (
    "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal "
    "ORDER BY ALL"
)
MACROS = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY 1"
# Keywords of other categories are more often used as names.
KEYWORDS = (
    "SELECT keyword_name, keyword_category = 'reserved' FROM duckdb_keywords() "
    "WHERE keyword_category IN ('reserved', 'type_function') ORDER BY 1"
)


class SqlCompleter(Completer):
    """Completes names that begin with the text before the cursor, ignoring case."""

    def __init__(self, session: SqlSession) -> None:
        self._session = session
        self._keywords = dict(session.relation(KEYWORDS).fetchall())

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        before = document.text_before_cursor
        try:
            if is_command(before) and not BEFORE_VIEW.search(before):
                word = before.lstrip()
                names = _beginning(word, (name for name in NAMES if " " not in name))
            else:
                word = document.get_word_before_cursor(pattern=WORD)
                names = self._names(before, word, document.text)
            for name in dict.fromkeys(names):
                if printable(name) == name:
                    yield Completion(name, start_position=-len(word))
        except StagesError:
            return

    def _names(self, before: str, word: str, statement: str) -> Iterator[str]:
        views = views_of(self._session)
        if BEFORE_VIEW.search(before):
            yield from _beginning(word, (view.sql for view in views))
            # Also match a view by its name without the schema.
            yield from (view.sql for view in views if view.name.lower().startswith(word.lower()))
            return
        used = {(v.schema, v.name) for v in views if v.sql.lower() in statement.lower()}
        columns = [
            self._quoted(column)
            for schema, view, column in self._session.relation(COLUMNS).fetchall()
            if not used or (schema, view) in used
        ]
        of, dot, begun = word.rpartition(".")
        yield from (f"{of}{dot}{column}" for column in _beginning(begun, columns))
        yield from _beginning(word, (view.sql for view in views))
        macros = self._session.relation(MACROS).fetchall()
        yield from _beginning(word, (f"{name}(" for (name,) in macros))
        yield from _beginning(word, self._keywords)

    def _quoted(self, column: str) -> str:
        plain = column.isidentifier() and not self._keywords.get(column.lower())
        return column if plain else name_sql(column)


def _beginning(word: str, names: Iterable[str]) -> Iterator[str]:
    """The names that begin with a word, ignoring case and quotes."""
    begun = word.lstrip('"').lower()
    return (name for name in names if name.lstrip('"').lower().startswith(begun))
