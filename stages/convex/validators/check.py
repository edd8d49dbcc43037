"""A validator → SQL of what is wrong with a marked, canonical JSON value, or NULL.

Every value is bound once, by the lambda that extracts it from its array or object, so that the SQL
grows with the validator and not with its depth. What the model may leave to stages is not a
problem: a whole number where an int64 is expected, a null in an optional field that does not accept
null, and a bare key where the plan names the table (see rewrite.py).
"""

from __future__ import annotations

import itertools
import struct
from base64 import b64encode
from collections.abc import Iterator, Sequence

from stages.convex.ids import ALPHABET
from stages.convex.schema import Validator
from stages.convex.validators.alternatives import Alternatives, alternatives, describe
from stages.convex.validators.marks import (
    BASE64,
    EIGHT_BYTES,
    MARK,
    SPECIAL,
    kind_sql,
    payload_sql,
)
from stages.rules import Rule
from stages.sql import member_sql, text_sql

EXACT = 2**53
SAID = {"INTEGER": "an int64", "BYTES": "bytes", "ARRAY": "an array", "OBJECT": "an object"}


def problem_sql(validator: Validator, value: str, path: str) -> str:
    """SQL of "rule: reason at path", or NULL. `value` is short SQL, such as a column, of marked
    canonical JSON that is not SQL NULL; `path` is SQL of the text that says where it is."""
    return _Check().value(validator, value, path)


def conditions(
    members: Sequence[Validator], value: str, *, items: bool = False, bound: bool = False
) -> list[str]:
    """SQL for each member of a union of objects (or of arrays, by their items): whether the value
    is that member's. The first match decides. `bound`: it has Convex ids, not references.
    """
    if len(members) == 1:
        return ["true"]
    if not items:
        name, choices = discriminator(members)
        if name:
            return [
                f"({value} ->> '$.{name}') IN ({', '.join(map(text_sql, texts))})"
                for texts in choices
            ]
    check = _Check(bound=bound)
    problem = check.array if items else check.object
    return [f"({problem(member, value, text_sql(''))}) IS NULL" for member in members]


def discriminator(members: Sequence[Validator]) -> tuple[str, list[list[str]]]:
    """The required field whose literals tell the objects of a union apart, and the literals of each
    object; "" and [] if there is none."""
    if any(member["type"] != "object" for member in members):
        return "", []
    for name in members[0]["value"]:
        choices = []
        for member in members:
            field = member["value"].get(name)
            if field is None or field["optional"]:
                break
            accepted = alternatives(field["fieldType"])
            texts = accepted.of_kind("STRING")
            if not texts or len(texts) < len(accepted.literals) or _takes_more(accepted):
                break
            choices.append([str(text) for text in texts])
        texts_of_all = list(itertools.chain.from_iterable(choices))
        if len(choices) == len(members) and len(set(texts_of_all)) == len(texts_of_all):
            return name, choices
    return "", []


def _takes_more(accepted: Alternatives) -> bool:
    return bool(
        accepted.kinds
        or accepted.ids
        or accepted.system_ids
        or accepted.items
        or accepted.objects
        or accepted.anything
    )


def is_id_sql(text: str) -> str:
    """SQL: whether a text has the form of a Convex id; only Convex knows of which table."""
    return f"regexp_full_match({text}, '[{ALPHABET}]{{31,37}}')"


def no_id(tables: Sequence[str]) -> str:
    """The words for a text that is not an id of these system tables."""
    return f"no id of {' or '.join(dict.fromkeys(tables))}"


def wrong(rule: Rule, reason: str, path: str) -> str:
    """SQL of a problem; `reason` is SQL too."""
    return f"({text_sql(rule + ': ')} || {reason} || ' at ' || {path})"


