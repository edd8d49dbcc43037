"""What else to know about a migration: columns that nothing reads, URLs that expire or depend on
the old storage, and keys of side files that the source does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.project.plan import Plan
from stages.state.manifests import TransformManifest, read_keys, read_transform
from stages.state.parts import read_form
from stages.state.records import read_whole
from stages.state.sides import SidesFile
from stages.state.workspace import Workspace, form_file


def unused_columns(workspace: Workspace, plan: Plan) -> dict[str, list[str]]:
    """Source → its columns that no model reads, except those that the plan lists as unused.

    Empty while a table of the plan is not transformed yet, since its model may read them.
    """
    manifests = [read_transform(workspace.transform(name)) for name in plan.tables]
    if not all(manifests):
        return {}
    keys = [
        read_keys(workspace.keys_manifest(name)) for name, r in plan.references.items() if r.keys
    ]
    read: dict[str, set[str]] = {}
    for manifest in (*manifests, *keys):
        for source, columns in (manifest.reads if manifest else {}).items():
            read.setdefault(source, set()).update(columns)
    unused = {}
    for name, staged in plan.sources.items():
        folder = workspace.extract(name)
        if form_file(folder).exists():
            form = read_form(folder, f"stages extract {name}")
            meant = read.get(name, set()) | set(staged.unused)
            columns = [column for column in form.names if column not in meant]
            if columns:
                unused[name] = columns
    return unused


def side_figures(workspace: Workspace) -> dict[str, dict[str, int]]:
    """Side file that the plan ties to a source → {rows, orphans}."""
    stored = read_whole(SidesFile, workspace.sides) or SidesFile()
    return {
        name: {"rows": side.rows, "orphans": side.orphans} for name, side in stored.sides.items()
    }


def url_classes(transformed: TransformManifest | None) -> list[dict[str, Any]]:
    """{field, class, rows, first_end, last_end} of a table's documents."""
    return transformed.urls if transformed else []


def summary_lines(report: dict[str, Any]) -> Iterator[str]:
    """These notes in Markdown; a section without entries is left out."""
    tables = report["tables"]
    unused = [
        f"- {name}: {', '.join(columns)}"
        for name, columns in report.get("unused_columns", {}).items()
    ]
    urls = [
        f"- {name}.{url['field']}: {url['class']}: {url['rows']:,}{_ends(url)}"
        for name, entry in tables.items()
        for url in entry.get("urls", [])
    ]
    sides = [
        f"- {name}: {entry['rows']:,} keys, {entry['orphans']:,} of them not in the source"
        for name, entry in report.get("side_files", {}).items()
    ]
    for title, lines in (
        ("Columns that no model reads", unused),
        ("URLs", urls),
        ("Side files", sides),
    ):
        if lines:
            yield from ("", f"## {title}", "", *lines)


def _ends(url: dict[str, Any]) -> str:
    if url["class"] != "signed":
        return ""
    if not url["last_end"]:
        return ", without an end that could be read"
    return f", the first ends {url['first_end']}, the last {url['last_end']}"
