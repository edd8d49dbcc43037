"""What stages expects of a deployment that is written to: documents through each channel, and how
fast."""

from __future__ import annotations

import itertools
import time

from stages.convex import ids
from stages.convex.client import Channel
from stages.errors import StagesError
from stages.probe.checks import Checks, NotChecked, Seen, measured
from stages.probe.deployment import (
    RATED,
    ProbedDeployment,
    answered,
    keys_of,
    table_numbers,
    without_system_fields,
)
from stages.retry import Threads

CHECKS = Checks[ProbedDeployment]()

AT_ONCE, EACH = 8, 35
SIZES = (1, 10, 100)
# If a batch takes longer than this many seconds, no larger one is tried.
MOST_SECONDS = 5.0
DAY = 86_400.0


@CHECKS.of("Convex 5: documents")
def documents_go_through_functions(convex: ProbedDeployment) -> Seen:
    """With the deploy key, three staged documents are inserted, recognized when they come again,
    replaced, read back as they were sent, and deleted."""
    return _round_trip(convex, "functions")


@CHECKS.of("Convex 5: documents")
def documents_go_through_the_http_action(convex: ProbedDeployment) -> Seen:
    """The same through the HTTP action."""
    return _round_trip(convex, "http-action")


def _round_trip(convex: ProbedDeployment, channel: Channel) -> Seen:
    deployment, keys = convex.through(channel), keys_of(channel)
    table = convex.sample.table.name
    inserted = convex.insert(deployment, keys)
    answered("inserted", inserted, "inserted")
    answered("sent again", convex.insert(deployment, keys), "unchanged")
    answered("sent in another version", convex.insert(deployment, keys, version="2"), "replaced")
    wanted = [result["documentId"] for result in inserted]
    documents = convex.read(deployment, wanted)
    same = [without_system_fields(d) for d in documents] == convex.sample.documents
    answered("deleted", convex.remove(table, keys), "removed")
    gone = convex.read(deployment, wanted) == [None] * len(wanted)
    if not same or not gone:
        raise StagesError("read back, they differ" if gone else "deleted, they are still there")
    return Seen("inserted, known, replaced, read back as sent, deleted", True)


@CHECKS.of("Convex 5: documents")
def creation_times_keep_the_order(convex: ProbedDeployment) -> Seen:
    """Documents of one batch have creation times in the order of the batch, in milliseconds of
    now."""
    deployment, keys = convex.any_channel, keys_of("functions")
    wanted = [result["documentId"] for result in convex.insert(deployment, keys)]
    documents = convex.read(deployment, wanted)
    convex.remove(convex.sample.table.name, keys)
    times = [float(d["_creationTime"]) for d in documents if d]
    ascend = all(a < b for a, b in itertools.pairwise(times))
    now = bool(times) and abs(times[0] / 1000 - time.time()) < DAY
    words = ("they ascend" if ascend else "they do not ascend") + (
        "" if now else ", and not of now"
    )
    return Seen(words, ascend and now and len(times) == len(keys))


@CHECKS.of("Convex 5: documents")
def how_fast_it_is_written_to(convex: ProbedDeployment) -> Seen:
    """Seconds for batches of 1, 10 and 100 documents, and documents a second with 8 calls at a
    time."""
    deployment = convex.any_channel
    words, left = [], list(RATED)
    for size in SIZES:
        seconds = _seconds(convex, left[:size])
        del left[:size]
        words.append(f"{size} in {seconds:.2f} s")
        if seconds > MOST_SECONDS:
            return measured(f"documents a call: {'; '.join(words)}")
    shares = [left[at * EACH : (at + 1) * EACH] for at in range(AT_ONCE)]
    began = time.monotonic()
    with Threads(AT_ONCE) as pool:
        list(pool.map(lambda keys: convex.insert(deployment, keys), shares))
    rate = AT_ONCE * EACH / (time.monotonic() - began)
    table = convex.sample.table.name
    convex.remove(table, RATED)
    return measured(
        f"documents a call: {'; '.join(words)}; {AT_ONCE} at a time: {rate:,.0f} a second"
    )


def _seconds(convex: ProbedDeployment, keys: list[str]) -> float:
    began = time.monotonic()
    convex.insert(convex.any_channel, keys)
    return time.monotonic() - began


@CHECKS.of("Convex 6: ids")
def its_ids_are_those_that_stages_reads(convex: ProbedDeployment) -> Seen:
    """The id of a new document has the number of its table in it, as stages reads ids."""
    deployment, table = convex.any_channel, convex.sample.table.name
    (result,) = convex.insert(deployment, keys_of("functions")[:1])
    convex.remove(table, keys_of("functions")[:1])
    if convex.target.sandbox and result["documentId"].endswith(table):
        raise NotChecked("the sandbox makes ids of its own")
    try:
        number, _ = ids.decode(result["documentId"])
    except ValueError:
        return Seen("an id that stages can't read", False)
    own = number == table_numbers(convex).get(table)
    return Seen("the number of its table" if own else "another number", own)
