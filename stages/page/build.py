"""Builds the page of a project: everything that its files show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from stages.convex.schema import Schema
from stages.errors import StagesError
from stages.page.flow import TableFigures, cells, flow, read_figures, total
from stages.page.graph import graph
from stages.page.mapping import mapped
from stages.page.model import (
    Cause,
    ChangeRow,
    Command,
    Consistency,
    Graph,
    MappedTable,
    Page,
    RejectGroup,
    RejectRow,
    RuleMeaning,
    Setting,
    Table,
    VerifiedTable,
)
from stages.page.rows import first_changes, first_rejects, shortened
from stages.project.plan import Plan
from stages.project.staged_schema import staged_with_references
from stages.project.text_files import read_text_file
from stages.rejects import AGAIN, list_rejects
from stages.rejects import RejectGroup as Rejected
from stages.report.notes import unused_columns
from stages.rules import Rule
from stages.sql import open_duckdb
from stages.standing import RunningCommand, Status
from stages.state.durable import read_json
from stages.state.history import read_history
from stages.state.manifests import ExtractManifest, Snapshot, read_extract
from stages.state.workspace import Workspace, manifest_file
from stages.status import consistency, status_now
from stages.verify.record import WRONG

Part = TypeVar("Part")
# Only the newest runs, so that a page does not grow with each.
MOST_RUNS = 500


@dataclass
class Memo:
    """Keeps what was made from files until one of them changes: with many rows it takes long."""

    _made: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def get(self, name: str, made_from: Any, make: Callable[[], Part]) -> Part:
        """What `make` returns, or what it returned for the same files."""
        stored = self._made.get(name)
        if stored is None or stored[0] != made_from:
            stored = self._made[name] = (made_from, make())
        made: Part = stored[1]
        return made


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Whose page is wanted, and how: with `values` of rows or without, `live` or as a file.
    `complete` completes commands; `most` limits the rows of each group of rejects and changes."""

    workspace: Workspace
    plan: Plan
    settings: Sequence[Setting]
    complete: Callable[[str], str]
    values: bool
    live: bool
    most: int
    memo: Memo = field(default_factory=Memo)


def build_page(asked: Asked) -> Page:
    """The page, from files alone, even while another command runs.

    Raises StagesError if not even the status can be determined: a manifest is damaged.
    """
    workspace, plan = asked.workspace, asked.plan
    standing = status_now(workspace, plan, asked.complete)
    running = standing.running
    figures = {
        name: read_figures(
            workspace,
            plan.tables[name],
            table,
            running.command if running else "",
            values=asked.values,
        )
        for name, table in standing.tables.items()
    }
    parts = _Parts(asked)
    schema = parts.schema()
    references = parts.graph(schema, figures)
    level = {node.name: node.level for node in references.nodes}
    tables = [_table(each, level.get(name, 0)) for name, each in figures.items()]
    rejected = parts.reject_groups()
    changes = {table.name: table.changes for table in tables if table.changes}
    names = {group.rule for group in rejected}
    names |= {loss.rule for table in tables for loss in (*table.losses, *table.changes)}
    return Page(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        live=asked.live,
        values=asked.values,
        version=version("supabase-to-convex"),
        plan=plan.name,
        source=standing.source,
        target=standing.target,
        consistency=standing.consistency,
        verdict=standing.verdict,
        finished=standing.finished,
        next=standing.next,
        running=_command(running),
        flow=total(table.flow for table in tables),
        tables=tables,
        map=parts.map(schema, figures),
        not_carried=parts.not_carried(),
        assessment=read_json(workspace.assessment),
        graph=references,
        reject_groups=rejected,
        rejects=parts.rejects(),
        change_groups=changes,
        changes=parts.changes(),
        rules={rule.value: _meaning(rule) for rule in Rule if rule in names},
        consistency_of=_consistency(workspace, plan),
        verified=_verified(standing),
        history=[r for r in read_history(workspace) if r.target == workspace.target][-MOST_RUNS:],
        settings=asked.settings,
        rows_of_group=asked.most,
        problems=parts.problems,
    )


def _command(running: RunningCommand | None) -> Command | None:
    if running is None:
        return None
    return Command(command=running.command, pid=running.pid, since=running.since)


def _table(figures: TableFigures, level: int) -> Table:
    return Table(
        name=figures.table.name,
        source=figures.table.source,
        grain=figures.table.grain,
        level=level,
        stages=cells(figures),
        flow=flow(figures),
        losses=figures.rules,
        changes=figures.changes,
    )


