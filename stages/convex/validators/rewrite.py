"""A validator → SQL that rewrites valid JSON by position: never by what a text looks like.

Four ways: `LongIntegers` encodes int64s that no float holds as Convex does; `Normalise` completes
what the model may leave to stages; `Unorphan` removes references that have no target; `Bind`
replaces references with Convex ids. The text of a value is NULL if it is to be removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from stages.convex.schema import Validator
from stages.convex.validators.alternatives import Alternatives, alternatives
from stages.convex.validators.check import conditions, entries_sql
from stages.convex.validators.marks import MARK, kind_sql
from stages.convex.validators.positions import positions, reference_condition, refs_sql
from stages.sql import text_sql


class Rewriter:
    """The walk that all rewriters share; `name` is the field's."""

    def __init__(self, name: str, validator: Validator) -> None:
        self.name = name
        self.validator = validator
        self.numbers = {p.path: n for n, p in enumerate(positions(name, validator))}
        self._names = (f"w{n}" for n in itertools.count())

    @property
    def needed(self) -> bool:
        return self.wants(self.validator, self.name)

    def sql(self, value: str) -> str:
        """SQL of the new text of a marked JSON value that is valid."""
        return self.value(self.validator, value, self.name)

    # What differs:

    def leaf(
        self, validator: Validator, accepted: Alternatives, value: str, path: str
    ) -> list[str]:
        """`WHEN … THEN text` for values that are neither array nor object."""
        raise NotImplementedError

    def key(self, key: str, path: str) -> str:
        """SQL of a record's key as JSON text; NULL removes its entry."""
        return f"to_json({key})::VARCHAR"

    def takes_out(self, validator: Validator, *, optional: bool) -> bool:
        """Whether a null in such a field of an object is removed."""
        return False

    def drops(self, item: Validator, value: str, path: str) -> str | None:
        """SQL: whether an item of an array is removed; None if none ever is."""
        return None

    def wants(self, validator: Validator, path: str) -> bool:
        """Whether anything in a value of this validator may change."""
        accepted = alternatives(validator)
        return (
            bool(self.leaf(validator, accepted, "v", path))
            or any(
                self.wants(item, f"{path}[]") or self.drops(item, "v", path)
                for item in accepted.items
            )
            or any(self._wants_object(member, path) for member in accepted.objects)
            or any(self._wants_any(member, path) for member in accepted.anything)
        )

    def _wants_object(self, member: Validator, path: str) -> bool:
        if member["type"] == "record":
            inner = member["values"]["fieldType"]
            return self._wants_key(path) or self.wants(inner, f"{path}{{}}")
        return any(
            self.takes_out(field["fieldType"], optional=field["optional"])
            or self.wants(field["fieldType"], f"{path}.{name}")
            for name, field in member["value"].items()
        )

    def _wants_key(self, path: str) -> bool:
        return self.key("k", f"{path}{{key}}") != "to_json(k)::VARCHAR"

    def _wants_any(self, member: Validator, path: str) -> bool:
        fields = member.get("fields", {})
        return (
            any(self.wants(inner, f"{path}.{name}") for name, inner in fields.items())
            or ("items" in member and self.wants(member["items"], f"{path}[]"))
            or ("items" in member and bool(self.drops(member["items"], "v", path)))
            or ("values" in member and self.wants(member["values"], f"{path}{{}}"))
        )

    # The walk:

    def value(self, validator: Validator, value: str, path: str) -> str:
        accepted = alternatives(validator)
        cases = self.leaf(validator, accepted, value, path)
        of_items = [self._array(item, value, path) for item in accepted.items]
        cases += self._containers("ARRAY", accepted.items, of_items, value)
        of_objects = [self._object(member, value, path) for member in accepted.objects]
        cases += self._containers("OBJECT", accepted.objects, of_objects, value)
        for member in accepted.anything[:1]:
            if self._wants_any(member, path):
                cases.append(self._anything(member, value, path))
        same = f"{value}::VARCHAR"
        return f"CASE {' '.join(cases)} ELSE {same} END" if cases else same

    def _containers(
        self, kind: str, members: Sequence[Validator], texts: Sequence[str | None], value: str
    ) -> list[str]:
        if not any(texts):
            return []
        chosen = conditions(members, value, items=kind == "ARRAY")
        return [
            f"WHEN json_type({value}) = '{kind}' AND {condition} THEN {text or f'{value}::VARCHAR'}"
            for condition, text in zip(chosen, texts, strict=True)
        ]

    def _array(self, item: Validator, value: str, path: str) -> str | None:
        if not self.wants(item, f"{path}[]") and not self.drops(item, "v", path):
            return None
        name = next(self._names)
        inner = self.value(item, name, f"{path}[]")
        dropped = self.drops(item, name, path)
        if dropped:
            inner = f"CASE WHEN NOT ({dropped}) THEN {inner} END"
        listed = f"list_transform(json_extract({value}, '$[*]'), lambda {name}: {inner})"
        return f"('[' || {_joined(listed)} || ']')"

    def _object(self, member: Validator, value: str, path: str) -> str | None:
        if not self._wants_object(member, path):
            return None
        if member["type"] == "record":
            return self._entries(value, path, member["values"]["fieldType"])
        cases: dict[str, str] = {}
        at = next(self._names)
        for name, field in member["value"].items():
            inner = field["fieldType"]
            out = self.takes_out(inner, optional=field["optional"])
            if not out and not self.wants(inner, f"{path}.{name}"):
                continue
            text = self.value(inner, f"{at}[2]", f"{path}.{name}")
            if out:
                text = f"CASE WHEN json_type({at}[2]) <> 'NULL' THEN {text} END"
            cases[name] = text
        return self._fields(at, value, cases)

    def _fields(self, at: str, value: str, cases: Mapping[str, str]) -> str:
        chosen = " ".join(f"WHEN {text_sql(name)} THEN {text}" for name, text in cases.items())
        text = f"CASE {at}[1] {chosen} ELSE {at}[2]::VARCHAR END"
        pairs = f"lambda {at}: to_json({at}[1])::VARCHAR || ':' || {text}"
        return f"('{{' || {_joined(f'list_transform({entries_sql(value)}, {pairs})')} || '}}')"

    def _entries(self, value: str, path: str, values: Validator, *, keys: bool = True) -> str:
        at = next(self._names)
        key = f"{at}[1]"
        head = self.key(key, f"{path}{{key}}") if keys else f"to_json({key})::VARCHAR"
        text = self.value(values, f"{at}[2]", f"{path}{{}}")
        listed = f"list_transform({entries_sql(value)}, lambda {at}: {head} || ':' || {text})"
        return f"('{{' || {_joined(listed)} || '}}')"

    def _anything(self, member: Validator, value: str, path: str) -> str:
        """`WHEN … THEN text` for the places in v.any() that the plan names."""
        kind = f"json_type({value})"
        cases = ""
        if "items" in member:
            array = self._array(member["items"], value, path)
            if array:
                cases += f"WHEN {kind} = 'ARRAY' THEN {array} "
        if "values" in member:
            every = self._entries(value, path, member["values"], keys=False)
            cases += f"WHEN {kind} = 'OBJECT' THEN {every} "
        elif member.get("fields"):
            at = next(self._names)
            texts = {
                name: self.value(inner, f"{at}[2]", f"{path}.{name}")
                for name, inner in member["fields"].items()
                if self.wants(inner, f"{path}.{name}")
            }
            cases += f"WHEN {kind} = 'OBJECT' THEN {self._fields(at, value, texts)} "
        return cases


