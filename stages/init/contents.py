"""The texts that init makes of one picture of source and schema.ts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stages.convex.schema import Schema
from stages.errors import UserError
from stages.init.catalog import Catalog
from stages.init.evidence import Evidence
from stages.init.model import key_model_text, model_text
from stages.init.not_carried import not_carried_text
from stages.init.pairing import LEDGER, Renames, pair_tables
from stages.init.pairs import Pairing
from stages.init.plan_text import in_reference_order, plan_text


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The pairs, and the texts made from them. `references` are the tables that Convex already
    has, first those that others are looked up by."""

    catalog: Catalog
    pairing: Pairing
    references: tuple[str, ...]

    def model(self, target: str) -> str | None:
        """A table's model, or its key model; None for one without a source."""
        paired = self.pairing.tables.get(target)
        if paired is None:
            return None
        if target in self.references:
            return key_model_text(paired, self.pairing, self.references)
        return model_text(paired, self.catalog, self.pairing)

    def model_file(self, target: str) -> str:
        """The model's file, relative to .planning/migrations."""
        return f"{'keys' if target in self.references else 'models'}/{target}.sql"

    def plan(self, name: str, targets: Collection[str] | None = None) -> str:
        """The text of plan.toml, for all tables or only `targets`."""
        if targets is None:
            return plan_text(name, self.pairing, self.references)
        chosen = {n: paired for n, paired in self.pairing.tables.items() if n in targets}
        references = [n for n in self.references if n in targets]
        return plan_text(name, replace(self.pairing, tables=chosen), references)

    @property
    def known(self) -> tuple[str, ...]:
        """The Convex tables for which such a plan has an entry."""
        return tuple(dict.fromkeys([*self.references, *self.pairing.tables]))

    def not_carried(self) -> str:
        return not_carried_text(self.catalog, self.pairing)


def make_contents(
    catalog: Catalog,
    schema: Schema,
    renames: Renames,
    evidence: Evidence,
    references: Iterable[str],
    why: Mapping[tuple[str, str], str] | None = None,
) -> Contents:
    """Pair tables and columns. `why`: (table, field) → the reason to give for a pair instead.

    Raises UserError if no table matches, or a rename or reference names what does not exist.
    """
    pairing = pair_tables(catalog, schema, renames, catalog.schemas, evidence)
    if not pairing.tables:
        raise no_table(catalog)
    if why:
        tables = dict(pairing.tables)
        for (target, name), words in why.items():
            if target in tables and name in tables[target].fields:
                pair = replace(tables[target].fields[name], why=words)
                fields = {**tables[target].fields, name: pair}
                tables[target] = replace(tables[target], fields=fields)
        pairing = replace(pairing, tables=tables)
    return Contents(
        catalog=catalog,
        pairing=pairing,
        references=tuple(_references(schema, pairing, references)),
    )


def no_table(catalog: Catalog) -> UserError:
    """The error if no table of the source is in schema.ts."""
    return UserError(
        "no source table has the name of a table in convex/schema.ts: the source has "
        + (", ".join(name for _, name in catalog.tables) or "none"),
        "pair them with --rename source_table=convexTable, or name other schemas with --schema",
    )


def project_name(project: Path) -> str:
    """The name that the plan gets: that of the project's folder."""
    return project.resolve().name or "migration"


def _references(schema: Schema, pairing: Pairing, named: Iterable[str]) -> list[str]:
    """Tables that Convex already has: those named, and those referred to that are not paired."""
    named_tables = dict.fromkeys(named)
    for name in named_tables:
        if name not in schema.tables:
            raise UserError(
                f"--reference: convex/schema.ts has no table `{name}`",
                f"it has: {', '.join(sorted(schema.tables))}",
            )
    loaded = [name for name in pairing.tables if name not in named_tables]
    graph = schema.references()
    referred = {target for name in loaded for target in graph[name]}
    references = [
        name
        for name in schema.tables
        if name != LEDGER
        and (name in named_tables or (name in referred and name not in pairing.tables))
    ]
    return in_reference_order(references, schema)
