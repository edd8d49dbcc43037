"""Rejects as readable lines: causes first, each with the rejects that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from stages.layout import Line, counted, line, plain, value_text
from stages.rejects import RejectGroup
from stages.rules import Rule, known_rule

# How many groups to show by default.
SHOWN = 12


def as_lines(
    groups: Sequence[RejectGroup],
    not_transformed: Sequence[str] = (),
    *,
    all_: bool = False,
    complete: Callable[[str], str] = str,
) -> list[Line]:
    """The groups as lines, and a count of those not shown. With `all_`, every group in full;
    otherwise the largest causes, and one line for each symptom. `complete` adds global options to
    commands."""
    failed = [group for group in groups if group.rule == Rule.FAILED]
    causes = [g for g in groups if not g.is_symptom and g.rule != Rule.FAILED]
    symptoms = [group for group in groups if group.is_symptom]
    lines = [part for group in failed for part in _failed(group)]
    if len(causes) + len(symptoms) > 1:
        lines.append(line(_total(causes, symptoms), "head"))
    shown = causes if all_ else causes[:SHOWN]
    lines += [part for group in shown for part in _cause(group)]
    if len(causes) > len(shown):
        rest = causes[len(shown) :]
        rows = sum(group.rows for group in rest)
        more = f"and {counted(len(rest), 'more group')} of {counted(rows, 'row')}"
        lines.append(line(complete(f"{more}: stages rejects --all"), "dim"))
    lines += [part for group in symptoms for part in _symptom(group, all_=all_)]
    if not lines and not_transformed:
        return [line(complete("nothing is transformed yet; run: stages transform"), "warn")]
    if not_transformed:
        lines.append(line(f"not transformed yet: {', '.join(not_transformed)}", "warn"))
    return lines or [line("no rejects")]


def rule_lines(name: str) -> list[Line]:
    """Explain a rule; empty if it is unknown."""
    rule = known_rule(name)
    if rule is None:
        return []
    return [
        line(f"{rule}: {rule.meaning}", "head"),
        line(f"usual cause: {rule.cause} (docs/reference/rules.md#{rule})", "dim"),
    ]


def as_text(groups: Sequence[RejectGroup]) -> str:
    """`as_lines` as a string."""
    return plain(as_lines(groups))


def first_lines(groups: Sequence[RejectGroup]) -> str:
    """Some groups as a string, without a total: other groups are not known here."""
    return plain(
        part
        for group in groups
        for part in (_failed(group) if group.rule == Rule.FAILED else _cause(group))
    )


def _failed(group: RejectGroup) -> Iterable[Line]:
    reason = group.examples[0]["reason"]
    yield line(f"{group.table}: {group.stage} failed: {reason}", "bad")
    yield line(f"    → {group.edit}")


def _total(causes: Sequence[RejectGroup], symptoms: Sequence[RejectGroup]) -> str:
    own, others = (sum(g.rows for g in groups) for groups in (causes, symptoms))
    if not others:
        return f"{counted(own, 'row is', 'rows are')} rejected"
    whole = counted(own + others, "row is", "rows are")
    return f"{whole} rejected: {own:,} by themselves, {others:,} because of others"


def _cause(group: RejectGroup) -> Iterable[Line]:
    because = ""
    if group.because:
        listed = ", ".join(f"{rows:,} {table}" for table, rows in group.because.items())
        more = sum(group.because.values())
        verb = "is" if more == 1 else "are"
        them = "it" if group.rows == 1 else "them"
        because = f"; {more:,} more {verb} rejected because of {them}: {listed}"
    yield line(f"{_name(group)}: {group.rule}: {group.rows:,} ({group.stage}){because}", "head")
    yield from _reasons(group)
    yield line(f"    → {group.edit}")


def _symptom(group: RejectGroup, *, all_: bool) -> Iterable[Line]:
    causes = ", ".join(
        f"{each.table}{'.' if each.field else ''}{each.field} ({each.rule}"
        f"{f', {each.rows:,}' if len(group.caused_by) > 1 else ''})"
        for each in group.caused_by
    )
    yield line(
        f"{_name(group)}: {group.rule}: {group.rows:,} ({group.stage}), because of {causes}", "dim"
    )
    left = group.rows - sum(each.rows for each in group.caused_by)
    if left:
        yield line(f"    the cause of {left:,} is not among the current rejects", "warn")
    if all_:
        yield from _reasons(group)


def _reasons(group: RejectGroup) -> Iterable[Line]:
    shown = 0
    for each in group.reasons:
        keys = ", ".join(map(value_text, each.source_ids))
        more = ", …" if len(each.source_ids) < each.rows else ""
        if each.rows == 1:
            yield line(f"    {keys}: {each.reason}")
        else:
            yield line(f"    {each.rows:,} rows: {each.reason} ({keys}{more})")
        shown += each.rows
    if shown < group.rows:
        reasons = group.distinct_reasons - len(group.reasons)
        others = counted(reasons, "other reason")
        yield line(f"    and {counted(group.rows - shown, 'row')} with {others}", "dim")


def _name(group: RejectGroup) -> str:
    return f"{group.table}.{group.field}" if group.field else group.table
