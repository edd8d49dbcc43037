"""Existing documents that the ledger does not know: never duplicated without consent.

A table that was loaded before needs no call: its acks show that. Every other one costs one page,
and one of the ledger if it has documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps, loads
from typing import Any

from stages.convex.client import FunctionError
from stages.convex.ledger_ops import LEDGER
from stages.convex.pages import missing_function
from stages.errors import UserError
from stages.load.context import LoadContext, TableContext
from stages.load.likeness import Likeness, compare_sample
from stages.state.answers import Answer
from stages.state.identity import keep_answer, read_answers

# The most documents that are counted in a table that is not known yet.
COUNTED = 1000
SAMPLE = 200


@dataclass(frozen=True, kw_only=True)
class Existing:
    """The caller's decision on existing documents: `adopt` them, also those whose field `by` holds
    the source key; or load `beside` them. Neither: nothing was decided."""

    adopt: bool = False
    by: str | None = None
    beside: bool = False


@dataclass(frozen=True)
class _Unknown:
    """A table whose documents the ledger does not know."""

    name: str
    documents: int
    likeness: Likeness

    def __str__(self) -> str:
        return f"`{self.name}` has at least {self.documents:,} documents ({self.likeness})"


def settle_existing(
    load: LoadContext, tables: Sequence[TableContext], existing: Existing
) -> dict[str, str | None]:
    """The tables whose documents are to be adopted, with the field that holds their source keys.

    Raises UserError, before anything is sent, if a table has documents that nothing was decided
    about.
    """
    answers = read_answers(load.workspace)
    adopted = {
        table.name: answer.by
        for table in tables
        if (answer := answers.get(table.name)) and answer.what == "adopt" and not answer.done
    }
    unknown = []
    for table in tables:
        if table.name in answers or not table.transformed.documents:
            continue
        documents = _unknown_documents(load, table)
        if not documents:
            continue
        if existing.adopt:
            adopted[table.name] = existing.by
        elif existing.beside:
            keep_answer(load.workspace, table.name, Answer(what="beside"))
            load.progress.note(
                f"  {table.name}: loaded alongside at least {len(documents):,} existing documents"
            )
        else:
            likeness = compare_sample(table, documents[:SAMPLE])
            unknown.append(_Unknown(table.name, len(documents), likeness))
    if unknown:
        filled = [table for table in tables if table.transformed.documents]
        raise _refusal(load, unknown, whole=len(unknown) == len(filled))
    return adopted


def _unknown_documents(load: LoadContext, table: TableContext) -> list[Any]:
    """The first documents of a table that has no row in the ledger; empty if it has one."""
    if table.acks.exists():
        return []
    documents = _page(load, table.name, COUNTED)
    return [] if documents and _page(load, LEDGER, 1, ledgerOf=table.name) else documents


def _page(load: LoadContext, table: str, most: int, **more: str) -> list[Any]:
    args = {"table": table, "cursor": None, "numItems": most, **more}
    try:
        answer = load.deployment.call("query", f"{load.plan.module}:readPage", dumps(args))
    except FunctionError as error:
        raise missing_function(error, load.deployment) from None
    page: list[Any] = loads(answer)["value"]["page"]
    return page


def _refusal(load: LoadContext, unknown: Sequence[_Unknown], *, whole: bool) -> UserError:
    """`whole`: all tables to be loaded have unknown documents."""
    names = " ".join(each.name for each in unknown)
    listed = "; ".join(str(each) for each in unknown)
    message = (
        f"{load.deployment.target.label} has documents that the ledger does not know, and that "
        f"this load might write a second time: {listed}"
    )
    if all(each.likeness.imported for each in unknown):
        return UserError(
            message,
            "they come from an import whose second step is missing; complete it with: "
            f"stages load --through import{'' if whole else ' ' + names}; or, if the app has "
            f"inserted or deleted some since: stages load {names} --adopt",
        )
    fields = {each.likeness.field for each in unknown if each.likeness.field}
    by = f" --adopt-by {fields.pop()}" if len(fields) == 1 else ""
    return UserError(
        message,
        "where the app is live already, this is normal, and its documents stay as they are: "
        f"stages load {names} --beside-existing; where they are the same rows, from an import or "
        f"another script: stages load {names} --adopt{by}"
        + ("" if by else " (add --adopt-by FIELD if a field holds the source key)"),
    )
