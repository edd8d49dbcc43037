"""Shared by the checks of a deployment: its channels, the documents to write, raw requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx

from stages.answers import read_whole
from stages.convex.client import Channel, Deployment, FunctionError, KeyRefused
from stages.convex.schema import Schema
from stages.convex.snapshots import Snapshots
from stages.errors import StagesError, Transient
from stages.probe.checks import NotChecked
from stages.probe.redaction import Redaction, hosts_of
from stages.probe.sample import DOCUMENTS, Sample, find_sample
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.readiness import is_routed, list_functions
from stages.retry import Backoff
from stages.state.workspace import Workspace
from stages.tls import trusted

# Source keys that no row has. They are always the same, so that the next probe finds what a killed
# one left behind, wherever it is started.
PREFIX = "stages:probe:"
CHANNELS: tuple[Channel, ...] = ("functions", "http-action")
OVERSIZE, IMPORTED, WRONG = f"{PREFIX}oversize", f"{PREFIX}import", f"{PREFIX}wrong"
RATED = [f"{PREFIX}rate:{number:03}" for number in range(400)]
ATTEMPTS = Backoff(attempts=2)
# Seconds for one response. If one does not arrive, no more requests are made.
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def keys_of(channel: Channel) -> list[str]:
    """The source keys of the documents written through a channel."""
    return [f"{PREFIX}{channel}:{number}" for number in range(DOCUMENTS)]


ALL_KEYS = [key for channel in CHANNELS for key in keys_of(channel)] + [
    OVERSIZE,
    IMPORTED,
    WRONG,
    *RATED,
]


class ProbedDeployment:
    """One deployment under a probe. Its channels stay open until it is closed."""

    def __init__(self, workspace: Workspace, plan: Plan, schema: Schema, target: Target) -> None:
        self.workspace, self.plan, self.schema, self.target = workspace, plan, schema, target
        self._channels: dict[Channel, Deployment] = {}
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, verify=trusted())
        self.redaction = Redaction(
            {target.deployment: "<deployment>", **hosts_of(target.url, target.site_url)}
            | dict.fromkeys([*plan.tables, *plan.references], "<table>")
            | {table.function: "<function>" for table in plan.tables.values()}
        )

    def close(self) -> None:
        self._http.close()
        for deployment in self._channels.values():
            deployment.__exit__()

    # ── channels ────────────────────────────────────────────────────────────────────────────

    def through(self, channel: Channel) -> Deployment:
        """Open a channel. Raises NotChecked if the settings do not allow it."""
        if channel == "functions" and not self.target.admin_key:
            raise NotChecked("no deploy key is set")
        if channel == "http-action" and not self._has_http_action:
            raise NotChecked("MIGRATION_SECRET is not set, or POST /migrate is not routed")
        if channel not in self._channels:
            self._channels[channel] = Deployment(
                self.target, channel, backoff=ATTEMPTS, timeout=TIMEOUT
            )
        return self._channels[channel]

    @cached_property
    def _has_http_action(self) -> bool:
        if not (self.target.secret and self.target.site_url):
            return False
        return not self.target.admin_key or is_routed(list_functions(self.through("functions")))

    @property
    def any_channel(self) -> Deployment:
        """The deploy key's channel, or else the HTTP action."""
        return self.through("functions" if self.target.admin_key else "http-action")

    @property
    def snapshots(self) -> Snapshots:
        """Imports. Raises NotChecked without a deploy key."""
        return Snapshots(self.through("functions"))

    def system(self, function: str, args: Mapping[str, Any]) -> Any:
        """Result of a system query. Raises NotChecked if the key lacks permission."""
        return allowed(lambda: self.through("functions").query(function, dict(args)))

    def raw(
        self, url: str, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, httpx.Headers, bytes]:
        """(status, headers, body) of one POST, with no credentials except those in `headers`."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        try:
            with self._http.stream("POST", url, content=content, headers=sent) as answer:
                return answer.status_code, answer.headers, read_whole(answer)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Transient(f"no answer: {type(error).__name__}") from None

    @property
    def admin_headers(self) -> dict[str, str]:
        """Headers with the deploy key. Raises NotChecked without one."""
        if not self.target.admin_key:
            raise NotChecked("no deploy key is set")
        return {"Authorization": f"Convex {self.target.admin_key.reveal()}"}

    # ── the documents ───────────────────────────────────────────────────────────────────────

    @property
    def sample(self) -> Sample:
        """The documents to write. Raises NotChecked if nothing suitable is staged."""
        if self._sample is None:
            raise NotChecked(
                "no document is staged whose references have ids; stage some with: stages transform"
            )
        return self._sample

    @cached_property
    def _sample(self) -> Sample | None:
        return find_sample(self.workspace, self.plan, self.schema)

    def name(self, function: str) -> str:
        """`module:function` of the plan's module."""
        return f"{self.plan.module}:{function}"

    def insert(
        self, channel: Deployment, keys: Sequence[str], *, version: str = "", **fields: Any
    ) -> list[dict[str, str]]:
        """Load the sample's documents under these keys, with `fields` in place of their own.

        A different `version` gives different digests, so that documents are replaced. Returns the
        results in order.
        """
        sample = self.sample
        records = []
        for at, key in enumerate(keys):
            document = {**sample.documents[at % DOCUMENTS], **fields}
            digest = hashlib.sha256(f"{version}{json.dumps(document)}".encode()).hexdigest()
            records.append({"sourceId": key, "digest": digest, "document": document})
        results: list[dict[str, str]] = channel.mutation(
            sample.table.function, {"records": records}
        )["results"]
        return results

    def remove(
        self, table: str, keys: Sequence[str], *, check: bool = False
    ) -> list[dict[str, str]]:
        """Remove what the ledger has under these keys; with `check`, only report what exists."""
        args = {
            "table": table,
            "records": [{"sourceId": key} for key in keys],
            "force": True,
            "check": check,
        }
        results: list[dict[str, str]] = self.any_channel.mutation(self.name("remove"), args)[
            "results"
        ]
        return results

    def read(self, channel: Deployment, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """Read documents of the sample's table by id."""
        args = {"table": self.sample.table.name, "ids": list(ids)}
        documents: list[dict[str, Any] | None] = channel.query(self.name("readDocuments"), args)[
            "documents"
        ]
        return documents


def table_numbers(convex: ProbedDeployment) -> dict[str, int]:
    """Table → its number in the deployment."""
    mapping = convex.system("_system/frontend/getTableMapping", {"componentId": None})
    return {name: int(number) for number, name in mapping.items()}


def without_system_fields(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The document's own fields; None if there is no document."""
    if document is None:
        return None
    return {name: value for name, value in document.items() if not name.startswith("_")}


def allowed(call: Any) -> Any:
    """The call's result. Raises NotChecked if the deploy key lacks permission."""
    try:
        return call()
    except KeyRefused:
        raise NotChecked("the deploy key has no right to it") from None
    except FunctionError as error:
        if "OperationNotPermitted" in f"{error.words} {error.code}":
            raise NotChecked("the deploy key has no right to it") from None
        raise


def answered(what: str, got: Sequence[Mapping[str, Any]], wanted: str) -> None:
    """Raise StagesError unless every result reports `wanted`."""
    did = {str(result.get("did")) for result in got}
    if did != {wanted}:
        raise StagesError(f"{what}: the function reports {', '.join(sorted(did)) or 'nothing'}")