class _Check:
    """Walks a validator; the names of its lambdas are unique within one expression."""

    def __init__(self, *, bound: bool = False) -> None:
        self.bound = bound
        self._names = (f"v{n}" for n in itertools.count())

    def value(self, validator: Validator, value: str, path: str) -> str:
        accepted = alternatives(validator)
        kind = kind_sql(value)
        cases = " ".join(f"WHEN {text_sql(k)} THEN {text_sql(w)}" for k, w in SAID.items())
        said = f"CASE kind {cases} ELSE 'a ' || lower(kind) END"
        expected = text_sql(f", not {describe(validator)}")
        otherwise = wrong(Rule.TYPE_MISMATCH, f"{said} || {expected}", path)
        if accepted.anything:
            otherwise = self._anything(accepted.anything[0], value, path)
        branches = "".join(
            f"WHEN {text_sql(name)} THEN {sql} " for name, sql in self._kinds(accepted, value, path)
        )
        null = ""
        if not accepted.null:
            problem = wrong(Rule.REQUIRED_NULL, text_sql("the value is null"), path)
            null = f"WHEN 'NULL' THEN {problem} "
        return (
            f"list_transform([{kind}], lambda kind: "
            f"CASE kind {null}{branches}ELSE {otherwise} END)[1]"
        )

    def _kinds(self, accepted: Alternatives, value: str, path: str) -> Iterator[tuple[str, str]]:
        """(kind, SQL of the problem) for each kind of which some values are accepted; for v.any(),
        those of which not all are."""
        if accepted.anything:
            yield from (
                (kind, wrong(Rule.FIELD_NAME, text_sql("a key begins with $"), path))
                for kind in ("INTEGER", "BYTES")
                if kind not in accepted.kinds
            )
            yield from self._wrapped(accepted, value, path)
            return
        if "NULL" in accepted.kinds:
            yield "NULL", "NULL"
        yield from self._text(accepted, value, path)
        if "BOOLEAN" in accepted.kinds:
            yield "BOOLEAN", "NULL"
        elif accepted.of_kind("BOOLEAN"):
            among = ", ".join(str(x).lower() for x in accepted.of_kind("BOOLEAN"))
            yield "BOOLEAN", _unless(f"({value})::BOOLEAN IN ({among})", self._none_of(value, path))
        number = self._number(accepted, value, path)
        if number:
            yield "NUMBER", number
        yield from self._wrapped(accepted, value, path)
        if accepted.items:
            arrays = [self.array(item, value, path) for item in accepted.items]
            yield "ARRAY", self._one_of(arrays, path)
        if accepted.objects:
            problems = [self.object(member, value, path) for member in accepted.objects]
            told_apart = len(problems) > 1 and discriminator(accepted.objects)[0]
            choices = conditions(accepted.objects, value) if told_apart else ()
            yield "OBJECT", self._one_of(problems, path, choices)

    def _text(self, accepted: Alternatives, value: str, path: str) -> Iterator[tuple[str, str]]:
        text = f"({value} ->> '$')"
        literals = accepted.of_kind("STRING")
        free = self.bound or any(member.get("bare") for member in accepted.ids)
        if "STRING" in accepted.kinds or (accepted.ids and free):
            yield "STRING", "NULL"
            return
        taken = [f"starts_with({text}, {text_sql(m['tableName'] + ':')})" for m in accepted.ids]
        if literals:
            taken.append(f"{text} IN ({', '.join(text_sql(str(x)) for x in literals)})")
        tables = " or ".join(dict.fromkeys(member["tableName"] for member in accepted.ids))
        missing = [f"no reference to {tables}"] if tables else []
        if accepted.system_ids:
            taken.append(is_id_sql(text))
            missing.insert(0, no_id(accepted.system_ids))
        otherwise = text_sql(f" is {' and '.join(missing)}")
        orphan = wrong(Rule.ORPHAN, f"{text} || {otherwise}", path)
        if taken:
            yield (
                "STRING",
                _unless(" OR ".join(taken), orphan if missing else self._none_of(value, path)),
            )

    def _none_of(self, value: str, path: str) -> str:
        reason = f"({value} ->> '$') || ' is not one of the schema''s literals'"
        return wrong(Rule.NOT_IN_UNION, reason, path)

    def _number(self, accepted: Alternatives, value: str, path: str) -> str:
        """A plain JSON number: a float64, or a whole one where an int64 is expected."""
        if "NUMBER" in accepted.kinds or any(member.get("bare") for member in accepted.ids):
            return "NULL"
        number = f"({value} ->> '$')::DOUBLE"
        taken = []
        literals = [*accepted.of_kind("NUMBER"), *accepted.of_kind("INTEGER")]
        if literals:
            taken.append(f"{number} IN ({', '.join(f'{x!r}::DOUBLE' for x in literals)})")
        if "INTEGER" in accepted.kinds:
            taken.append(f"({number} = trunc({number}) AND abs({number}) <= {EXACT})")
        if not taken:
            return ""
        problem = (
            self._none_of(value, path)
            if literals
            else wrong(
                Rule.TYPE_MISMATCH,
                f"({value} ->> '$') || ' is not a whole number up to 2^53'",
                path,
            )
        )
        return _unless(" OR ".join(taken), problem)

    def _wrapped(self, accepted: Alternatives, value: str, path: str) -> Iterator[tuple[str, str]]:
        payload = payload_sql(value)
        malformed = wrong(Rule.TYPE_MISMATCH, text_sql("an encoded value is malformed"), path)
        if "NUMBER" in accepted.kinds and not accepted.anything:
            special = ", ".join(text_sql(text) for text in SPECIAL)
            yield "FLOAT", _unless(f"{payload} IN ({special})", malformed)
        literals = accepted.of_kind("INTEGER")
        if "INTEGER" in accepted.kinds:
            valid = f"regexp_full_match({payload}, '{EIGHT_BYTES}')"
            yield "INTEGER", _unless(valid, malformed)
        elif literals:
            among = ", ".join(text_sql(int64_text(int(n))) for n in literals)
            yield (
                "INTEGER",
                _unless(
                    f"{payload} IN ({among})",
                    wrong(Rule.NOT_IN_UNION, text_sql("the int64 is none of the literals"), path),
                ),
            )
        if "BYTES" in accepted.kinds:
            yield "BYTES", _unless(f"regexp_full_match({payload}, '{BASE64}')", malformed)

    def _one_of(self, problems: list[str], path: str, choices: Sequence[str] = ()) -> str:
        """The problem of the member whose condition in `choices` holds, or that none accepts it.

        Without `choices`, there is a problem only if every member has one.
        """
        if len(problems) == 1:
            return problems[0]
        count = text_sql(f"none of the {len(problems)} members of the union accepts it")
        none = wrong(Rule.NOT_IN_UNION, count, path)
        if choices:
            pairs = zip(choices, problems, strict=True)
            cases = " ".join(f"WHEN {condition} THEN {problem}" for condition, problem in pairs)
            return f"CASE {cases} ELSE {none} END"
        return f"CASE WHEN NOT ({' OR '.join(f'({p}) IS NULL' for p in problems)}) THEN {none} END"

    def array(self, item: Validator, value: str, path: str) -> str:
        name = next(self._names)
        inner = self.value(item, name, f"{path} || '[' || (i{name} - 1) || ']'")
        return _first(f"json_extract({value}, '$[*]')", f"lambda {name}, i{name}: {inner}")

    def object(self, member: Validator, value: str, path: str) -> str:
        if member["type"] == "record":
            return self._record(member, value, path)
        names = list(member["value"])
        at = next(self._names)
        declared = ", ".join(text_sql(name) for name in names) or "NULL"
        extra = f"list_filter(json_keys({value}), lambda k: (k IN ({declared})) IS NOT TRUE)[1]"
        problems = [
            wrong(Rule.EXTRA_FIELD, f"'the field ' || {extra} || ' is not in the schema'", path)
        ]
        for number, name in enumerate(names, start=1):
            field = member["value"][name]
            inside = f"{at}[{number}]"
            inner = self.value(field["fieldType"], inside, f"{path} || {text_sql('.' + name)}")
            absent = wrong(Rule.MISSING_FIELD, text_sql(f"the field {name} is required"), path)
            if not field["optional"]:
                problems.append(f"CASE WHEN {inside} IS NULL THEN {absent} ELSE {inner} END")
            elif alternatives(field["fieldType"]).null:
                problems.append(f"CASE WHEN {inside} IS NOT NULL THEN {inner} END")
            else:
                problems.append(
                    f"CASE WHEN coalesce(json_type({inside}), 'NULL') <> 'NULL' THEN {inner} END"
                )
        paths = ", ".join(member_sql(name) for name in names)
        extracted = f"json_extract({value}, [{paths}]::VARCHAR[])"
        return f"list_transform([{extracted}], lambda {at}: coalesce({', '.join(problems)}))[1]"

    def _record(self, member: Validator, value: str, path: str) -> str:
        name = next(self._names)
        keys = alternatives(member["keys"])
        here = f"{path} || '.' || {name}[1]"
        problems = []
        if "STRING" not in keys.kinds and not (keys.ids and self.bound):
            taken = ["false"]
            taken += [f"{name}[1] = {text_sql(str(text))}" for text in keys.of_kind("STRING")]
            taken += [f"starts_with({name}[1], {text_sql(m['tableName'] + ':')})" for m in keys.ids]
            if keys.system_ids:
                taken.append(is_id_sql(f"{name}[1]"))
            reason = text_sql(f"the key is not {describe(member['keys'])}")
            problems.append(_unless(" OR ".join(taken), wrong(Rule.NOT_IN_UNION, reason, here)))
        problems.append(self.value(member["values"]["fieldType"], f"{name}[2]", here))
        return _first(entries_sql(value), f"lambda {name}: coalesce({', '.join(problems)}, NULL)")

    def _anything(self, member: Validator, value: str, path: str) -> str:
        """v.any(): no int64 or bytes, whose encoding in a JSON column is that of an object with a
        $ key; and the places in it that the plan names."""
        problems = [any_problem_sql(f"{value}::VARCHAR", path)]
        for name, inner in member.get("fields", {}).items():
            at = next(self._names)
            problem = self.value(inner, at, f"{path} || {text_sql('.' + name)}")
            inside = f"json_extract({value}, {member_sql(name)})"
            present = f"list_filter([{inside}], lambda x: x IS NOT NULL)"
            first = _first(present, f"lambda {at}: {problem}")
            problems.append(f"CASE WHEN json_type({value}) = 'OBJECT' THEN {first} END")
        if "items" in member:
            problems.append(
                f"CASE WHEN json_type({value}) = 'ARRAY' "
                f"THEN {self.array(member['items'], value, path)} END"
            )
        if "values" in member:
            at = next(self._names)
            problem = self.value(member["values"], f"{at}[2]", f"{path} || '.' || {at}[1]")
            problems.append(
                f"CASE WHEN json_type({value}) = 'OBJECT' "
                f"THEN {_first(entries_sql(value), f'lambda {at}: {problem}')} END"
            )
        return f"coalesce({', '.join(problems)}, NULL)"


