"""Read the entries of a TOML file, with clear errors that name the line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from stages.errors import FileError, Place
from stages.names import is_it, twins
from stages.project.text_files import read_text_file

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def entry_error(file: Path, where: str, message: str, entry: str = "", hint: str = "") -> FileError:
    """An error that names the file and, if it can be found, the line of `entry` in `[where]`.

    `where` is a table of the file such as `tables.articles`, or empty for the top level.
    """
    place = Place(file.name, line_of(file, f"{where}.{entry}".strip(".")))
    return FileError(f"{place}: {message}", hint or f"edit {file}", file=file, line=place.line)


def line_of(file: Path, path: str) -> int | None:
    """The line of an entry such as `tables.articles.orphans`, else of what contains it, or None."""
    try:
        lines = read_text_file(file).splitlines()
    except (OSError, FileError):
        return None
    places: list[tuple[str, int]] = []
    header = ""
    for number, line in enumerate(lines, 1):
        if match := re.fullmatch(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?", line):
            header = _plain(match[1])
            places.append((header, number))
        elif match := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            places.append((f"{header}.{_plain(match[1])}".strip("."), number))
    while path:
        for place, number in places:
            if place == path or place.startswith(f"{path}."):
                return number
        path = path.rpartition(".")[0]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\"'\s]", "", name)


class Entries:
    """Reads tables of one TOML file, refusing every name that it does not know."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def fail(self, message: str, where: str = "", entry: str = "") -> FileError:
        return entry_error(self.file, _table(where), message, entry)

    def known(self, raw: Any, allowed: Iterable[str], where: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise self.fail(f"{where} is not a table", where)
        extra = sorted(set(raw) - set(allowed))
        if extra:
            near = is_it(extra[0], [name for name in allowed if name not in raw])
            raise self.fail(f"{where} has an unknown entry `{extra[0]}`{near}", where, extra[0])
        return raw

    def named(self, raw: Any, where: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise self.fail(f"[{where}] is not a table", "", where)
        for name in raw:
            if not NAME.fullmatch(name):
                raise self.fail(
                    f"[{where}.{name}]: a name has letters, digits, _ and - only",
                    f"[{where}]",
                    name,
                )
        if two := twins(raw):
            other, name = two
            raise self.fail(
                f"[{where}.{name}] and [{where}.{other}] differ only in case", f"[{where}]", name
            )
        return raw

    def text(self, raw: dict[str, Any], name: str, default: str, where: str) -> str:
        value = raw.get(name, default)
        if not isinstance(value, str) or not value:
            raise self.fail(f"{where}: `{name}` is not a text", where, name)
        return value

    def texts(self, raw: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
        value = raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(f"{where}: `{name}` is not a list of texts", where, name)
        return tuple(value)

    def flag(self, raw: dict[str, Any], name: str, where: str) -> bool:
        value = raw.get(name, False)
        if not isinstance(value, bool):
            raise self.fail(f"{where}: `{name}` must be true or false", where, name)
        return value

    def choice(self, raw: dict[str, Any], name: str, choices: tuple[str, ...], where: str) -> str:
        value = raw.get(name, choices[0])
        if value not in choices:
            raise self.fail(
                f"{where}: `{name}` must be one of {', '.join(choices)}, not {value!r}",
                where,
                name,
            )
        return cast("str", value)


def _table(where: str) -> str:
    """`[tables.x] orphans` → `tables.x.orphans`; words without a header → the top level."""
    header = re.match(r"\[([^\]]*)\]", where)
    return where.replace("[", "").replace("] ", ".").replace("]", "") if header else ""
