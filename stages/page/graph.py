"""The graph of references: which table refers to which, the order in which they are loaded, and the
cycles among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stages.convex.schema import Schema
from stages.convex.values import Shape
from stages.page.flow import TableFigures
from stages.page.model import Edge, Graph, Loss, Node
from stages.project.dependencies import DependencyGroup, dependency_groups, may_wait
from stages.project.plan import Plan
from stages.project.staged_schema import staged_shapes
from stages.rules import Rule
from stages.state.manifests import read_load, read_reference
from stages.state.workspace import Workspace
from stages.verify.record import read_proof

ORPHANS = (Rule.ORPHAN, Rule.ORPHAN_NULLED, Rule.ORPHAN_DROPPED)


def graph(
    workspace: Workspace, plan: Plan, schema: Schema, figures: Mapping[str, TableFigures]
) -> Graph:
    """The graph of the plan's tables, and of those already in Convex that they refer to."""
    tables = [name for name in plan.tables if name in schema.tables]
    groups = dependency_groups(schema, tables)
    level = _levels(schema, groups)
    second = {name: fields for group in groups for name, fields in group.deferred.items()}
    together = {name: group.tables for group in groups for name in group.tables}
    edges = [
        edge
        for name in tables
        for edge in _edges(
            workspace, schema, figures[name], second.get(name, frozenset()), together[name]
        )
    ]
    others = sorted({edge.target for edge in edges} - set(tables))
    nodes = [
        Node(name=name, kind="table", level=level[name], documents=_documents(figures[name]))
        for name in tables
    ]
    nodes += [
        Node(name=name, kind="reference", level=0, documents=_existing(workspace, name))
        for name in others
    ]
    return Graph(
        nodes=nodes, edges=edges, cycles=[list(group.tables) for group in groups if group.cycle]
    )


def _levels(schema: Schema, groups: list[DependencyGroup]) -> dict[str, int]:
    """Table → its level: 0 if it refers to nothing, else above all that it refers to."""
    level: dict[str, int] = {}
    for group in groups:
        needed = {n for name in group.tables for n in schema.references().get(name, ())}
        others = needed - set(group.tables)
        at = 1 + max((level.get(name, 0) for name in others), default=-1)
        level.update(dict.fromkeys(group.tables, at))
    return level


def _documents(figures: TableFigures) -> int | None:
    return figures.status.transform.documents if figures.status.transform else None


def _existing(workspace: Workspace, name: str) -> int | None:
    manifest = read_reference(workspace.reference(name))
    return manifest.rows if manifest else None


def _edges(
    workspace: Workspace,
    schema: Schema,
    figures: TableFigures,
    second: frozenset[str],
    together: tuple[str, ...],
) -> Iterator[Edge]:
    """The references of one table: an edge for each place and target table."""
    name = figures.table.name
    proof = read_proof(workspace, name, read_load(workspace.load(name)))
    losses = [*figures.rules, *figures.changes]
    shapes = staged_shapes(workspace, schema, name)
    fields = schema.fields(name, shapes)
    for field_name, shape in shapes.items():
        for place in shape.positions:
            bound = None
            if proof and len(place.targets) == 1:
                bound = proof.references.get(field_name, {}).get("bound")
            for target in place.targets:
                yield Edge(
                    source=name,
                    target=target,
                    field=place.path,
                    required=not may_wait(fields[field_name]),
                    second_pass=field_name in second and target in together,
                    bound=bound,
                    orphans=_orphans(losses, shape, place.path),
                )


def _orphans(losses: list[Loss], shape: Shape, path: str) -> int:
    """How many rows have a reference at this place whose parent does not exist."""
    names = {path, shape.name} if len(shape.positions) == 1 else {path}
    return sum(loss.rows for loss in losses if loss.rule in ORPHANS and loss.field in names)
