"""dlt as its documentation has it: `python -m tests.bench.children_dlt BACKEND CONFIG`.

Runs in a venv of its own (requirements.lock), where nothing of this project is installed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

# Nothing is to be told to anybody.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt  # type: ignore[import-not-found]
from dlt.sources.sql_database import sql_table  # type: ignore[import-not-found]


def main(backend: str, file: Path) -> None:
    """One table to Parquet files below `output`."""
    config = json.loads(file.read_text("utf-8"))
    file.with_suffix(".began").write_text(str(time.monotonic()))
    # SQLAlchemy's own choice of a driver is another one, which dlt does not install.
    address = config["db_url"].replace("postgresql://", "postgresql+psycopg2://", 1)
    table = sql_table(credentials=address, schema="bench", table=config["table"], backend=backend)
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.filesystem(f"file://{config['output']}"),
        dataset_name="bench",
        pipelines_dir=config["work"],
    )
    pipeline.run(table, loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
