"""What init makes of the old and the current picture, with the same code and the same rows.

This way their texts differ only by what has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.convex.schema import Schema
from stages.init.catalog import Catalog, Place, table_name
from stages.init.contents import Contents, make_contents
from stages.init.drift import Drift
from stages.init.evidence import Evidence
from stages.init.pairing import LEDGER, Renames, read_renames
from stages.init.picture import Moves
from stages.init.renamed import PROVEN
from stages.project.plan import Plan, ReferenceTable, TargetTable


@dataclass(frozen=True, kw_only=True)
class Both:
    """`pins`: (table, name) of a Change → the rename, as on the command line, that keeps an old
    pair together although one of its names has changed."""

    then: Contents
    now: Contents
    pins: Mapping[tuple[str, str], str]


def both_contents(
    drift: Drift,
    catalog: Catalog,
    schema: Schema,
    evidence: Evidence,
    plan: Plan,
    *,
    recorded: Sequence[str],
    given: Sequence[str],
    references: Iterable[str],
    given_references: Iterable[str],
) -> Both:
    """`recorded` are the renames of earlier runs, `given` those of this run; references likewise.

    Raises UserError if one of this run names what does not exist.
    """
    before, moves = drift.without(drift.changes), drift.moves
    old_catalog = replace(
        catalog,
        tables={
            **{p: t for p, t in catalog.tables.items() if p not in drift.now.tables},
            **before.tables,
        },
    )
    ledger = [table for name, table in schema.tables.items() if name == LEDGER]
    old_schema = Schema({**schema.exported, "tables": [*before.convex.values(), *ledger]})
    old_renames = _usable(read_renames(recorded), old_catalog, old_schema)
    named = [*references, *plan.references]
    then = make_contents(
        old_catalog,
        old_schema,
        as_planned(plan, old_catalog, old_schema, old_renames),
        _carried_evidence(evidence, moves.back()),
        _existing(named, old_schema, moves.back().convex),
    )
    pinned, why, pins = _pins(then, drift)
    new = read_renames(given)
    kept = _usable(_carried_renames(old_renames, old_catalog, moves), catalog, schema)
    renames = Renames(
        tables={**pinned.tables, **kept.tables, **new.tables},
        columns={**_others(pinned.columns, kept, new), **_others(kept.columns, new), **new.columns},
    )
    now = make_contents(
        catalog,
        schema,
        as_planned(plan, catalog, schema, renames),
        evidence,
        [*_existing(named, schema, moves.convex), *given_references],
        why,
    )
    return Both(then=then, now=_with_sources_of(then, now, moves), pins=pins)


def _with_sources_of(then: Contents, now: Contents, moves: Moves) -> Contents:
    """A source whose table was renamed keeps its name in the plan, since models read it by that."""
    tables = dict(now.pairing.tables)
    for old_target, paired in then.pairing.tables.items():
        target = moves.convex.get(old_target, old_target)
        others = {each.source for name, each in tables.items() if name != target}
        if target in tables and paired.table.place in moves.tables and paired.source not in others:
            tables[target] = replace(tables[target], source=paired.source)
    return replace(now, pairing=replace(now.pairing, tables=tables))


def as_planned(plan: Plan, catalog: Catalog, schema: Schema, renames: Renames) -> Renames:
    """The renames, and the pairs of tables that the plan already has."""
    tables = dict(renames.tables)
    entries: list[TargetTable | ReferenceTable] = [
        *plan.tables.values(),
        *plan.references.values(),
    ]
    for entry in entries:
        source = plan.sources.get(entry.source or "")
        if source is None or entry.name not in schema.tables or entry.name in tables.values():
            continue
        if (source.schema, source.table) in catalog.tables:
            tables.setdefault(f"{source.schema}.{source.table}", entry.name)
    return replace(renames, tables=tables)


def carried_texts(texts: Iterable[str], catalog: Catalog, moves: Moves) -> list[str]:
    """Renames as on the command line, with current names; unknown names stay as they are."""
    carried = []
    for text in texts:
        renames = _carried_renames(read_renames([text]), catalog, moves)
        new = [f"{place}={target}" for place, target in renames.tables.items()]
        new += [
            f"{place}.{column}={target}.{name}"
            for (place, column), (target, name) in renames.columns.items()
        ]
        carried += new or [text]
    return list(dict.fromkeys(carried))


def _pins(
    then: Contents, drift: Drift
) -> tuple[Renames, dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Renames that keep the old pairs, what the model says about them, and the renames as text."""
    moves = drift.moves
    evidence = {(c.table, c.name): c.evidence for c in drift.changes if c.kind == "renamed"}
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], tuple[str, str]] = {}
    why: dict[tuple[str, str], str] = {}
    pins: dict[tuple[str, str], str] = {}
    for old_target, paired in then.pairing.tables.items():
        target, place = moves.convex.get(old_target, old_target), paired.table.place
        source = table_name(moves.tables.get(place, place))
        if place in moves.tables or old_target in moves.convex:
            tables[source] = target
            pins |= dict.fromkeys([(source, ""), (target, "")], f"{source}={target}")
        by_column, by_field = moves.columns.get(place, {}), moves.fields.get(old_target, {})
        for old_name, pair in paired.fields.items():
            if len(pair.columns) != 1:
                continue
            old_column = pair.columns[0].name
            column, name = by_column.get(old_column, old_column), by_field.get(old_name, old_name)
            changed = [(source, column, old_column), (target, name, old_name)]
            changed = [each for each in changed if each[1] != each[2]]
            if (
                not changed
                or drift.now.tables[moves.tables.get(place, place)].columns.get(column) is None
            ):
                continue
            columns[source, column] = (target, name)
            said = [
                f"{old} is called {new} now ({evidence[t, new]})"
                for t, new, old in changed
                if evidence[t, new] != PROVEN
            ]
            if said:
                why[target, name] = "; ".join(said)
            pin = f"{source}.{column}={target}.{name}"
            pins |= {(t, new): pin for t, new, _ in changed}
    return Renames(tables=tables, columns=columns), why, pins


