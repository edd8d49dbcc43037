"""Order of tables: parents first, cycles together, and what of a cycle waits."""

from __future__ import annotations

from typing import Any

import pytest

from stages.convex.schema import Schema
from stages.errors import UserError
from stages.project.dependencies import DependencyGroup, dependency_groups, require_order


def a_schema(**tables: dict[str, Any]) -> Schema:
    """Tables of fields; a text is the table that a required v.id names."""
    return Schema(
        {
            "tables": [
                {
                    "tableName": table,
                    "documentType": {
                        "type": "object",
                        "value": {
                            name: given if isinstance(given, dict) else required(an_id(given))
                            for name, given in fields.items()
                        },
                    },
                }
                for table, fields in tables.items()
            ]
        }
    )


def an_id(table: str) -> dict[str, Any]:
    return {"type": "id", "tableName": table}


def required(validator: dict[str, Any]) -> dict[str, Any]:
    return {"fieldType": validator, "optional": False}


def optional(validator: dict[str, Any]) -> dict[str, Any]:
    return {"fieldType": validator, "optional": True}


def order(schema: Schema, tables: list[str]) -> list[str]:
    """The tables one after the other, as a load sends them."""
    names: list[str] = []
    for group in dependency_groups(schema, tables):
        require_order(schema, group)
        names += group.tables
    return names


def test_parents_come_first() -> None:
    schema = a_schema(a={"b": "b", "x": "elsewhere"}, b={"c": "c"}, c={}, elsewhere={})
    assert order(schema, ["a", "b", "c"]) == ["c", "b", "a"]
    assert all(not group.deferred for group in dependency_groups(schema, ["a", "b", "c"]))


def test_a_reference_to_itself_waits() -> None:
    schema = a_schema(a={"parent": optional(an_id("a")), "b": "b"}, b={})
    assert dependency_groups(schema, ["a", "b"]) == [
        DependencyGroup(tables=("b",), deferred={}),
        DependencyGroup(tables=("a",), deferred={"a": frozenset({"parent"})}, cycle=True),
    ]


@pytest.mark.parametrize(
    "may_be_left_out",
    [
        optional(an_id("orders")),
        required({"type": "union", "value": [an_id("orders"), {"type": "null"}]}),
        required({"type": "array", "value": an_id("orders")}),
    ],
)
def test_what_may_be_left_out_of_a_cycle_waits(may_be_left_out: dict[str, Any]) -> None:
    schema = a_schema(orders={"customer": "customers"}, customers={"last": may_be_left_out})
    assert dependency_groups(schema, ["orders", "customers"]) == [
        DependencyGroup(
            tables=("customers", "orders"),
            deferred={"customers": frozenset({"last"})},
            cycle=True,
        )
    ]


@pytest.mark.parametrize("fields", [{"b": "b"}, {"a": "a"}])
def test_a_cycle_of_required_references_is_named(fields: dict[str, Any]) -> None:
    schema = a_schema(a=fields, b={"a": "a"}, c={"a": "a"})
    with pytest.raises(UserError, match="every reference is required: a → ") as error:
        order(schema, ["a", "b", "c"])
    assert "c" not in error.value.message.partition("required: ")[2]
    assert "--through import" in (error.value.hint or "")


def test_a_tail_does_not_belong_to_its_cycle() -> None:
    schema = a_schema(
        a={"b": optional(an_id("b"))}, b={"a": "a"}, child={"a": "a"}, parent={}, z={"p": "parent"}
    )
    groups = [
        group.tables for group in dependency_groups(schema, ["child", "a", "b", "z", "parent"])
    ]
    assert sorted(map(len, groups)) == [1, 1, 1, 2]
    assert groups.index(("a", "b")) < groups.index(("child",))


def test_what_a_member_of_a_union_demands_does_not_wait() -> None:
    """Optional for the table as a whole, but no document of that member is valid without it."""
    schema = a_schema(a={"b": "b"}, b={})
    tables = list(schema.exported["tables"])
    tables[1]["documentType"] = {
        "type": "union",
        "value": [
            {"type": "object", "value": {"a": required(an_id("a")), "c": optional(an_id("a"))}},
            {"type": "object", "value": {}},
        ],
    }
    with pytest.raises(UserError, match="in which every reference is required"):
        order(Schema({"tables": tables}), ["a", "b"])
    assert dependency_groups(Schema({"tables": tables}), ["a", "b"])[0].deferred == {
        "b": frozenset({"c"})
    }
