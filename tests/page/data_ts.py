"""The page's types for its data, in stages/page/web: data.ts for a Page, shown.ts for a row as
printed by `stages show --json`, assessed.ts for the output of `stages assess --json`.

`make page` rewrites them; a test compares.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from stages.assess.assessment import Assessment
from stages.page.model import Page
from stages.show.shown import Shown
from tests.support.command_line import ROOT

FOLDER = ROOT / "stages" / "page" / "web"
MADE: Mapping[str, type] = {"data.ts": Page, "shown.ts": Shown, "assessed.ts": Assessment}
HEAD = "/** As Python declares it: `make page` makes this file. */\n"
REFERENCES = "#/$defs/{name}"
PLAIN_KEY = {"type": "string"}
PLAIN = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}


def text(declared: type) -> str:
    """A whole file: the types of a class and of everything in its fields."""
    _, types = msgspec.json.schema_components([declared], ref_template=REFERENCES)
    return HEAD + "".join(part for name in types for part in _interface(name, types[name]))


def _interface(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """The interface of a class; no field is optional, as defaults are encoded too."""
    comment = textwrap.fill(
        " ".join(schema["description"].split()), 98, initial_indent=" * ", subsequent_indent=" * "
    )
    yield f"\n/**\n{comment}\n */\nexport interface {name} {{\n"
    for field, each in schema["properties"].items():
        yield f"  readonly {field}: {_type(each)};\n"
    yield "}\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in schema:
        return " | ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    kind = schema.get("type")
    if kind == "null":
        return "null"
    if kind == "array":
        item = _type(schema["items"])
        return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
    if kind == "object":
        value = _type(schema.get("additionalProperties", {}))
        key = _type(schema.get("propertyNames", PLAIN_KEY))
        return f"Readonly<Record<{key}, {value}>>"
    return PLAIN[kind] if kind else "unknown"


if __name__ == "__main__":
    for name, declared in MADE.items():
        (FOLDER / name).write_text(text(declared), "utf-8")