def _others(
    columns: Mapping[tuple[str, str], tuple[str, str]], *others: Renames
) -> dict[tuple[str, str], tuple[str, str]]:
    """The renames to fields that none of the others name."""
    taken = {field for each in others for field in each.columns.values()}
    return {column: field for column, field in columns.items() if field not in taken}


def _place_of(catalog: Catalog, name: str) -> Place | None:
    places = catalog.places(name)
    return places[0] if len(places) == 1 else None


def _carried_renames(renames: Renames, catalog: Catalog, moves: Moves) -> Renames:
    """The renames with current names; `catalog` has the old ones."""

    def table(name: str) -> str:
        place = _place_of(catalog, name)
        return table_name(moves.tables[place]) if place and place in moves.tables else name

    def column(name: str, of: str) -> str:
        place = _place_of(catalog, of)
        return moves.columns.get(place, {}).get(name, name) if place else name

    return Renames(
        tables={
            table(source): moves.convex.get(target, target)
            for source, target in renames.tables.items()
        },
        columns={
            (table(source), column(name, source)): (
                moves.convex.get(target, target),
                moves.fields.get(target, {}).get(field, field),
            )
            for (source, name), (target, field) in renames.columns.items()
        },
    )


def _usable(renames: Renames, catalog: Catalog, schema: Schema) -> Renames:
    """The earlier renames whose names still exist; what is gone is reported as a Change."""

    def has(source: str, column: str | None = None) -> bool:
        place = _place_of(catalog, source)
        return place is not None and (column is None or column in catalog.tables[place].columns)

    def gives(target: str, name: str) -> bool:
        return target in schema.tables and name in schema.fields(target, [name])

    return Renames(
        tables={s: t for s, t in renames.tables.items() if has(s) and t in schema.tables},
        columns={
            (source, column): field
            for (source, column), field in renames.columns.items()
            if has(source, column) and gives(*field)
        },
    )


def _existing(named: Iterable[str], schema: Schema, moved: Mapping[str, str]) -> list[str]:
    carried = [name if name in schema.tables else moved.get(name, name) for name in named]
    return [name for name in dict.fromkeys(carried) if name in schema.tables]


def _carried_evidence(evidence: Evidence, back: Moves) -> Evidence:
    """What the rows show, by the old names."""
    return {
        back.tables.get(place, place): replace(
            rows,
            columns={
                back.columns.get(place, {}).get(name, name): seen
                for name, seen in rows.columns.items()
            },
        )
        for place, rows in evidence.items()
    }
