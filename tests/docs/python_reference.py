"""The list of everything public in docs/reference/python.md, made from signatures and docstrings.

`make docs` rewrites it; a test compares.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

import stages
from stages.convex.client import Channel
from stages.extract.transport import Via
from stages.migration import What
from stages.options import Tables
from stages.state.imports import Mode
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "reference" / "python.md"
BEGIN, END = "<!-- reference: made by `make docs` -->\n", "<!-- end of the reference -->\n"
WIDTH = 118
# With it, a result completes the commands in its hints.
HIDDEN = {"complete"}
# Type aliases that are shown expanded.
ALIASES = {"Channel": Channel, "Mode": Mode, "Tables": Tables, "Via": Via, "What": What}


class Bare:
    """An annotation shown without quotes, and with aliases expanded."""

    def __init__(self, annotation: str) -> None:
        names = re.compile(rf"\b({'|'.join(ALIASES)})\b")
        self.text = names.sub(lambda match: plain(ALIASES[match[0]]), annotation)

    def __repr__(self) -> str:
        return self.text


def reference() -> str:
    """The whole list: Migration, then everything else by name."""
    names = sorted(stages.__all__, key=lambda name: (name != "Migration", name.lower()))
    return "\n".join(line for name in names for line in entry(name, getattr(stages, name)))


def entry(name: str, value: Any) -> Iterator[str]:
    """One public name."""
    yield f"### {name}\n"
    if not isinstance(value, type):
        if inspect.isfunction(value):
            yield f"`{name}{signature(value)}`\n\n{paragraphs(value)}\n"
        else:
            yield f"`{plain(value)}`\n"
        return
    if issubclass(value, Exception):
        yield f"{wrap(error_fields(value))}\n"
    elif issubclass(value, msgspec.Struct):
        fields = [f"{name}: {kind}" for name, kind in inspect.get_annotations(value).items()]
        yield f"{wrap('`' + '`, `'.join(fields) + '`')}\n"
    elif dataclasses.is_dataclass(value):
        fields = [f"{f.name}: {f.type}" for f in dataclasses.fields(value) if f.name not in HIDDEN]
        yield f"{wrap('`' + '`, `'.join(fields) + '`')}\n"
    else:
        yield f"`{name}{signature(value)}`\n"
    yield f"{paragraphs(value)}\n"
    members = list(members_of(value))
    yield from (wrap(f"- {text}", "  ") for text in members)
    if members:
        yield ""


def error_fields(value: type[Exception]) -> str:
    """An error's own fields, and the error from which it inherits others."""
    own = [f"`{name}: {kind}`" for name, kind in inspect.get_annotations(value).items()]
    base = value.__bases__[0]
    if base is not Exception:
        words = "and those" if own else "The fields"
        own.append(f"{words} of [{base.__name__}](#{base.__name__.lower()})")
    return ", ".join(own)


def members_of(value: type) -> Iterator[str]:
    """Methods and properties, the class's own before inherited ones."""
    seen: set[str] = set()
    for base in value.__mro__:
        if not base.__module__.startswith("stages"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in {*seen, *HIDDEN}:
                continue
            seen.add(name)
            if inspect.isfunction(member):
                yield f"`{name}{signature(member)}` {sentence(member)}"
            elif isinstance(member, property | cached_property):
                getter: Any = member.fget if isinstance(member, property) else member.func
                yield f"`{name}: {inspect.signature(getter).return_annotation}` {sentence(member)}"


def signature(value: Any) -> str:
    """The signature without `self` and without quotes."""
    called = inspect.signature(value)
    parameters = [
        p if p.annotation is p.empty else p.replace(annotation=Bare(p.annotation))
        for p in called.parameters.values()
        if p.name != "self"
    ]
    returns = called.return_annotation
    hidden = returns in (called.empty, "None", None)
    return str(
        called.replace(
            parameters=parameters, return_annotation=called.empty if hidden else Bare(returns)
        )
    )


def plain(alias: Any) -> str:
    """The text of a type, without module names."""
    return re.sub(r"[a-z_]+[.]", "", str(alias))


def sentence(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").split())


def paragraphs(value: Any) -> str:
    parts = (inspect.getdoc(value) or "").split("\n\n")
    return "\n\n".join(wrap(" ".join(part.split())) for part in parts)


def wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def filled(page: str) -> str:
    """The page with the current list."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n{reference()}\n{page[end:]}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
