"""What is shown of one row. Values are those of the row itself, and may be secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stages.show.model_lines import ModelLines


@dataclass(frozen=True, kw_only=True)
class SourceValue:
    """A column of the source row: its type in Postgres, and the value as text; None is null."""

    column: str
    type: str
    value: str | None


@dataclass(frozen=True, kw_only=True)
class ShownField:
    """A field of the document, and what makes it.

    `lines` are pieces of the model, the last step first; `columns` are the columns of the row's own
    source that they name. `given`: what the current model outputs for a rejected row, as text; None
    if that is null, and for documents.
    """

    name: str
    lines: tuple[ModelLines, ...] = ()
    columns: tuple[str, ...] = ()
    given: str | None = None


@dataclass(frozen=True, kw_only=True)
class ShownChange:
    """A value that a conversion has changed."""

    field: str
    rule: str
    old: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class ShownReject:
    """Why the row, or its document, was rejected; `edit` says where to fix that."""

    stage: str
    field: str
    rule: str
    reason: str
    edit: str


@dataclass(frozen=True, kw_only=True)
class ShownReference:
    """What the row refers to. `state` is document, or why there is none: rejected, missing."""

    field: str
    table: str
    source_id: str
    convex_id: str | None
    state: str


@dataclass(frozen=True, kw_only=True)
class Referrers:
    """Rows of another table that refer to this one: how many, and the first source keys.

    `rejected`: how many more are rejected because this row is.
    """

    table: str
    field: str
    rows: int
    first: tuple[str, ...]
    rejected: int = 0


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Everything about one row, from the source to Convex.

    `kind` is table, reference (a table that Convex already had) or source (one that is only read).
    `row` is empty if there is no such source row: the table is derived, or the row is gone.
    `document` is the staged one, with references as `table:key`; `bound` is the same with ids, as
    load sends it; both are Convex's encoded JSON, or None if there is none. `loaded` is what load
    did last: inserted, replaced, unchanged, conflict. `now` is the document that Convex has now;
    `not_asked` says why Convex was not asked. `stale`: what has changed since the document was
    staged.
    """

    kind: str
    table: str
    source: str
    source_id: str
    convex_id: str | None
    row: tuple[SourceValue, ...]
    model: str
    stale: str | None = None
    fields: tuple[ShownField, ...] = ()
    document: Mapping[str, Any] | None = None
    bound: Mapping[str, Any] | None = None
    changes: tuple[ShownChange, ...] = ()
    rejects: tuple[ShownReject, ...] = ()
    references: tuple[ShownReference, ...] = ()
    referrers: tuple[Referrers, ...] = ()
    loaded: str | None = None
    now: Mapping[str, Any] | None = None
    not_asked: str | None = None

    @property
    def differs(self) -> list[str]:
        """Fields whose value in Convex is now different from what load would send."""
        if self.now is None or self.bound is None:
            return []
        now = {name: value for name, value in self.now.items() if not name.startswith("_")}
        names = [*self.bound, *(name for name in now if name not in self.bound)]
        missing = object()
        return [n for n in names if self.bound.get(n, missing) != now.get(n, missing)]

    def to_json(self) -> dict[str, Any]:
        """The same as `stages show --json` prints it."""
        return {**asdict(self), "differs": self.differs}
