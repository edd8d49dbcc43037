"""What `import stages` offers, and what it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stages
from tests.support.command_line import ROOT

HEAVY = ("adbc_driver_manager", "click", "duckdb", "filelock", "httpx", "pyarrow", "rich")


def run(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize(
    "code", ["import stages", "from stages import Migration, log_events; Migration('.')"]
)
def test_nothing_heavy_is_imported(code: str) -> None:
    """Not even by opening a project: a call imports what it needs."""
    loaded = run(f"import sys\n{code}\nprint(*sorted(sys.modules))").split()
    assert [name for name in HEAVY if name in loaded] == []


def test_import_imports_nothing_of_its_own() -> None:
    loaded = run("import sys, stages\nprint(*sorted(sys.modules))").split()
    assert [name for name in loaded if name.startswith("stages")] == ["stages"]


def test_every_public_name_is_there_and_is_what_type_checkers_see() -> None:
    tree = ast.parse(Path(stages.__file__).read_text("utf-8"))
    checked = {
        alias.name: statement.module
        for node in tree.body
        if isinstance(node, ast.If)
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert sorted(checked) == sorted(stages.__all__)
    for name, module in checked.items():
        value = getattr(stages, name)
        if isinstance(value, type):
            assert value.__module__ == module, name
    assert set(stages.__all__) <= set(dir(stages))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Migrations'"):
        stages.Migrations  # noqa: B018


def test_no_module_needs_a_lock_of_unix() -> None:
    """Of what a migration imports; the sandbox runs on Unix only."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "stages").rglob("*.py"))
        if "sandbox" not in path.parts and path.name not in ("__init__.py", "__main__.py")
    ]
    assert "stages.state.lock" in modules
    # Of the standard library and of others, what needs it is imported first.
    code = (
        "import sys, importlib, filelock, duckdb, pyarrow.parquet, httpx, subprocess\n"
        "filelock.FileLock\n"
        "sys.modules['fcntl'] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)"
    )
    run(code)
