"""Produce batches in one thread while another consumes the previous ones."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_AHEAD = 32 << 20


def prefetch(
    batches: Iterable[pa.RecordBatch], most: int = BYTES_AHEAD
) -> Generator[pa.RecordBatch]:
    """Yield the same batches; a separate thread produces up to `most` bytes of them ahead.

    DuckDB produces about fifty batches at a time, then returns them one by one: with fewer of them
    ahead, each side would only wait for the other. Close the generator if it may not be exhausted.
    """
    coming = iter(batches)
    first = next(coming, None)
    if first is None:
        return  # no thread needed

    def wanted() -> bool:
        return size < most or closed

    changed = threading.Condition()
    ready: deque[pa.RecordBatch] = deque([first])
    size, closed, ended = first.nbytes, False, False

    def make() -> None:
        nonlocal size, ended
        try:
            for batch in coming:
                with changed:
                    ready.append(batch)
                    size += batch.nbytes
                    changed.notify_all()
                    changed.wait_for(wanted)
                if closed:
                    break
        finally:
            if isinstance(batches, Generator):
                batches.close()
            with changed:
                ended = True
                changed.notify_all()

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        try:
            while True:
                with changed:
                    changed.wait_for(lambda: ready or ended)
                    if not ready:
                        break
                    batch = ready.popleft()
                    size -= batch.nbytes
                    changed.notify_all()
                yield batch
            making.result()
        finally:
            with changed:
                closed = True
                changed.notify_all()
