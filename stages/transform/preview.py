"""Transform without writing: a real run, in a copy of the transform folder made of hard links.

Every file is written under another name and then renamed, so the original is never changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from stages.state.durable import make_folder, remove
from stages.state.workspace import Preview, Workspace


@contextmanager
def preview(workspace: Workspace) -> Iterator[Preview]:
    """A workspace whose transform folder is a copy, deleted at the end."""
    aside = Preview(project=workspace.project, data=workspace.data, target=workspace.target)
    remove(aside.transforms)
    make_folder(aside.transforms)
    try:
        if workspace.transforms.exists():
            shutil.copytree(
                workspace.transforms, aside.transforms, copy_function=os.link, dirs_exist_ok=True
            )
        yield aside
    finally:
        remove(aside.transforms)