def any_problem_sql(text: str, path: str) -> str:
    """SQL of what is wrong with a marked text for v.any(): an int64 or bytes, whose encoding would
    be an object with a $ key, or a float that plain JSON can express."""
    special = "|".join(payload.replace("+", "[+]") for payload in SPECIAL)
    rest = f"regexp_replace({text}, '\"{MARK}f({special})\"', '0', 'g')"
    problem = wrong(Rule.FIELD_NAME, text_sql("a key begins with $"), path)
    return (
        f"CASE WHEN contains({text}, '\"{MARK}') AND contains({rest}, '\"{MARK}') "
        f"THEN {problem} END"
    )


def entries_sql(value: str) -> str:
    """SQL of an object's (key, value) pairs, as a list in order."""
    return f"list_zip(json_keys({value}), json_extract({value}, '$.*'))"


def int64_text(number: int) -> str:
    """base64 of an int64, as Convex encodes it."""
    return b64encode(struct.pack("<q", number)).decode()


def _unless(taken: str, problem: str) -> str:
    return f"CASE WHEN NOT ({taken}) THEN {problem} END"


def _first(values: str, problem: str) -> str:
    """SQL of the first problem of a list."""
    return f"list_filter(list_transform({values}, {problem}), lambda p: p IS NOT NULL)[1]"
