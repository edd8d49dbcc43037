"""Extract in a process of its own that kills itself -9 at a chosen step.

    python -m tests.extract.killed CONFIG

CONFIG is a JSON file: `folder` of the project, `source` (settings), `options`, `close`: die after
so many closed parts (0: never), and `swap`: die in the middle of the so many-th swap of a restart.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from stages.extract import restart, table_extract
from stages.project.settings import Secret, Source
from stages.state.durable import publish
from tests.extract.support import SMALL, Project

lock = threading.Lock()
steps_taken = {"close": 0, "swap": 0}


def step(name: str, fatal: int) -> None:
    with lock:
        steps_taken[name] += 1
        if steps_taken[name] == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal may reach another thread first


def main(config: dict[str, Any]) -> None:
    close = table_extract.TableExtract._close_part

    def closing(*args: Any) -> None:
        close(*args)
        step("close", config["close"])

    def swapping(*args: Any) -> None:
        step("swap", config["swap"])
        publish(*args)

    for place, name, value in (
        *SMALL,
        (table_extract.TableExtract, "_close_part", closing),
        (restart, "publish", swapping),
    ):
        assert hasattr(place, name), f"{place} has no {name} any more"
        setattr(place, name, value)
    settings = config["source"]
    source = Source(
        ref=settings["ref"],
        url=settings["url"],
        key=Secret(settings["key"]),
        db_url=Secret(settings["db_url"]),
    )
    Project(Path(config["folder"]), source).extract(**config["options"])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
