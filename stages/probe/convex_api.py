"""What stages expects of a deployment's HTTP API: its errors, its keys, its limits, its system."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

from stages.convex import ids
from stages.convex.client import LIMIT, Deployment, FunctionError
from stages.convex.cost import MOST_BYTES
from stages.errors import StagesError
from stages.limits import DOCUMENT_BYTES
from stages.load.functions import INVALID
from stages.probe.checks import Checks, NotChecked, Seen, measured, median, seconds_of
from stages.probe.deployment import OVERSIZE, WRONG, ProbedDeployment, table_numbers
from stages.probe.redaction import code_of, kind_of

CHECKS = Checks[ProbedDeployment]()

ASKED = 7
# More lookups than a transaction may make (4,096).
LOOK_UPS = 4_200
# Above the backend's limit for a body, and above what is stated for HTTP actions.
LARGE_BODY = (16 << 20) + 4_000
LARGE_ACTION = (20 << 20) + (1 << 20)
# Seconds that a large body may take.
PATIENCE = 10.0
CLOCK = 60.0


def _error_of(deployment: Deployment, kind: str, function: str, args: object) -> FunctionError:
    """Return the error of a call that must fail."""
    try:
        deployment.call_once(kind, function, json.dumps(args))  # type: ignore[arg-type]
    except FunctionError as error:
        return error
    raise StagesError("it succeeded")


# ── 1: HTTP API ─────────────────────────────────────────────────────────────────────────────


@CHECKS.of("Convex 1: HTTP API")
def an_unknown_function_is_a_result(convex: ProbedDeployment) -> Seen:
    """A function that does not exist is answered with 200, status error, and a message that begins
    with `Could not find`."""
    name = convex.name("stagesProbeOfNothing")
    deployment = convex.through("functions")
    error = _error_of(deployment, "mutation", name, {})
    return Seen(kind_of(error), "Could not find" in error.words)


@CHECKS.of("Convex 1: HTTP API")
def the_data_of_an_error_passes(convex: ProbedDeployment) -> Seen:
    """The data of a ConvexError comes with the answer, also where its message is redacted."""
    twice = {"sourceId": "stages:probe:twice"}
    args = {"table": convex.sample.table.name, "records": [twice, twice], "check": True}
    error = _error_of(convex.any_channel, "mutation", convex.name("remove"), args)
    redacted = "the call names" not in error.words
    words = f"code {error.code}; the message is {'redacted' if redacted else 'shown'}"
    return Seen(words, error.code == "DuplicateSourceId")


@CHECKS.of("Convex 1: HTTP API")
def a_wrong_argument_is_the_documents_fault(convex: ProbedDeployment) -> Seen:
    """A document that its validator does not accept is refused with a message that load recognizes,
    and not as a limit."""
    if convex.schema.document(convex.sample.table.name)["type"] == "any":
        raise NotChecked("the table takes any document")
    record = {"sourceId": WRONG, "digest": "0", "document": {"stagesProbe": True}}
    function = convex.sample.table.function
    error = _error_of(convex.any_channel, "mutation", function, {"records": [record]})
    return Seen(kind_of(error), bool(INVALID.search(error.words)) and not error.over_limit)


@CHECKS.of("Convex 1: HTTP API")
def a_body_over_16_mib_is_refused(convex: ProbedDeployment) -> Seen:
    """A body over 16 MiB is refused with 400 or 413, by the deployment or a proxy before it."""
    status, _, content = _large(convex, LARGE_BODY)
    return Seen(f"{status} {code_of(content)}", status in (400, 413))


@CHECKS.of("Convex 1: HTTP API")
def a_body_of_the_largest_batch_passes(convex: ProbedDeployment) -> Seen:
    """A request as large as load's largest batch passes, and so does an answer of that size."""
    number = 7_000
    key = "x" * (MOST_BYTES // number)
    args = {"table": convex.sample.table.name, "documentIds": [f"{key}{n}" for n in range(number)]}
    began = time.monotonic()
    missing = convex.any_channel.query(convex.name("findMissing"), args)["missing"]
    seconds = time.monotonic() - began
    return Seen(f"{MOST_BYTES / 2**20:.1f} MiB each way in {seconds:.1f} s", len(missing) == number)


@CHECKS.of("Convex 1: HTTP API")
def how_long_a_call_takes(convex: ProbedDeployment) -> Seen:
    """Latency of a call that reads nothing."""
    deployment, name = convex.any_channel, convex.name("findMissing")
    args = {"table": next(iter(convex.plan.tables)), "documentIds": []}
    times = [seconds_of(lambda: deployment.query(name, args)) for _ in range(ASKED)]
    return measured(f"median {median(times) * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms")


@CHECKS.of("Convex 1: HTTP API")
def its_clock_is_ours(convex: ProbedDeployment) -> Seen:
    """Its clock and this machine's differ by less than a minute."""
    _, headers, _ = convex.raw(f"{convex.target.url}/api/query", {"path": "x", "args": {}})
    if "date" not in headers:
        raise NotChecked("its answers have no date")
    apart = parsedate_to_datetime(headers["date"]).timestamp() - time.time()
    return Seen(f"{abs(apart):.0f} s", abs(apart) < CLOCK)


# ── 2: keys ─────────────────────────────────────────────────────────────────────────────────


@CHECKS.of("Convex 2: keys")
def the_key_calls_internal_functions(convex: ProbedDeployment) -> Seen:
    """The deploy key may call internal functions over the HTTP API."""
    answer = convex.through("functions").mutation(convex.name("epoch"), {})
    return Seen(f"yes; they were written for {len(answer['tables'])} tables", True)


@CHECKS.of("Convex 2: keys")
def visitors_do_not_find_them(convex: ProbedDeployment) -> Seen:
    """Without a key, internal functions are not found."""
    body = {"path": convex.name("epoch"), "args": {}, "format": "json"}
    status, _, content = convex.raw(f"{convex.target.url}/api/mutation", body)
    hidden = status == 200 and b"Could not find public function" in content
    return Seen(f"{status}, {'not found' if hidden else 'another answer'}", hidden)


@CHECKS.of("Convex 2: keys")
def a_wrong_key_is_refused(convex: ProbedDeployment) -> Seen:
    """A wrong deploy key is answered with 401 or 403."""
    key = f"{convex.target.deployment}|{'0' * 64}"
    body = {"path": convex.name("epoch"), "args": {}, "format": "json"}
    headers = {"Authorization": f"Convex {key}"}
    status, _, content = convex.raw(f"{convex.target.url}/api/mutation", body, headers)
    return Seen(f"{status} {code_of(content)}", status in (401, 403))


# ── 3: HTTP actions ─────────────────────────────────────────────────────────────────────────


@CHECKS.of("Convex 3: HTTP actions")
def a_wrong_secret_is_refused(convex: ProbedDeployment) -> Seen:
    """`POST /migrate` answers a wrong secret with 401."""
    convex.through("http-action")
    headers = {"Authorization": f"Bearer {'0' * 64}"}
    status, _, content = convex.raw(f"{convex.target.site_url}/migrate", {}, headers)
    return Seen(f"{status} {code_of(content)}", status == 401)


@CHECKS.of("Convex 3: HTTP actions")
def how_large_a_body_an_action_takes(convex: ProbedDeployment) -> Seen:
    """Whether an HTTP action accepts a body over 20 MiB; documentation differs."""
    convex.through("http-action")
    assert convex.target.secret
    headers = {"Authorization": f"Bearer {convex.target.secret.reveal()}"}
    body = b'{"function": "stagesProbeOfNothing", "args": {"x": "' + b"x" * LARGE_ACTION + b'"}}'
    _require_quick(convex, len(body))
    status, _, content = convex.raw(f"{convex.target.site_url}/migrate", body, headers)
    taken = status == 400 and code_of(content) == "UnknownFunction"
    return measured("it does" if taken else f"it does not: {status} {code_of(content)}")


# ── 4: limits ───────────────────────────────────────────────────────────────────────────────


@CHECKS.of("Convex 4: limits")
def look_ups_are_limited(convex: ProbedDeployment) -> Seen:
    """A transaction that looks up more than 4,096 index ranges fails with a message that load takes
    for a limit, so that it makes batches smaller."""
    records = [{"sourceId": f"stages:probe:nothing:{n}"} for n in range(LOOK_UPS)]
    args = {"table": convex.sample.table.name, "records": records, "check": True}
    return _limited(convex, "mutation", "remove", args)


@CHECKS.of("Convex 4: limits")
def gets_are_limited(convex: ProbedDeployment) -> Seen:
    """Each `db.get` by an id counts as one such range."""
    if convex.target.sandbox:
        raise NotChecked("the sandbox makes ids of its own")
    table = convex.sample.table.name
    number = table_numbers(convex)[table]
    wanted = [ids.mint(number, table, f"stages:probe:nothing:{n}") for n in range(LOOK_UPS)]
    args = {"table": table, "documentIds": wanted}
    return _limited(convex, "query", "findMissing", args)


@CHECKS.of("Convex 4: limits")
def a_document_over_1_mib_is_refused(convex: ProbedDeployment) -> Seen:
    """A document over 1 MiB is refused with a message that blames the document, and not a limit of
    the transaction."""
    name = convex.sample.text_field
    if name is None:
        raise NotChecked("the table has no field that takes any text")
    try:
        convex.insert(convex.any_channel, [OVERSIZE], **{name: "x" * DOCUMENT_BYTES})
    except FunctionError as error:
        limit = LIMIT.search(error.words)
        known = bool(INVALID.search(error.words)) and not error.over_limit
        return Seen(f"refused: {limit[0] if limit else kind_of(error)}", known)
    convex.remove(convex.sample.table.name, [OVERSIZE])
    return Seen("it was taken", False)


def _limited(convex: ProbedDeployment, kind: str, function: str, args: object) -> Seen:
    error = _error_of(convex.any_channel, kind, convex.name(function), args)
    words = LIMIT.search(error.words)
    return Seen(words[0] if words else kind_of(error), error.over_limit)


# ── large bodies ────────────────────────────────────────────────────────────────────────────


def _large(convex: ProbedDeployment, size: int) -> tuple[int, object, bytes]:
    _require_quick(convex, size)
    body = b'{"path": "x", "args": {"x": "' + b"x" * size + b'"}}'
    return convex.raw(f"{convex.target.url}/api/query", body)


def _require_quick(convex: ProbedDeployment, size: int) -> None:
    """Raise NotChecked if a body of `size` bytes would take too long."""
    small = b'{"path": "x", "args": {"x": "' + b"x" * (1 << 20) + b'"}}'
    url = f"{convex.target.url}/api/query"
    # The quickest of three: one may be held up by something else.
    seconds = min(seconds_of(lambda: convex.raw(url, small)) for _ in range(3))
    if seconds * size / len(small) > PATIENCE:
        raise NotChecked(f"the connection is too slow for it: {seconds:.1f} s a MiB")
