"""Send the pending documents of one table to Convex: in batches, several in flight, and every
answer recorded as it arrives."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Protocol

from stages.load.batches import Batch, cut
from stages.load.bound_records import Binding, read_acks
from stages.load.context import TableContext
from stages.load.functions import Sender, Sent
from stages.load.relations import HELD_BACK
from stages.machine import is_interruption
from stages.prefetch import prefetch
from stages.progress import Progress
from stages.retry import Threads
from stages.rules import Rule
from stages.sql import file_sql
from stages.state.durable import remove
from stages.state.journal import Journal


class BatchSender(Protocol):
    """Sends batches; may be called from several threads."""

    def send(self, batch: Batch) -> Sent: ...


def send_pending(table: TableContext, binding: Binding, sender: BatchSender | None) -> Counter[str]:
    """Send what is not acknowledged; return how many documents were sent, by what was done.

    `sender` receives the batches instead of the table's own function.
    """
    load = table.load
    acked = read_acks(load.connection, table.acks)
    if not acked:
        load.prover.made_here.add(table.name)
    gone = load.prover.prove(binding, acked)
    if gone:
        load.progress.note(
            f"  {table.name}: {gone:,} documents that it refers to are not in Convex any "
            "more; what refers to them is held back"
        )
    total = table.transformed.documents - binding.hold_back()
    load.progress.start("load", table.name, total, min(acked, total))
    one_by_one = sender is None and binding.ordered()
    if one_by_one:
        load.progress.note(f"  {table.name}: in the order that the plan sets, one batch at a time")
    remove(table.rejects)
    with Journal(table.acks) as acks, Journal(table.rejects) as rejects:
        _record_held_back(table, rejects)
        return _send_batches(
            table, binding, sender or _function_sender(table, binding), acks, rejects, one_by_one
        )


def _function_sender(table: TableContext, binding: Binding) -> Sender:
    load = table.load
    return Sender(
        load.deployment,
        table.table.function,
        load.pace,
        overwrite=load.overwrite and not binding.leave,
    )


def _send_batches(
    table: TableContext,
    binding: Binding,
    sender: BatchSender,
    acks: Journal,
    rejects: Journal,
    one_by_one: bool,
) -> Counter[str]:
    pace = table.load.pace
    with Threads(2 * pace.most_in_flight) as pool:
        flight = _Flight(acks, rejects, table.load.progress, table.name)
        try:
            pending = binding.stream(overwrite=table.load.overwrite)
            with closing(prefetch(pending)) as records:
                for batch in cut(records, pace):
                    # More than there are slots, so that none is idle while answers are recorded.
                    while len(flight.flying) >= (1 if one_by_one else 2 * pace.in_flight):
                        flight.land()
                    flight.flying.add(pool.submit(sender.send, batch))
            while flight.flying:
                flight.land()
        except BaseException as error:
            if is_interruption(error):
                pool.give_up()
            raise
        finally:
            flight.close()
    return flight.done


def _record_held_back(table: TableContext, rejects: Journal) -> None:
    gone = table.load.workspace.gone(table.name)
    absent = (
        f"SELECT target || ':' || source_id AS reference FROM read_parquet({file_sql(gone)})"
        if gone.exists()
        else "SELECT NULL AS reference WHERE false"
    )
    rows = table.load.connection.execute(
        f"SELECT _source_id, unbound, a.reference IS NOT NULL FROM {HELD_BACK} "
        f"LEFT JOIN ({absent}) a ON a.reference = unbound ORDER BY 1"
    )
    while part := rows.fetchmany(10_000):
        rejects.append(
            {
                "sourceId": key,
                "rule": Rule.HELD_BACK,
                "reason": f"{parent} is not in Convex any more"
                if deleted
                else f"{parent} has no id: it was not loaded",
            }
            for key, parent, deleted in part
        )


class _Flight:
    """Batches in flight, and the journals for their answers.

    A thread of its own writes, so that an fsync delays neither the senders nor the next batch; it
    is never more than one group of answers behind.
    """

    def __init__(self, acks: Journal, rejects: Journal, progress: Progress, table: str) -> None:
        self.flying: set[Future[Sent]] = set()
        self.done: Counter[str] = Counter()
        self._acks, self._rejects = acks, rejects
        self._progress, self._table = progress, table
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def land(self) -> None:
        """Wait for at least one batch, and record all that have returned."""
        done, _ = wait(self.flying, return_when=FIRST_COMPLETED)
        self.flying -= done
        self._record([future.result() for future in done if not future.exception()])
        for future in done:
            future.result()

    def close(self) -> None:
        """Record the batches still in flight: they are worth keeping even after a failure."""
        for future in self.flying:
            future.cancel()
        done = wait(self.flying).done
        self.flying.clear()
        self._record([f.result() for f in done if not f.cancelled() and not f.exception()])
        self._writer.shutdown()
        if self._writing:
            self._writing.result()

    def _record(self, landed: list[Sent]) -> None:
        if self._writing:
            self._writing.result()
        self._writing = self._writer.submit(self._write, landed)

    def _write(self, landed: list[Sent]) -> None:
        """Add the answers to the journals, with one fsync for all of them."""
        acks = "".join(text for sent in landed for text in sent.acks)
        if acks:
            self._acks.write(acks)
        rejects = [reject for sent in landed for reject in sent.rejects]
        if rejects:
            self._rejects.append(rejects)
        done = sum((sent.done for sent in landed), Counter[str]())
        self.done += done
        size = sum(sent.size for sent in landed)
        self._progress.advance(self._table, done.total() + len(rejects), size)
