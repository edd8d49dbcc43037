"""What is wrong with a module of convex/, in the user's terms.

Both the export of schema.ts and the sandbox's host load modules with bundle.mjs, whose
`Description` says why one can't be loaded.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import FileError, Place, UserError

CONFIG = "tsconfig.json"


def module_problem(file: Path, packages: Path, problem: Mapping[str, Any]) -> UserError:
    """The error for a module that can't be loaded; `packages` is the folder whose `convex` is used.

    `problem` has the form of `Description`.
    """
    message = " ".join(str(problem["message"]).split())
    at = problem["place"]
    place = Place(at["file"], at["line"]) if at else None
    where = f"{place}: " if place else ""
    if problem["problem"] == "no-convex":
        project = next(
            (each for each in (packages, *packages.parents) if (each / "package.json").exists()),
            None,
        )
        return UserError(
            f"{file} can't be executed: the package `convex` is not installed",
            f"run `npm install` in {project}, or `npm install convex` if its package.json does not "
            "name it"
            if project
            else "there is no package.json: run `npm init -y && npm install convex` in the project",
        )
    if problem["problem"] == "no-esbuild":
        return UserError(
            f"{file} can't be executed: {message}, and `convex` bundles with it",
            "run `npm install` in the project, with optional dependencies",
        )
    if problem["problem"] == "no-package":
        hint = (
            f"run `npm install {' '.join(problem['packages'])}` in the project; if it is an alias "
            f"and not a package, add it to `paths` in the tsconfig.json of {_types_folder(file)}"
        )
    else:
        hint = f"edit that file; try: npx tsc --noEmit -p {shlex.quote(str(_types_folder(file)))}"
    return FileError(
        f"{file} can't be executed: {where}{message}",
        hint,
        file=place.name if place else file,
        line=place.line if place else None,
    )


def _types_folder(file: Path) -> Path:
    """The folder whose tsconfig.json applies to a module."""
    above = (folder for folder in file.parents if (folder / CONFIG).exists())
    return next(above, file.parent)
