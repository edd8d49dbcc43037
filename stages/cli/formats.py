"""Print the rows of a query as csv, json, jsonl, or a table of any width."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

if TYPE_CHECKING:
    import duckdb

Format = Literal["table", "csv", "json", "jsonl"]
FORMATS = get_args(Format)
BATCH = 4096
ENDLESS = 1_000_000_000
QUOTE = '"'
SPECIAL = set(',"\n\r')


def print_rows(
    relation: duckdb.DuckDBPyRelation, form: Format, *, width: int | None = None
) -> None:
    """Print all rows. A table is as wide as its rows, or as `width`."""
    if form == "table":
        relation.show(max_width=width or ENDLESS, max_rows=ENDLESS, max_col_width=width or ENDLESS)
    elif form == "csv":
        _print_csv(relation)
    elif form == "jsonl":
        for row in _rows(relation):
            click.echo(_object(relation, row))
    else:
        _print_json(relation)


def _print_csv(relation: duckdb.DuckDBPyRelation) -> None:
    """As in RFC 4180 except for line ends: null is an empty field, an empty string `""`."""
    click.echo(",".join(map(_field, relation.columns)))
    for row in _rows(relation):
        click.echo(",".join(map(_field, row)))


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = _json(value) if isinstance(value, bool | list | dict) else _plain(value)
    return f'"{text.replace(QUOTE, QUOTE * 2)}"' if not text or SPECIAL & set(text) else text


def _print_json(relation: duckdb.DuckDBPyRelation) -> None:
    """A list, written as the rows come."""
    before = "[\n"
    for row in _rows(relation):
        click.echo(f"{before}  {_object(relation, row)}", nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    for batch in relation.to_arrow_reader(BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _object(relation: duckdb.DuckDBPyRelation, row: tuple[Any, ...]) -> str:
    return _json(dict(zip(relation.columns, row, strict=True)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    """Text of a value that JSON can't represent; bytes as Postgres prints them."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
