"""Tables of other shapes: very wide, very many, very large values."""

from __future__ import annotations

from .measure import contestant, judge, peak, race, show
from .setting import Setting

SMALL = 100


def bench(setting: Setting, rows: int, repeat: int) -> None:
    """A tenth of the rows with 300 columns, a hundred tables of 10 rows, 1 MiB documents."""
    wide, documents = rows // 10, max(1, 400 * rows // 1_000_000)
    setting.run_sql("table.sql", name="small", rows=10, key="id")
    setting.run_sql("shapes.sql", wide=wide, documents=documents)
    small = [f"small_{number}" for number in range(1, SMALL + 1)]
    contestants = [
        contestant(setting, name, "stages", read, tables=tables, via="postgres")
        for name, read, tables in (
            (f"300 columns × {wide:,} rows", wide, ["wide"]),
            (f"{SMALL} tables of 10 rows", 10 * SMALL, small),
            (f"{documents} documents of 1 MiB", documents, ["documents"]),
        )
    ]
    runs = race(contestants, repeat)
    show(f"other shapes, direct, medians of {repeat}", runs)
    for name, repeats in runs.items():
        judge(f"{name}: peak, MiB", peak(repeats), most=300)