class LongIntegers(Rewriter):
    """Whole numbers of 16 digits and more become int64s where a validator accepts int64 but no
    float. It comes first, on JSON not checked yet: anything that is not an int64 is left alone."""

    def leaf(
        self, validator: Validator, accepted: Alternatives, value: str, path: str
    ) -> list[str]:
        if not takes_only_int64(accepted):
            return []
        whole = f"{value}::VARCHAR"
        int64 = f"try_cast({whole} AS BIGINT)"
        long = f"regexp_full_match({whole}, '-?[0-9]{{16,}}')"
        return [f"WHEN {long} AND {int64} IS NOT NULL THEN {_marked_int64(int64)}"]


class Normalise(Rewriter):
    """Plain whole numbers become int64s, nulls of optional fields that do not accept null are
    removed, and bare keys are prefixed with the table that the plan names."""

    def leaf(
        self, validator: Validator, accepted: Alternatives, value: str, path: str
    ) -> list[str]:
        cases = []
        if takes_only_int64(accepted):
            int64 = f"({value} ->> '$')::DOUBLE::BIGINT"
            cases.append(f"WHEN {kind_sql(value)} = 'NUMBER' THEN {_marked_int64(int64)}")
        for member in accepted.ids:
            if member.get("bare"):
                prefix = text_sql(member["tableName"] + ":")
                literals = [text_sql(str(x)) for x in accepted.of_kind("STRING")]
                text = f"({value} ->> '$')"
                apart = f" AND {text} NOT IN ({', '.join(literals)})" if literals else ""
                cases.append(
                    f"WHEN {kind_sql(value)} IN ('STRING', 'NUMBER') AND NOT "
                    f"starts_with({text}, {prefix}){apart} "
                    f"THEN to_json({prefix} || {text})::VARCHAR"
                )
        return cases

    def takes_out(self, validator: Validator, *, optional: bool) -> bool:
        return optional and not alternatives(validator).null