class _Parts:
    """What takes long or may fail: a part that can't be made is empty, and listed as a problem."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._workspace, self._plan = asked.workspace, asked.plan
        self.problems: list[str] = []

    def _part(self, name: str, make: Callable[[], Part], without: Part) -> Part:
        import duckdb

        try:
            return make()
        except StagesError as error:
            self._add_problem(self._asked.complete(str(error)))
        except duckdb.Error as error:  # such as a truncated Parquet file
            # DuckDB's message may quote a value.
            words = str(error).splitlines()[0] if self._asked.values else type(error).__name__
            hint = self._asked.complete(AGAIN)
            self._add_problem(f"{name} can't be read: {words}\n  → {hint}")
        return without

    def _add_problem(self, problem: str) -> None:
        """Add a problem only once: two parts may be made from the same file."""
        if problem not in self.problems:
            self.problems.append(problem)

    def _kept(self, name: str, files: Iterable[Path], make: Callable[[], Part]) -> Part:
        """What was made from these files, as long as they stay the same."""
        plan = self._workspace.plan
        return self._asked.memo.get(name, [_seen(file) for file in (*files, plan)], make)

    def schema(self) -> Schema | None:
        """schema.ts as last exported, with the places of references that the plan names."""
        return self._part(
            "convex/schema.ts", lambda: staged_with_references(self._workspace, self._plan), None
        )

    def graph(self, schema: Schema | None, figures: Mapping[str, TableFigures]) -> Graph:
        """The graph of references; empty before the schema is exported."""
        if schema is None:
            return Graph()
        return self._part(
            "references", lambda: graph(self._workspace, self._plan, schema, figures), Graph()
        )

    def map(
        self, schema: Schema | None, figures: Mapping[str, TableFigures]
    ) -> Sequence[MappedTable]:
        """Columns to fields, of every table."""
        workspace = self._workspace
        nothing: dict[str, list[str]] = {}
        unread = self._part(
            "columns that no model reads", lambda: unused_columns(workspace, self._plan), nothing
        )

        def make() -> list[MappedTable]:
            with open_duckdb() as connection:
                return [
                    mapped(workspace, schema, connection, each, unread.get(each.table.source, ()))
                    for each in figures.values()
                ]

        tables = self._plan.tables.values()
        files = [workspace.schema, *(workspace.model(table.model) for table in tables)]
        files += [manifest_file(workspace.transform(table.name)) for table in tables]
        files += [manifest_file(workspace.extract(table.source)) for table in tables]
        return self._part("the map", lambda: self._kept("map", files, make), [])

    def reject_groups(self) -> Sequence[RejectGroup]:
        """What was rejected, causes first."""

        def make() -> list[RejectGroup]:
            tables = self._plan.tables.values()
            groups = list_rejects(self._workspace, self._plan, tables, None)
            return [self._group(group) for group in groups]

        files = [*self._rejected(), self._workspace.failures, self._workspace.extract_failures]
        return self._part("rejects", lambda: self._kept("reject groups", files, make), [])

    def _group(self, group: Rejected) -> RejectGroup:
        values = self._asked.values
        reasons = [reason.reason for reason in group.reasons]
        if group.rule == Rule.FAILED:
            reasons = [example["reason"] for example in group.examples]
        return RejectGroup(
            table=group.table,
            stage=group.stage,
            field=group.field,
            rule=group.rule,
            rows=group.rows,
            edit=self._asked.complete(group.edit),
            because=[Cause(table=table, rows=rows) for table, rows in group.because.items()],
            follows_from=list(dict.fromkeys(cause.table for cause in group.caused_by)),
            reasons=[shortened(reason) for reason in reasons] if values else [],
        )

    def _rejected(self) -> list[Path]:
        names, workspace = self._plan.tables, self._workspace
        return [
            file(name) for name in names for file in (workspace.rejects, workspace.load_rejects)
        ]

    def rejects(self) -> Sequence[RejectRow]:
        """The first rows of each group."""
        asked = self._asked

        def make() -> list[RejectRow]:
            return first_rejects(asked.workspace, asked.plan, values=asked.values, most=asked.most)

        return self._part("rejects", lambda: self._kept("rejects", self._rejected(), make), [])

    def changes(self) -> Sequence[ChangeRow]:
        """The first changed values of each group."""
        asked = self._asked

        def make() -> list[ChangeRow]:
            return first_changes(asked.workspace, asked.plan, values=asked.values, most=asked.most)

        files = [asked.workspace.changes(name) for name in asked.plan.tables]
        return self._part("changes", lambda: self._kept("changes", files, make), [])

    def not_carried(self) -> str:
        """What init wrote about what Postgres did; empty if it wrote nothing."""
        file = self._workspace.not_carried
        return self._part(file.name, lambda: read_text_file(file) if file.exists() else "", "")


def _seen(file: Path) -> tuple[str, int, int] | None:
    """A file's name, modification time and size; None if it does not exist."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return str(file), found.st_mtime_ns, found.st_size


def _meaning(rule: Rule) -> RuleMeaning:
    return RuleMeaning(meaning=rule.meaning, cause=rule.cause, fix=rule.where_to_fix_any())


def _consistency(workspace: Workspace, plan: Plan) -> list[Consistency]:
    """How each source was read, for those that have been."""
    return [
        Consistency(
            source=name,
            transport=manifest.transport,
            snapshot=_snapshot(manifest),
            rows=sum(part.rows for part in manifest.parts),
            read=manifest.finished,
            moved=str(manifest.moved) if manifest.moved else None,
        )
        for name in plan.sources
        if (manifest := read_extract(workspace.extract(name)))
    ]


def _snapshot(manifest: ExtractManifest) -> str:
    """Which snapshot all rows of a source are from, in a few words."""
    if manifest.status == "missing":
        return "missing at the source"
    kind = consistency([manifest])
    (last,) = manifest.snapshots[-1:] or [Snapshot(kind="none")]
    if kind == "mixed":
        return f"mixed: {len(manifest.snapshots)} snapshots"
    return f"{last.snapshot}, {last.at}" if kind == "exported" and last.snapshot else "none"


def _verified(standing: Status) -> list[VerifiedTable]:
    return [
        VerifiedTable(
            table=name,
            counts=table.verify.counts,
            wrong=[kind for kind in WRONG if table.verify.counts.get(kind)],
            stale=table.verify.stale,
        )
        for name, table in standing.tables.items()
        if table.verify
    ]
