"""A validator as text, as in schema.ts."""

from __future__ import annotations

import json

from stages.convex.schema import Field, Validator

PLAIN = {"number": "v.number()", "bigint": "v.int64()"}


def field_text(field: Field) -> str:
    """The type of a field, such as `v.optional(v.string())`."""
    text = validator_text(field.validator)
    return f"v.optional({text})" if field.optional else text


def validator_text(validator: Validator) -> str:
    """The same for any validator; an unknown kind becomes `v.kind()`."""
    kind, value = validator["type"], validator.get("value")
    if kind == "id":
        return f"v.id({_quoted(validator['tableName'])})"
    if kind == "literal":
        return f"v.literal({_literal(value)})"
    if kind == "array":
        return f"v.array({validator_text(validator['value'])})"
    if kind == "union":
        return f"v.union({', '.join(map(validator_text, validator['value']))})"
    if kind == "object":
        members = (
            f"{name}: {_member(member['fieldType'], optional=bool(member['optional']))}"
            for name, member in validator["value"].items()
        )
        return f"v.object({{ {', '.join(members)} }})"
    if kind == "record":
        values = validator_text(validator["values"]["fieldType"])
        return f"v.record({validator_text(validator['keys'])}, {values})"
    return PLAIN.get(kind, f"v.{kind}()")


def _member(validator: Validator, *, optional: bool) -> str:
    return field_text(Field(name="", validator=validator, optional=optional))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _literal(value: object) -> str:
    """A literal's value; an int64 is shown in the form in which it is exported."""
    return _quoted(value) if isinstance(value, str) else json.dumps(value)
