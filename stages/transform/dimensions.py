"""The checks of vectors: as many numbers as the field's index in Convex has dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stages.rules import Rule
from stages.transform.compile import Check, Compiled, simple_check


def add_dimension_checks(
    compiled: Mapping[str, Compiled], columns: Mapping[str, Any], exported: Mapping[str, Any]
) -> dict[str, Compiled]:
    """The compiled fields with checks of dimensions added; `columns` are the model's.

    `exported` is the table as Convex exports it.
    """
    dimensions = {
        index["vectorField"]: int(index["dimensions"])
        for name in ("vectorIndexes", "stagedVectorIndexes")
        for index in exported.get(name, [])
    }
    return {
        name: replace(field, checks=(_check(field, dimensions[name]), *field.checks))
        if name in columns and name in dimensions
        else field
        for name, field in compiled.items()
    }


def _check(field: Compiled, dimensions: int) -> Check:
    name = field.shape.name
    length = f"len({field.value})"
    reason = f"'the vector has ' || {length} || ' numbers, its index needs {dimensions}'"
    return simple_check(name, Rule.DIMENSIONS, f"{length} <> {dimensions}", reason)
