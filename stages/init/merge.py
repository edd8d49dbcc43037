"""A three-way merge by lines that never changes a line that the user wrote.

A change is applied if the user's file still has the lines that it replaces. Unlike in git, a change
next to an edited line is no conflict: a new field may stand next to an edited one. The differences
come from difflib: merge3 is GPL, and git may not be installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Span = tuple[int, int]
# The field that a line of SQL outputs, and the key that a line of TOML sets.
FIELD = re.compile(r'(?:.* AS |.*\.)?("(?:[^"]|"")+"|\w+)')
KEY = re.compile(r'("?[\w-]+"?) = ')


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """Lines that could not be merged. `line` (from 1) is where `old` would be in the user's file
    if they had not edited it; `new` is what should replace it."""

    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Merged:
    """`text` is the user's with what could be merged; `base` is the base with the same changes."""

    text: str
    base: str
    left: tuple[Hunk, ...] = ()


@dataclass(frozen=True)
class _Edit:
    """Lines `before` of the base became lines `after` of another text."""

    before: Span
    after: Span

    def meets(self, other: _Edit) -> bool:
        """Whether they conflict: they change the same line of the base, or insert at the same place
        or inside each other."""
        (a, b), (c, d) = self.before, other.before
        if a == b and c == d:
            return a == c
        if a == b or c == d:
            place, (first, last) = (a, (c, d)) if a == b else (c, (a, b))
            return first < place < last
        return max(a, c) < min(b, d)


def merge(base: str, theirs: str, mine: str) -> Merged:
    """`mine` with the changes from `base` to `theirs`; `left` are those that conflict with it."""
    base_lines, their_lines, my_lines = (_lines(text) for text in (base, theirs, mine))
    edits, own = _edits(base_lines, their_lines), _edits(base_lines, my_lines)
    merged, common = list(my_lines), list(base_lines)
    left: list[Hunk] = []
    for edit in reversed(edits):
        (first, last), new = edit.before, their_lines[slice(*edit.after)]
        met = [each for each in own if edit.meets(each)]
        if not met:
            start = _start(first, own)
            merged[start : start + last - first] = new
        elif not _taken_over(base_lines[first:last], new, my_lines, met):
            start = min(each.after[0] for each in met)
            old = tuple(base_lines[first:last])
            left.insert(0, Hunk(line=start + 1, old=old, new=tuple(new)))
            continue
        common[first:last] = new
    return Merged(text=_text(merged, mine), base=_text(common, base), left=tuple(left))


def _edits(base: Sequence[str], other: Sequence[str]) -> list[_Edit]:
    """The differences; of consecutive lines, each one that has a name is an edit of its own."""
    matcher = SequenceMatcher(None, base, other, autojunk=False)
    return [
        edit
        for tag, i, j, k, n in matcher.get_opcodes()
        if tag != "equal"
        for edit in _by_names(base, other, (i, j), (k, n))
    ]


def _by_names(
    base: Sequence[str], other: Sequence[str], before: Span, after: Span
) -> Iterator[_Edit]:
    """An edit, split at the lines that have the same name on both sides."""
    (i, j), (k, n) = before, after
    ours = [line_name(line) for line in base[i:j]]
    theirs = [line_name(line) for line in other[k:n]]
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    for place, at, size in blocks:
        for number in range(size):
            if ours[place + number] is None:
                continue
            line, same = before[0] + place + number, after[0] + at + number
            if (i, k) != (line, same):
                yield _Edit((i, line), (k, same))
            if base[line] != other[same]:
                yield _Edit((line, line + 1), (same, same + 1))
            i, k = line + 1, same + 1
    if (i, k) != (j, n):
        yield _Edit((i, j), (k, n))


def line_name(line: str) -> str | None:
    """The field that a line of SQL outputs, or the key that a line of TOML sets; else None."""
    plain = _plain(line)
    if is_comment(plain):
        return None
    match = KEY.match(plain) or FIELD.fullmatch(plain)
    return match[1].strip('"').replace('""', '"') if match else None


def _start(line: int, own: Sequence[_Edit]) -> int:
    """Where a line of the base is in the user's file: after what the user inserted before it."""
    grown = (
        each.after[1] - each.after[0] - (each.before[1] - each.before[0])
        for each in own
        if each.before[1] <= line
    )
    return line + sum(grown)


def _taken_over(
    old: Sequence[str], new: Sequence[str], mine: Sequence[str], met: Sequence[_Edit]
) -> bool:
    """Whether the user has already made this change: the new lines exist, the old ones are gone.

    Comments and trailing commas do not count.
    """
    theirs = {_plain(line) for each in met for line in mine[slice(*each.after)]}
    wanted = {_plain(line) for line in new if not is_comment(line)}
    gone = {_plain(line) for line in old if not is_comment(line)} - wanted
    if wanted:
        return wanted <= {_plain(line) for line in mine} and not gone & theirs
    if gone:
        return all(map(is_comment, theirs))
    return {_plain(line) for line in new} <= theirs


def is_comment(line: str) -> bool:
    """Whether a line of SQL or TOML is blank or only a comment."""
    return line.strip()[:2] == "--" or line.strip()[:1] in ("#", "")


def _plain(line: str) -> str:
    return line.strip().removesuffix(",")


def _lines(text: str) -> list[str]:
    """Lines with their line ends; the last one gets one too, so that nothing is joined to it."""
    lines = text.split("\n")
    return [f"{line}\n" for line in (lines if lines[-1] else lines[:-1])]


def _text(lines: Sequence[str], like: str) -> str:
    """The lines as one text; without a final line end if the same last line of `like` has none."""
    text = "".join(lines)
    cut = like and not like.endswith("\n") and text.endswith(f"{like.rpartition(chr(10))[2]}\n")
    return text[:-1] if cut else text
