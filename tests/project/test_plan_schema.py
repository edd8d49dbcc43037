"""docs/plan.schema.json, for editors, takes what the plan's reader takes, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stages.errors import UserError
from stages.project.plan_reader import load_plan
from tests.support.command_line import ROOT

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "plan.schema.json").read_text("utf-8"))
# A plan with each kind of table, to change one entry of.
PLAN: dict[str, Any] = {
    "report": {},
    "sources": {"people": {}},
    "reference": {"teams": {"source": "people"}},
    "tables": {"people": {}},
    "side": {"ages": {"keys": "people", "of": "people"}},
    "targets": {"staging": {}},
}
PLACES = (
    (), ("report",), ("sources", "people"), ("reference", "teams"), ("tables", "people"),
    ("side", "ages"), ("targets", "staging"),
)  # fmt: skip
# A text is a source of the plan, so that only its form can be refused.
VALUES: tuple[Any, ...] = (
    "people", "", "a b", "15 digits", "report", "reject", "row", "2%", "2.5%", "-1%", "BIGINT",
    0, 7, -1, 1.5, True, [], ["people"], [""], [7], [["people"]], [[]], {}, {"a": "people"},
    {"a": ""}, {"a": 7}, {"a": "null"}, {"a": "decimal(4, 2)"}, {"a": "DECIMAL"},
    {"a": {"b": "c"}}, {"a": {}}, {"a b": {}},
)  # fmt: skip


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """JSON Schema, as much of it as the file uses."""
    kinds = {"string": str, "array": list, "object": dict, "boolean": bool, "integer": int}
    kind = schema.get("type")
    if kind and not (
        isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
    ):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(accepts(each, value) for each in schema["anyOf"]):
        return False
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and bool(
            re.search(schema.get("pattern", ""), value)
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(value >= schema.get("minimum", value))
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            accepts(schema.get("items", {}), item) for item in value
        )
    return not isinstance(value, dict) or _accepts_object(schema, value)


def _accepts_object(schema: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    named, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    if len(value) < schema.get("minProperties", 0):
        return False
    if any(name not in value for name in schema.get("required", ())):
        return False
    for name, item in value.items():
        if not accepts(schema.get("propertyNames", {}), name):
            return False
        each = named.get(name, others)
        if each is False or not accepts(each, item):
            return False
    return True


def toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(name)} = {toml(item)}" for name, item in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def reads(folder: Path, plan: Mapping[str, Any]) -> bool:
    file = folder / "plan.toml"
    file.write_text("".join(f"{name} = {toml(item)}\n" for name, item in plan.items()), "utf-8")
    try:
        load_plan(file)
    except UserError:
        return False
    return True


def of_place(place: tuple[str, ...]) -> Mapping[str, Any]:
    """The schema's entries of a place, such as of each [tables.NAME]."""
    schema = SCHEMA
    for name in place:
        schema = schema["properties"].get(name) or schema["additionalProperties"]
        if "additionalProperties" in schema and schema["additionalProperties"] is not False:
            schema = schema["additionalProperties"]
            break
    entries: Mapping[str, Any] = schema["properties"]
    return entries


def changed(place: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """The plan, with one entry of a place in another form."""
    plan: dict[str, Any] = json.loads(json.dumps(PLAN))
    table = plan
    for each in place:
        table = table[each]
    table[name] = value
    return plan


def cases() -> Iterator[tuple[tuple[str, ...], str]]:
    for place in PLACES:
        for name in (*of_place(place), "unheard_of"):
            # What a target's entry holds is read, and refused, with the settings.
            if place != ("targets", "staging") or name == "unheard_of":
                yield place, name


@pytest.mark.parametrize(("place", "name"), [*cases()], ids=str)
def test_both_take_the_same(tmp_path: Path, place: tuple[str, ...], name: str) -> None:
    wrong = [
        (value, taken)
        for value in VALUES
        # Tables of the plan that others name are not to be taken away from it.
        if not (not place and name in PLAN and isinstance(value, dict))
        # That a text names a source of the plan, only the reader can see.
        if not (name == "of" and isinstance(value, str) and value != "people")
        for taken in [reads(tmp_path, changed(place, name, value))]
        if taken != accepts(SCHEMA, changed(place, name, value))
    ]
    assert not wrong


def test_both_take_the_same_entries(tmp_path: Path) -> None:
    """The reader refuses what it does not know; the schema names what it does."""
    source = (ROOT / "stages" / "project" / "plan_reader.py").read_text("utf-8")
    read = {
        name
        for entries in re.findall(r"self\.known\(\s*\w+(?:\.get\([^)]*\))?,\s*\(([^)]*)\)", source)
        for name in re.findall(r'"(\w+)"', entries)
    }
    described = {
        name for place in PLACES if place != ("targets", "staging") for name in of_place(place)
    }
    assert read == described
    entries = dict.fromkeys(of_place(("targets", "staging")), "VARIABLE")
    # Which leaves nothing of Convex to the settings.
    convex = {"convex": entries.pop("convex") and "sandbox"}
    for target in (entries, convex):
        assert reads(tmp_path, {**PLAN, "targets": {"staging": target}})


def test_the_shipped_plan_is_taken() -> None:
    import tomllib

    for file in [ROOT / ".planning/migrations/plan.toml", *ROOT.glob("tests/**/plan.toml")]:
        assert accepts(SCHEMA, tomllib.loads(file.read_text("utf-8"))), file
