"""References: those that no foreign key declares, those that rows violate, and cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stages.assess.budget import Queries, Question
from stages.assess.sampling import from_sql, sampled_sql
from stages.assess.structure import TableFacts
from stages.extract import auth_tables
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable, Place, table_name
from stages.init.names import singulars, words
from stages.init.secrets import secret_columns
from stages.project.dependencies import components
from stages.sql import name_sql

# Values of one column that are looked up.
MOST_VALUES = 1000
# Candidates for one column that are looked at.
MOST_PARENTS = 3
# The share of values that the parent must have for a reference by name to count.
LIKELY = 0.5
ENDINGS = {"id", "ids", "uuid", "uuids", "guid", "ref", "fk", "slug", "code"}
# What users are called in references.
PEOPLE = {"user", "owner", "author", "creator", "member", "assignee", "customer", "profile"}
PEOPLE_TABLES = {"user", "profile", "account", "member"}
TEXTS = ("text", "varchar", "bpchar", "citext")
INTEGERS = ("int2", "int4", "int8")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A column that refers to another one: by its name only, or by a declared foreign key."""

    table: CatalogTable
    column: CatalogColumn
    parent: CatalogTable
    parent_column: CatalogColumn
    declared: bool = False


@dataclass(frozen=True, kw_only=True)
class Included:
    """How many of the `looked` values the parent has; 0 of 0 if there were no values."""

    candidate: Candidate
    looked: int
    there: int


def candidates(catalog: Catalog, schemas: Iterable[str]) -> list[Candidate]:
    """Pairs of columns by their names, for columns without a foreign key; then declared keys, which
    restored or replicated rows may violate, those NOT VALID first."""
    own = set(schemas)
    tables = [t for t in catalog.tables.values() if t.schema in own and not t.virtual]
    parents = [*tables, *(t for p, t in catalog.tables.items() if p == auth_tables.USERS)]
    called = _by_last_word(parents)
    by_name: list[Candidate] = []
    declared: list[tuple[bool, Candidate]] = []
    for table in tables:
        referring = {name for key in table.foreign_keys for name in key.columns}
        secrets = secret_columns(table)
        for key in table.foreign_keys:
            parent = catalog.tables.get(key.parent)
            if len(key.columns) == 1 and parent and key.parent_columns[0] in parent.columns:
                pair = Candidate(
                    table=table,
                    column=table.columns[key.columns[0]],
                    parent=parent,
                    parent_column=parent.columns[key.parent_columns[0]],
                    declared=True,
                )
                declared.append((not key.definition.endswith("NOT VALID"), pair))
        for column in table.columns.values():
            if column.name not in {*referring, *secrets} and not column.choices:
                by_name += _by_name(table, column, called)
    declared.sort(key=lambda each: each[0])
    return [*by_name, *(pair for _, pair in declared)]


def _by_last_word(tables: Iterable[CatalogTable]) -> dict[str, list[CatalogTable]]:
    """The last word of a table's name, and its singulars → the tables with that word."""
    called: dict[str, list[CatalogTable]] = {}
    for table in tables:
        for word in singulars((words(table.name) or [""])[-1]):
            called.setdefault(word, []).append(table)
    return called


def _by_name(
    table: CatalogTable, column: CatalogColumn, called: Mapping[str, list[CatalogTable]]
) -> list[Candidate]:
    stem, ending = _stem(column.name)
    if stem is None:
        return []
    last = singulars(stem[-1]) | (PEOPLE_TABLES if stem[-1] in PEOPLE else set())
    parents = [table] if stem[-1] == "parent" else []
    parents += [each for word in sorted(last) for each in called.get(word, ())]
    ranked = []
    for parent in {each.place: each for each in parents}.values():
        rank = _rank(stem, table, parent)
        if rank is None:
            continue
        for other in _keys(parent, ending):
            same = parent.place == table.place and other.name == column.name
            if not same and _comparable(column, other):
                pair = Candidate(table=table, column=column, parent=parent, parent_column=other)
                ranked.append((rank, pair))
                break
    ranked.sort(key=lambda each: each[0])
    return [pair for _, pair in ranked[:MOST_PARENTS]]


def _stem(name: str) -> tuple[list[str] | None, str]:
    """What a column's name says that it refers to, and by what: `billing_address_id` → (billing,
    address), id. None for a name that does not suggest a reference."""
    parts = words(name)
    if len(parts) == 2 and parts[1] == "by":  # created_by
        return ["user"], "id"
    if len(parts) > 1 and parts[-1] in ENDINGS:
        return parts[:-1], min(singulars(parts[-1]), key=len)
    if len(parts) == 1 and parts[0] in PEOPLE - {"user", "profile"}:
        return parts, "id"
    return None, ""


