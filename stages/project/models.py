"""The user's SQL models, as they are read from their files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.errors import FileError
from stages.project.text_files import read_text_file
from stages.state.workspace import Workspace


@dataclass(frozen=True)
class Model:
    """One `.sql` file with one SELECT."""

    name: str
    text: str


def read_model(workspace: Workspace, name: str) -> Model:
    """Read a model. Raises FileError if the file is missing."""
    file = workspace.model(name)
    try:
        text = read_text_file(file)
    except FileNotFoundError:
        raise FileError(
            f"there is no model {name}", f"write {file}, one SELECT", file=file
        ) from None
    # The line break also ends a trailing comment, so that a bracket may follow.
    return Model(name=name, text=re.sub(r";(\s|--[^\n]*(\n|$))*\Z", "", text).strip() + "\n")
