"""The contestants of this project's own venv: `python -m tests.bench.children KIND CONFIG`."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

Config = dict[str, Any]
# What extract asks REST for: the types that JSON would bend come as text.
COLUMNS = (
    "id, uid, created_at, updated_at, code, body, payload::text, amount::text, quantity, "
    "score::text, active, tags::text"
)
PAGE = 1000
MODULES = {"postgres": "adbc_driver_postgresql.dbapi", "rest": "httpx"}


def stages(config: Config) -> None:
    """`stages extract`, without the command line and without Convex."""
    # What extract imports when it comes to need it is start-up as well.
    for name in ("pyarrow.compute", "pyarrow.parquet", MODULES[config["via"]]):
        import_module(name)
    from stages.extract.run import ExtractOptions, extract
    from stages.progress import Silent
    from stages.project.plan_reader import load_plan
    from stages.project.settings import Secret, Source
    from stages.state.lock import data_lock
    from stages.state.workspace import Workspace

    began(config)
    workspace = Workspace(
        project=Path(config["work"]), data=Path(config["output"]), target="sandbox-bench"
    )
    workspace.plan.parent.mkdir(parents=True, exist_ok=True)
    workspace.plan.write_text(
        "".join(
            f'[sources.{table}]\ntable = "bench.{table}"\n[tables.{table}]\nsource = "{table}"\n'
            for table in config["tables"]
        )
    )
    source = Source(
        ref=config["ref"],
        url=config["url"],
        key=Secret(config["key"]),
        db_url=Secret(config["db_url"]),
    )
    with data_lock(workspace):
        options = ExtractOptions(via=config["via"], jobs=config.get("jobs"))
        result = extract(workspace, load_plan(workspace.plan), source, options, Silent())
    if result.failed:
        sys.exit(f"failed: {result.tables}")


def adbc(config: Config) -> None:
    """One connection, one table, the Parquet writer's own defaults."""
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    began(config)
    folder = Path(config["output"])
    folder.mkdir(parents=True)
    with dbapi.connect(config["db_url"]) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM bench.{config['table']}")
        batches = cursor.fetch_record_batch()
        with pq.ParquetWriter(folder / "all.parquet", batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)


def pages(config: Config) -> None:
    """The pages of a REST table one after the other, as a short script would read them."""
    import httpx
    import pyarrow as pa
    import pyarrow.parquet as pq

    began(config)
    folder = Path(config["output"])
    folder.mkdir(parents=True)
    headers = {"apikey": config["key"], "authorization": f"Bearer {config['key']}"}
    address = f"{config['url']}/rest/v1/{config['table']}"
    writer, after = None, 0
    with httpx.Client(headers=headers, timeout=60) as client:
        while True:
            query = {"order": "id.asc", "id": f"gt.{after}", "limit": str(PAGE)}
            rows = client.get(address, params=query).raise_for_status().json()
            if not rows:
                break
            page = pa.Table.from_pylist(rows, schema=writer and writer.schema)
            writer = writer or pq.ParquetWriter(folder / "all.parquet", page.schema)
            writer.write_table(page)
            after = rows[-1]["id"]
    assert writer
    writer.close()


def json_agg(config: Config) -> None:
    """Only what Postgres does for the pages, over so many connections; the JSON is thrown away."""
    import psycopg

    began(config)
    with psycopg.connect(config["db_url"]) as connection:
        last_row = connection.execute(f"SELECT max(id) FROM bench.{config['table']}").fetchone()
    starts = range(0, last_row[0] if last_row else 0, PAGE)

    def work(worker: int) -> None:
        with psycopg.connect(config["db_url"], autocommit=True) as connection:
            for start in starts[worker :: config["connections"]]:
                connection.execute(
                    f"SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT {COLUMNS} "
                    f"FROM bench.{config['table']} WHERE id > %s ORDER BY id LIMIT %s) t",
                    (start, PAGE),
                    binary=True,
                )

    with ThreadPoolExecutor(config["connections"]) as pool:
        list(pool.map(work, range(config["connections"])))


def transform(config: Config) -> None:
    """`stages transform` by its command line; what `remove` names is to be made anew."""
    from stages.cli import cli
    from stages.state.durable import remove
    from stages.state.manifests import read_transform
    from stages.state.workspace import Workspace

    project = Path(config["project"])
    workspace = Workspace(project=project, data=project / "data", target="sandbox-bench")
    if "remove" in config:
        for folder in workspace.transforms.glob(config["remove"]):
            remove(folder)
    began(config)
    arguments = ["--project", str(project), "--target", "sandbox-bench", "transform"]
    cli.main(arguments, standalone_mode=False)
    if "rows" in config:
        manifest = read_transform(workspace.transform("events"))
        if not manifest or manifest.documents + manifest.rejects != config["rows"]:
            sys.exit(f"not all rows: {manifest}")


def copy(config: Config) -> None:
    """The model of `events` as one COPY to Parquet: no check, no order, no account."""
    import duckdb

    from stages.state.workspace import Workspace
    from stages.views import macros

    began(config)
    project = Path(config["project"])
    workspace = Workspace(project=project, data=project / "data", target="sandbox-bench")
    parts = workspace.extract("events") / "part-*.parquet"
    output = Path(config["output"])
    output.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(macros())
        connection.execute("CREATE SCHEMA extract")
        connection.execute(f"CREATE VIEW extract.events AS FROM read_parquet('{parts}')")
        model = workspace.model("models/events.sql").read_text("utf-8")
        connection.execute(f"COPY ({model}) TO '{output / 'all.parquet'}' (COMPRESSION zstd)")


def began(config: Config) -> None:
    """Imports are done and the work begins: what was before is start-up."""
    Path(config["file"]).with_suffix(".began").write_text(str(time.monotonic()))


KINDS = {each.__name__: each for each in (stages, adbc, pages, json_agg, transform, copy)}

if __name__ == "__main__":
    kind, file = sys.argv[1:]
    KINDS[kind]({**json.loads(Path(file).read_text("utf-8")), "file": file})
