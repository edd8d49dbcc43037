"""The structure of the package: no import cycle, no stage that imports another, no long module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

from tests.support.command_line import ROOT
from tests.support.relations import declared_relations

PACKAGE = ROOT / "stages"
STAGES = ("extract", "transform", "load", "verify")
MOST_LINES = 500


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imports_of(module: str, file: Path) -> Iterator[str]:
    """The package's modules that a module imports: at its top, inside functions, or for types."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            base = node.module or ""
            names = [
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name in FILES and name != module)


GRAPH = {module: set(imports_of(module, file)) for module, file in FILES.items()}


def test_the_graph_holds_what_is_there() -> None:
    """The tests below would pass on an empty graph."""
    assert "stages.project.plan" in GRAPH["stages.load.run"]
    assert len(GRAPH) > 100


def test_no_import_cycle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from None


def test_no_stage_imports_another() -> None:
    crossing = [
        f"{module} imports {imported}"
        for module, others in GRAPH.items()
        for imported in others
        if (stage := module.split(".")[1:2]) and stage[0] in STAGES
        if imported.split(".")[1] in STAGES and imported.split(".")[1] != stage[0]
    ]
    assert not crossing


def test_no_stage_needs_another() -> None:
    """Not by way of other modules, either."""
    for stage in STAGES:
        waiting = [module for module in FILES if module.startswith(f"stages.{stage}.")]
        needed = set(waiting)
        while waiting:
            new = GRAPH[waiting.pop()] - needed
            needed |= new
            waiting += new
        others = {m for m in needed for other in STAGES if m.startswith(f"stages.{other}.")}
        assert all(module.startswith(f"stages.{stage}.") for module in others), stage


WORKSPACE = "stages.state.workspace"
STAGED = (".parquet", ".json", ".jsonl", ".duckdb", ".zip", ".lock", ".damaged")
# The sandbox keeps its own state, outside of data/, and names it in its own package.
OWN_STATE = "stages.sandbox"
# What is not staged: files of the user's project, and Convex' names inside of its ZIP.
OTHERS = {
    "stages.cli.load": {"FILE.zip"},
    "stages.convex.module_problem": {"package.json", "tsconfig.json"},
    "stages.convex.schema": {"tsconfig.json", "../tsconfig.json"},
    "stages.load.importing.snapshot_file": {"/documents.jsonl", "/generated_schema.jsonl"},
    "stages.probe.convex_imports": {"/documents.jsonl", "/generated_schema.jsonl"},
    "stages.project.plan_reader": {".planning/migrations/data-migration-report.json"},
    "stages.results": {"/<table>.parquet"},
    "stages.side_views": {".json", ".parquet"},
}


def file_names(file: Path) -> Iterator[str]:
    """Texts of the code that are a file's name, or the end of one, and nothing more: what is said
    about a file stands in a sentence, or in a docstring."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
            if name.endswith(STAGED) and not set(name) & set(" `\n:'\""):
                yield name


def test_staged_files_are_named_in_one_module() -> None:
    """What a module reads, it gets from the workspace, so that a file's name is there once."""
    named = [name for name in file_names(FILES[WORKSPACE]) if not name.startswith(".")]
    assert {"manifest.json", "documents.parquet", "acks.jsonl", "snapshot.zip"} <= set(named)
    assert len(set(named)) == len(named)
    elsewhere = [
        f"{module}: {name}"
        for module, file in FILES.items()
        if module != WORKSPACE and not module.startswith(OWN_STATE)
        for name in file_names(file)
        if name not in OTHERS.get(module, ())
    ]
    assert not elsewhere


def test_no_module_is_too_long() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.ts"), *PACKAGE.rglob("*.sql")]
        if (lines := len(file.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_no_name_of_a_relation_means_two_things() -> None:
    """Not in two packages, either: verify and load run in one process."""
    packages = ("convex", "transform", "load", "verify")
    modules = [import_module(f"stages.{package}.relations") for package in packages]
    names = [relation.name for m in modules for relation in declared_relations(m).values()]
    assert len(names) == len(set(names)) > 50
