"""What the page shows, as JSON. Counts are rows; times are ISO 8601, UTC.

`web/data.ts` declares the same for TypeScript, and is generated from these classes. The fields
`reason`, `old`, `new` and `reasons` may quote values of the source: they are None, or empty, unless
the page is one with `values`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from stages.state.history import HistoryRun

FORMAT = 1
# How many rows of each group of rejects, and of changes, a page starts with.
ROWS_OF_GROUP = 200
# The columns of the page's table: one for each stage.
Column = Literal["extract", "transform", "load", "verify"]
StageState = Literal["none", "running", "partial", "complete", "stale", "failed"]


class StageCell(msgspec.Struct, kw_only=True, frozen=True):
    """How far a table is in one stage; `text` says it briefly, `why` what is wrong, if anything."""

    state: StageState
    text: str
    why: str | None = None


class Flow(msgspec.Struct, kw_only=True, frozen=True):
    """The rows of one table, or of all, from the source to Convex.

    Every source row is one of: filtered (by the plan's `where`), a document, rejected, dropped
    (rejected on purpose). Every document is one of: loaded, refused by Convex, a conflict, held
    back for a parent, not sent yet. `source` is None until it is extracted. For a model that makes
    its own rows (`derived`), `source` counts those, once it has run.
    """

    source: int | None
    filtered: int = 0
    documents: int = 0
    rejected: int = 0
    dropped: int = 0
    loaded: int = 0
    refused: int = 0
    conflict: int = 0
    held_back: int = 0
    not_sent: int = 0
    verified: int = 0
    wrong: int = 0


class Loss(msgspec.Struct, kw_only=True, frozen=True):
    """Rows that fell out, or values that were changed, for one reason."""

    stage: Literal["transform", "load"]
    field: str
    rule: str
    rows: int


class Table(msgspec.Struct, kw_only=True, frozen=True):
    """One Convex table of the plan. `level`: it is loaded after all tables of lower levels."""

    name: str
    source: str
    grain: Literal["row", "derived"]
    level: int
    stages: Mapping[Column, StageCell]
    flow: Flow
    losses: Sequence[Loss] = ()
    changes: Sequence[Loss] = ()


class MappedField(msgspec.Struct, kw_only=True, frozen=True):
    """A field of a document and what makes it: `sql` of the model, and the columns it reads.

    `type` is the validator as text, such as `v.optional(v.string())`. `columns` and `sql` are
    empty for a field that the model leaves out.
    """

    name: str
    type: str
    optional: bool
    columns: Sequence[str] = ()
    sql: str = ""
    converted: bool = False
    rejected: int = 0
    changes: Sequence[Loss] = ()


class MappedTable(msgspec.Struct, kw_only=True, frozen=True):
    """Columns to fields. `unread`: columns that no model reads. `problem`: why it is unknown."""

    table: str
    source: str
    model: str
    fields: Sequence[MappedField] = ()
    columns: Mapping[str, str] = {}
    unread: Sequence[str] = ()
    problem: str | None = None


class Node(msgspec.Struct, kw_only=True, frozen=True):
    """A table in the graph of references; `reference`: Convex already has its documents."""

    name: str
    kind: Literal["table", "reference"]
    level: int
    documents: int | None = None


class Edge(msgspec.Struct, kw_only=True, frozen=True):
    """References of one field to another table. `orphans` rows name a parent that does not exist;
    `second_pass`: bound once all tables of a cycle are loaded."""

    source: str
    target: str
    field: str
    required: bool
    second_pass: bool = False
    bound: int | None = None
    orphans: int = 0


class Graph(msgspec.Struct, kw_only=True, frozen=True):
    """References between tables, and the cycles among them."""

    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    cycles: Sequence[Sequence[str]] = ()


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """Rows of a table that are rejected because rows of a group are."""

    table: str
    rows: int


class RejectGroup(msgspec.Struct, kw_only=True, frozen=True):
    """Rejects of one table, field and rule. `because`: rows of other tables that are rejected
    because these are; `follows_from`: the tables whose rejects these follow from. `edit` says where
    to fix it."""

    table: str
    stage: str
    field: str
    rule: str
    rows: int
    edit: str
    because: Sequence[Cause] = ()
    follows_from: Sequence[str] = ()
    reasons: Sequence[str] = ()


class RejectRow(msgspec.Struct, kw_only=True, frozen=True):
    """One rejected row."""

    table: str
    stage: str
    source_id: str
    field: str
    rule: str
    reason: str | None = None


class ChangeRow(msgspec.Struct, kw_only=True, frozen=True):
    """One value that a conversion changed."""

    table: str
    source_id: str
    field: str
    rule: str
    old: str | None = None
    new: str | None = None


class RuleMeaning(msgspec.Struct, kw_only=True, frozen=True):
    """A rule of rejects or changes, as docs/reference/rules.md explains it."""

    meaning: str
    cause: str
    fix: str


class Consistency(msgspec.Struct, kw_only=True, frozen=True):
    """How one source was read: `snapshot` says which snapshot all its rows are from, if one."""

    source: str
    transport: str
    snapshot: str
    rows: int
    read: str | None
    moved: str | None = None


class VerifiedTable(msgspec.Struct, kw_only=True, frozen=True):
    """What the last verify counted. `wrong` are the kinds that should not have occurred; `stale`:
    it verified an older load."""

    table: str
    counts: Mapping[str, int]
    wrong: Sequence[str] = ()
    stale: bool = False


class Setting(msgspec.Struct, kw_only=True, frozen=True):
    """A setting, by name. `shown` is the server's name of an address, None for a secret; `where` is
    where it was found, None if it is not set."""

    name: str
    where: str | None
    shown: str | None = None
    secret: bool = False


class Command(msgspec.Struct, kw_only=True, frozen=True):
    """A command that another process is running on this data folder."""

    command: str
    pid: int
    since: str


class Page(msgspec.Struct, kw_only=True, frozen=True):
    """Everything that the page shows at first; a live page asks for more rows by itself.

    `rejects` and `changes` are the first rows of each group, at most `rows_of_group` of each; the
    groups count all of them. `problems` say what could not be read, and what to do about it.
    `not_carried` is Markdown: what Postgres did, and Convex will not. `assessment` is what `stages
    assess --json` printed, if it was kept.
    """

    format: int = FORMAT
    made: str
    live: bool
    values: bool
    version: str
    plan: str
    source: str | None
    target: str | None
    consistency: str
    verdict: str
    finished: bool
    next: str
    running: Command | None = None
    flow: Flow
    tables: Sequence[Table]
    map: Sequence[MappedTable]
    not_carried: str = ""
    assessment: Mapping[str, Any] | None = None
    graph: Graph
    reject_groups: Sequence[RejectGroup] = ()
    rejects: Sequence[RejectRow] = ()
    change_groups: Mapping[str, Sequence[Loss]] = {}
    changes: Sequence[ChangeRow] = ()
    rules: Mapping[str, RuleMeaning] = {}
    consistency_of: Sequence[Consistency] = ()
    verified: Sequence[VerifiedTable] = ()
    history: Sequence[HistoryRun] = ()
    settings: Sequence[Setting] = ()
    rows_of_group: int = ROWS_OF_GROUP
    problems: Sequence[str] = ()