def _rank(stem: list[str], table: CatalogTable, parent: CatalogTable) -> int | None:
    """0 for a table of exactly this name, then tables named as its last words, then tables of
    users; None for any other."""
    called = words(parent.name)
    for rank, tail in enumerate((stem, *(stem[n:] for n in range(1, len(stem))))):
        if len(tail) == len(called) and all(
            singulars(a) & singulars(b) for a, b in zip(tail, called, strict=True)
        ):
            return rank
    if stem[-1] == "parent" and parent.place == table.place:
        return 1
    # `contact_id` for `ari_contacts`.
    if len(called) > 1 and singulars(called[-1]) & singulars(stem[-1]):
        return 4
    people = any(singulars(called[-1]) & {each} for each in PEOPLE_TABLES)
    return 5 if stem[-1] in PEOPLE and people else None


def _keys(parent: CatalogTable, ending: str) -> Iterator[CatalogColumn]:
    """What may be referred to: the key, then unique columns; for `slug` and `code`, only columns
    that end in this word."""
    secrets = secret_columns(parent)
    groups = (parent.key, *parent.unique)
    single = [group[0] for group in groups if len(group) == 1 and group[0] not in secrets]
    if ending in ("slug", "code"):
        single = [name for name in single if words(name)[-1:] == [ending]]
    yield from (parent.columns[name] for name in dict.fromkeys(single))


def _comparable(column: CatalogColumn, other: CatalogColumn) -> bool:
    kind = column.item or column.type
    return any(kind in kinds and other.type in kinds for kinds in (("uuid",), TEXTS, INTEGERS))


def look_up(
    queries: Queries,
    pairs: Iterable[Candidate],
    facts: Mapping[Place, TableFacts],
    rows: Mapping[Place, tuple[int, bool]],
) -> list[Included]:
    """Look up at most `MOST_VALUES` values of each column in the other one, which has an index."""
    asked = [pair for pair in pairs if facts.get(pair.table.place, TableFacts()).readable]
    answers = queries.answers(
        Question(
            key=number,
            sql=_look_up_sql(pair, facts, rows[pair.table.place][0]),
            what=f"where {pair.table.name}.{pair.column.name} refers to",
        )
        for number, pair in enumerate(asked)
    )
    return [
        Included(candidate=asked[number], looked=row["looked"], there=row["there"])
        for number, row in answers.items()
    ]


def _look_up_sql(pair: Candidate, facts: Mapping[Place, TableFacts], rows: int) -> str:
    column = name_sql(pair.column.name)
    value = f"unnest(r.{column})" if pair.column.item else f"r.{column}"
    source = sampled_sql(pair.table, facts.get(pair.table.place, TableFacts()), rows)
    parent = from_sql(pair.parent, facts.get(pair.parent.place, TableFacts()))
    # One lookup per value: a join might read all of a large table.
    return (
        "SELECT count(*) AS looked, count(p.hit) AS there FROM "
        f"(SELECT v FROM (SELECT DISTINCT {value} AS v FROM ({source}) r) d WHERE v IS NOT NULL "
        f"LIMIT {MOST_VALUES}) s LEFT JOIN LATERAL (SELECT 1 AS hit FROM {parent} p "
        f"WHERE p.{name_sql(pair.parent_column.name)} = s.v LIMIT 1) p ON true"
    )


def likely(included: Iterable[Included]) -> list[Included]:
    """The best reference of each column, if its values or its name support it; before these,
    declared ones that lack a value in the parent."""
    best: dict[tuple[Place, str], Included] = {}
    missing = []
    for each in included:
        candidate = each.candidate
        if candidate.declared:
            missing += [each] if each.there < each.looked else []
            continue
        place = (candidate.table.place, candidate.column.name)
        known = best.get(place)
        if known is None or _share(each) > _share(known):
            best[place] = each
    return [*missing, *(each for each in best.values() if _share(each) >= LIKELY)]


def _share(included: Included) -> float:
    # Without any values, only the name counts.
    return included.there / included.looked if included.looked else LIKELY


def required_cycles(catalog: Catalog, schemas: Iterable[str]) -> list[tuple[Place, ...]]:
    """Tables that refer to one another in a cycle of foreign keys whose columns are all NOT NULL:
    no row can be inserted first."""
    own = set(schemas)
    places = {table_name(place): place for place in catalog.tables if place[0] in own}
    graph = {
        name: sorted(
            {
                table_name(key.parent)
                for key in catalog.tables[place].foreign_keys
                if table_name(key.parent) in places
                and all(catalog.tables[place].columns[column].not_null for column in key.columns)
            }
        )
        for name, place in places.items()
    }
    return [
        tuple(places[name] for name in members)
        for members in components(graph)
        if len(members) > 1 or members[0] in graph[members[0]]
    ]
