"""A verdict per table: the worst of its data's risks and of what must be rebuilt for it.

ready: its rows move as they are, and only common things depend on it: unique rules and cascades,
each of which has one solution in Convex. unknown: it looks ready, but its rows could not be read.
decisions: its rows move once choices are made. work: code must be written, or SQL for rows that
Convex would refuse. not possible: it can't be moved as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from stages.assess.assessment import VERDICTS, Rebuild, Risk, Verdict
from stages.assess.risks import RULES

# Short names of a kind, singular and plural.
SHORT = {
    "policy": ("policy", "policies"),
    "trigger": ("trigger", "triggers"),
    "webhook": ("webhook", "webhooks"),
    "unique": ("unique rule", "unique rules"),
    "check": ("check", "checks"),
    "exclusion": ("exclusion", "exclusions"),
    "cascade": ("cascade", "cascades"),
    "generated column": ("generated column", "generated columns"),
    "full-text index": ("full-text index", "full-text indexes"),
    "vector index": ("vector index", "vector indexes"),
    "other index": ("other index", "other indexes"),
    "inheritance": ("child table", "child tables"),
    "foreign table": ("foreign table", "foreign tables"),
}


def judge(
    table: str, risks: Iterable[Risk], rebuild: Iterable[Rebuild]
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict of a table, and its reasons, the most serious first."""
    reasons: list[tuple[int, int, str]] = []
    order = list(RULES)
    by_rule: dict[str, list[Risk]] = {}
    for risk in risks:
        if risk.table == table and risk.verdict is not None:
            by_rule.setdefault(risk.rule, []).append(risk)
    for rule, of_rule in by_rule.items():
        verdict = of_rule[0].verdict or "ready"
        columns = list(dict.fromkeys(name for each in of_rule for name in each.columns))
        named = f" ({', '.join(columns[:3])}{', …' if len(columns) > 3 else ''})" if columns else ""
        short = f"{RULES[rule].short}{named}"
        reasons.append((-VERDICTS.index(verdict), order.index(rule), short))
    for number, each in enumerate(rebuild):
        count = each.tables.get(table, 0)
        if count and each.kind in SHORT:
            one, several = SHORT[each.kind]
            words = f"{count} {one if count == 1 else several}"
            # Code to write is as serious as rows that are refused, but is listed after them.
            rank = -VERDICTS.index(each.verdict or "ready")
            reasons.append((rank, len(order) + number, words))
    reasons.sort()
    worst = VERDICTS[-reasons[0][0]] if reasons else "ready"
    return worst, tuple(text for _, _, text in reasons)