class Bind(Rewriter):
    """Replaces references with ids. `ids` is SQL of a MAP from a reference's text to its id."""

    def __init__(self, name: str, validator: Validator, ids: str) -> None:
        super().__init__(name, validator)
        self.ids = ids

    def leaf(
        self, validator: Validator, accepted: Alternatives, value: str, path: str
    ) -> list[str]:
        if not accepted.ids:
            return []
        condition = reference_condition(validator, value, bound=False)
        return [f"WHEN {condition} THEN to_json({self.ids}[{value} ->> '$'])::VARCHAR"]

    def key(self, key: str, path: str) -> str:
        if path in self.numbers:
            return f"to_json({self.ids}[{key}])::VARCHAR"
        return super().key(key, path)


class Unorphan(Rewriter):
    """Removes orphans. `orphans` is SQL of a list of {p, r}. At the paths in `nulled`, orphans
    become null or absent; at those in `dropped`, their item of an array is removed."""

    def __init__(
        self,
        name: str,
        validator: Validator,
        orphans: str,
        nulled: frozenset[str],
        dropped: frozenset[str],
    ) -> None:
        super().__init__(name, validator)
        self.orphans = orphans
        self.nulled = nulled
        self.dropped = dropped
        self.nullable = {p.path: p.nullable for p in positions(name, validator)}

    def _is_orphan(self, number: int, text: str) -> str:
        return f"len(list_filter({self.orphans}, lambda o: o.p = {number} AND o.r = {text})) > 0"

    def leaf(
        self, validator: Validator, accepted: Alternatives, value: str, path: str
    ) -> list[str]:
        if not accepted.ids or path not in self.nulled:
            return []
        condition = reference_condition(validator, value, bound=False)
        orphan = self._is_orphan(self.numbers[path], f"({value} ->> '$')")
        null = "'null'" if accepted.null else "NULL"
        return [f"WHEN {condition} AND {orphan} THEN {null}"]

    def key(self, key: str, path: str) -> str:
        text = super().key(key, path)
        if path not in self.nulled:
            return text
        return f"CASE WHEN NOT ({self._is_orphan(self.numbers[path], key)}) THEN {text} END"

    def drops(self, item: Validator, value: str, path: str) -> str | None:
        """The innermost item of an array that holds the reference is removed."""
        here = [
            n
            for p, n in self.numbers.items()
            if p in self.dropped and p.rpartition("[]")[0] == path
        ]
        if not here:
            return None
        numbers = {p: n for p, n in self.numbers.items() if n in here}
        inner = refs_sql(f"{path}[]", item, value, numbers=self.numbers)
        among = ", ".join(str(n) for n in numbers.values())
        orphan = "len(list_filter({0}, lambda o: o.p = x.p AND o.r = x.r)) > 0"
        return (
            f"len(list_filter({inner}, lambda x: x.p IN ({among}) AND "
            f"{orphan.format(self.orphans)})) > 0"
        )


def takes_only_int64(accepted: Alternatives) -> bool:
    """Whether a number at this place can be nothing but an int64."""
    numbers = "NUMBER" in accepted.kinds or accepted.of_kind("NUMBER") or accepted.anything
    return bool("INTEGER" in accepted.kinds or accepted.of_kind("INTEGER")) and not numbers


def _marked_int64(number: str) -> str:
    """SQL of the marked JSON text of a BIGINT."""
    return f"'\"{MARK}i' || substr(encode_int64({number}), 14, 12) || '\"'"


def _joined(texts: str) -> str:
    return f"array_to_string(list_filter({texts}, lambda t: t IS NOT NULL), ',')"
