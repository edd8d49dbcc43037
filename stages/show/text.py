"""Everything about one row, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stages.layout import Cell, Line, Style, aligned, counted, cut, line, value_text
from stages.show.model_lines import ModelLines
from stages.show.shown import Shown, ShownField

VALUE_WIDTH = 40


def as_lines(shown: Shown, width: int | None = None) -> list[Line]:
    """All of it; with a `width`, long values and pieces of the model are cut to it."""
    parts = [
        _head(shown),
        _source(shown, width),
        _made(shown, width),
        _rejects(shown),
        _changes(shown),
        _references(shown),
        _referrers(shown),
        _differences(shown, width),
    ]
    lines: list[Line] = []
    for part in parts:
        lines += [line(""), *part] if lines and part else part
    return lines


def _head(shown: Shown) -> list[Line]:
    convex = f" → {shown.convex_id}" if shown.convex_id else ""
    head = [line(f"{shown.table} {value_text(shown.source_id)}{convex}", "head")]
    return [*head, *(line(f"  {text}", style) for text, style in _standing(shown))]


def _standing(shown: Shown) -> Iterator[tuple[str, Style]]:
    """Sentences on the state of the row."""
    if shown.kind == "source":
        yield "the plan only reads this source: it becomes no document of its own", "dim"
        return
    if shown.kind == "reference":
        if shown.convex_id:
            yield f"Convex had it before; found by the key model {shown.model}", ""
    elif shown.rejects and not shown.document:
        yield "it is rejected, and is no document", "bad"
    elif not shown.document:
        yield "it is not transformed yet", "warn"
    elif shown.loaded:
        yield f"it is a document, and loaded ({shown.loaded})", ""
    else:
        yield "it is a document, and not loaded yet", "warn"
    if shown.stale:
        yield f"what is staged is older than {shown.stale}", "warn"
    if not shown.convex_id:
        return
    if shown.not_asked:
        yield f"Convex was not asked: {shown.not_asked}", "dim"
    elif shown.now is None:
        yield "Convex no longer has a document with this id", "bad"
    elif shown.differs:
        yield f"Convex has other values in {', '.join(shown.differs)}", "warn"
    elif shown.bound:
        yield "Convex has it as it is staged", "good"


def _source(shown: Shown, width: int | None) -> list[Line]:
    if not shown.source:
        return []
    if not shown.row:
        why = "there is no such row" if shown.kind != "table" else "no row of its own has this key"
        return [line(f"source {shown.source}: {why}", "head")]
    rows = [
        (
            Cell(each.column),
            Cell(each.type, "dim"),
            Cell(value_text(each.value), "dim" if each.value is None else ""),
        )
        for each in shown.row
    ]
    return [line(f"source {shown.source}", "head"), *_cut(aligned(rows, indent=2), width)]


def _made(shown: Shown, width: int | None) -> list[Line]:
    if not shown.fields:
        return []
    rows: list[list[Cell]] = []
    for field in shown.fields:
        value = cut(_value(shown, field), VALUE_WIDTH)
        first, *more = field.lines or (None,)
        rows.append([Cell(field.name), Cell(value), *_piece(first)])
        rows += [[Cell(""), Cell(""), *_piece(each)] for each in more]
    what = "the document, and what makes it" if shown.document else "what it gives for the row"
    return [line(f"{shown.model}: {what}", "head"), *_cut(aligned(rows, indent=2), width)]


def _value(shown: Shown, field: ShownField) -> str:
    if shown.document is None:
        return value_text(field.given)
    if field.name not in shown.document:
        return "absent"
    return _json(shown.document[field.name])


def _piece(piece: ModelLines | None) -> list[Cell]:
    if piece is None:
        return []
    lines = (
        f"line {piece.first}"
        if piece.first == piece.last
        else (f"lines {piece.first}-{piece.last}")
    )
    return [Cell(lines, "dim"), Cell(" ".join(piece.text.split()), "dim")]


def _rejects(shown: Shown) -> list[Line]:
    lines = [line("rejected", "head")] if shown.rejects else []
    for each in shown.rejects:
        field = f"{each.field}: " if each.field else ""
        lines.append(line(f"  {each.stage}: {field}{each.rule}: {each.reason}", "bad"))
        lines.append(line(f"    → {each.edit}"))
    return lines


def _changes(shown: Shown) -> list[Line]:
    rows = [
        (
            Cell(each.field),
            Cell(each.rule),
            Cell(f"{value_text(each.old)} → {value_text(each.new)}"),
        )
        for each in shown.changes
    ]
    return [line("changed on the way", "head"), *aligned(rows, indent=2)] if rows else []


def _references(shown: Shown) -> list[Line]:
    rows = [
        (
            Cell(each.field),
            Cell(f"{each.table} {value_text(each.source_id)}"),
            Cell(each.convex_id or ("not loaded yet" if each.state == "document" else each.state),
                 "" if each.convex_id else "warn"),
        )
        for each in shown.references
    ]  # fmt: skip
    return [line("refers to", "head"), *aligned(rows, indent=2)] if rows else []


def _referrers(shown: Shown) -> list[Line]:
    rows: list[tuple[Cell, ...]] = []
    for each in shown.referrers:
        more = ", …" if each.rows > len(each.first) else ""
        listed = f"{', '.join(map(value_text, each.first))}{more}"
        counts = [counted(each.rows, "row")] if each.rows else []
        counts += [f"{each.rejected:,} rejected because of it"] if each.rejected else []
        style: Style = "bad" if each.rejected else ""
        row = Cell(f"{each.table}.{each.field}"), Cell("; ".join(counts), style)
        rows.append((*row, Cell(listed, "dim")) if listed else row)
    return [line("referred to by", "head"), *aligned(rows, indent=2)] if rows else []


def _differences(shown: Shown, width: int | None) -> list[Line]:
    if not shown.differs or shown.bound is None or shown.now is None:
        return []
    rows: list[list[Cell]] = [[Cell(""), Cell("staged", "dim"), Cell("in Convex", "dim")]]
    for name in shown.differs:
        staged, now = (
            _json(each[name]) if name in each else "absent" for each in (shown.bound, shown.now)
        )
        rows.append([Cell(name), Cell(cut(staged, VALUE_WIDTH)), Cell(now, "warn")])
    return [line("Convex has now", "head"), *_cut(aligned(rows, indent=2), width)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(lines: list[Line], width: int | None) -> list[Line]:
    """The lines, cut to the width."""
    return [_cut_line(each, width) for each in lines] if width else lines


def _cut_line(cells: Line, width: int) -> Line:
    *before, last = cells
    left = width - sum(len(cell.text) for cell in before)
    return (*before, Cell(cut(last.text, max(left, 12)), last.style))
