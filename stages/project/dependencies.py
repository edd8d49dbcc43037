"""The order of tables: parents first; tables that refer to one another in a cycle together.

A cycle is loaded in two passes: every reference inside it that may be missing for a while is bound
in the second. The other references must allow an order, or only an import can load the cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from stages.convex.schema import Field, Schema
from stages.errors import UserError


@dataclass(frozen=True, kw_only=True)
class DependencyGroup:
    """Tables that belong together, in the order in which they are loaded.

    `deferred`: table → fields that are bound in the second pass; empty if there is no cycle.
    """

    tables: tuple[str, ...]
    deferred: Mapping[str, frozenset[str]]
    cycle: bool = False


def dependency_groups(schema: Schema, tables: Iterable[str]) -> list[DependencyGroup]:
    """The tables in groups, parents first. A group of more than one, or of one that refers to
    itself, is a cycle; if it has no order even so, it is returned unordered (see `require_order`).
    """
    names = list(tables)
    graph = {
        name: sorted(r for r in schema.references().get(name, ()) if r in names) for name in names
    }
    return [_group(schema, members, graph) for members in components(graph)]


def require_order(schema: Schema, group: DependencyGroup) -> None:
    """Raise UserError, naming it, for a cycle in which every reference is required."""
    if not group.cycle:
        return
    try:
        list(TopologicalSorter(_kept(schema, group)).static_order())
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        raise UserError(
            f"these tables refer to one another in a cycle in which every reference is required: "
            f"{cycle}",
            "load them with --through import, or make one of the references v.optional()",
        ) from None


def may_wait(field: Field) -> bool:
    """Whether a document is valid for a while without this field's references."""
    if field.demanded:
        return False
    kinds = [m["type"] for m in field.members()]
    return field.optional or "null" in kinds or kinds == ["array"]


def _group(schema: Schema, members: list[str], graph: Mapping[str, list[str]]) -> DependencyGroup:
    if len(members) == 1 and members[0] not in graph[members[0]]:
        return DependencyGroup(tables=tuple(members), deferred={})
    deferred = {}
    for name in members:
        waiting = frozenset(
            field.name
            for field in schema.fields(name).values()
            if may_wait(field) and set(field.references()) & set(members)
        )
        if waiting:
            deferred[name] = waiting
    group = DependencyGroup(tables=tuple(members), deferred=deferred, cycle=True)
    try:
        order = TopologicalSorter(_kept(schema, group)).static_order()
        return replace(group, tables=tuple(order))
    except CycleError:
        return group


def _kept(schema: Schema, group: DependencyGroup) -> dict[str, set[str]]:
    """Table → tables of the group that must be loaded before it."""
    return {
        name: {
            target
            for field in schema.fields(name).values()
            if field.name not in group.deferred.get(name, ())
            for target in field.references()
            if target in group.tables
        }
        for name in group.tables
    }


def components(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """Strongly connected components, each after those that it refers to (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_names: list[str] = []
    components: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        open_names.append(name)
        for other in graph[name]:
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in open_names:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            at = open_names.index(name)
            components.append(open_names[at:])
            del open_names[at:]

    for name in graph:
        if name not in number:
            visit(name)
    return components
