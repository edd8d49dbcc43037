"""What an update makes of each file: the user's text, with the changes that can be merged."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from stages.init.merge import Hunk, Merged, is_comment, merge
from stages.init.pieces import changes_in_order, plan_with_changes, with_changes

# Whether a file can be given a text.
Takes = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True)
class FileMerge:
    """One file. `mine` is the user's current text, None for a new file; `changed` are the pieces
    that have changed, and `left` those of them that could not be merged. Their hunks are in
    `before`, numbered as in the current file, and in `merged.left`, as in the merged one."""

    file: str
    mine: str | None
    merged: Merged
    before: tuple[Hunk, ...] = ()
    changed: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    def refused(self, written: str) -> FileMerge:
        """Merge nothing, and leave all of it to the user."""
        mine = self.mine or ""
        left = _refused(mine, self.merged.text)
        return replace(self, merged=Merged(text=mine, base=written, left=left), before=left)

    @property
    def lines(self) -> int:
        """How many lines are written or removed."""
        old, new = ((text or "").splitlines() for text in (self.mine, self.merged.text))
        codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        return sum(max(j - i, n - k) for tag, i, j, k, n in codes if tag != "equal")


def merge_model(
    file: str,
    *,
    written: str | None,
    then: str,
    now: str,
    mine: str,
    renamed: Mapping[str, str],
    settled: Collection[str] = (),
    takes: Takes,
) -> FileMerge:
    """Merge a model piece by piece. `written` is what init wrote, `then` and `now` what it makes of
    the two pictures, `renamed` are the renamed fields, old → new. The user has already dealt with
    the `settled` pieces; a text that the file does not take is not merged."""
    first = base = then if written is None else written
    text = mine
    left: list[frozenset[str]] = []
    steps = changes_in_order(then, now, renamed)
    for names in steps:
        if names <= {*settled}:
            base = with_changes(base, then, now, names)
            continue
        merged = _merge_piece(base, then, now, text, names)
        if merged.left or (merged.text != text and not takes(merged.text)):
            left.append(names)
        else:
            text, base = merged.text, merged.base

    def hunks(base: str, text: str) -> tuple[Hunk, ...]:
        return tuple(
            hunk
            for names in left
            for hunk in _merge_piece(base, then, now, text, names).left
            or _refused(base, with_changes(base, then, now, names))
        )

    return FileMerge(
        file=file,
        mine=mine,
        merged=Merged(text=text, base=base, left=hunks(base, text)),
        before=hunks(first, mine),
        changed=frozenset(name for names in steps for name in names),
        left=frozenset(name for names in left for name in names),
    )


def _merge_piece(base: str, then: str, now: str, mine: str, names: Collection[str]) -> Merged:
    both = [
        _without_notes(merge(base, with_changes(base, then, now, names, early=early), mine))
        for early in (False, True)
    ]
    return min(both, key=lambda merged: len(merged.left))


def merge_plan(
    file: str,
    *,
    written: str | None,
    then: str,
    now: str,
    mine: str,
    takes: Takes,
) -> FileMerge:
    """Merge plan.toml. New entries go to its end, unless it already has their header."""
    base = then if written is None else written
    target, added = plan_with_changes(base, then, now)
    merged = _without_notes(merge(base, target, mine))
    present = _headers(mine)
    entries = "".join(
        f"\n{entry}\n" for header, entry in added.items() if _bare(header) not in present
    )
    end = "" if merged.text.endswith("\n") or not entries else "\n"
    merged = replace(
        merged,
        text=f"{merged.text}{end}{entries}",
        base=merged.base + "".join(f"\n{entry}\n" for entry in added.values()),
    )
    if merged.text != mine and not (is_toml(merged.text) and takes(merged.text)):
        merged = Merged(text=mine, base=base, left=_refused(base, f"{target}{entries}"))
    return _merged_file(file, merged, base, target, mine)


def merge_text(file: str, *, written: str | None, now: str, mine: str, takes: Takes) -> FileMerge:
    """Merge any other file; the base is the text that init wrote last."""
    base = now if written is None else written
    merged = merge(base, now, mine)
    if merged.text != mine and not takes(merged.text):
        merged = Merged(text=mine, base=base, left=_refused(base, now))
    return _merged_file(file, merged, base, now, mine)


def _merged_file(file: str, merged: Merged, base: str, target: str, mine: str) -> FileMerge:
    """The file, with the lines of what is left as numbered before and after the merge."""
    if merged.text == mine:
        return FileMerge(file=file, mine=mine, merged=merged, before=merged.left)
    after = _without_notes(merge(merged.base, target, merged.text)).left
    return FileMerge(file=file, mine=mine, merged=replace(merged, left=after), before=merged.left)


def is_toml(text: str) -> bool:
    """Whether it is valid TOML."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _headers(text: str) -> set[str]:
    """The headers of a plan's entries, without quotes."""
    if not is_toml(text):
        return set()
    return {
        _bare(f"[{kind}.{name}]")
        for kind, entries in tomllib.loads(text).items()
        if isinstance(entries, dict)
        for name in entries
    }


def _bare(header: str) -> str:
    return header.replace('"', "")


def new_file(file: str, text: str, mine: str | None = None) -> FileMerge:
    """A file that gets the text as it is."""
    return FileMerge(file=file, mine=mine, merged=Merged(text=text, base=text))


def _without_notes(merged: Merged) -> Merged:
    """Without what is left of mere comments (no TODO), which the user has edited."""
    left = tuple(
        hunk
        for hunk in merged.left
        if not all(is_comment(line) for line in (*hunk.old, *hunk.new))
        or any("TODO " in line for line in hunk.new)
    )
    return replace(merged, left=left)


def _refused(base: str, target: str) -> tuple[Hunk, ...]:
    """All differences between one text and the other."""
    old, new = (text.splitlines(keepends=True) for text in (base, target))
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return tuple(
        Hunk(line=i + 1, old=tuple(old[i:j]), new=tuple(new[k:n]))
        for tag, i, j, k, n in codes
        if tag != "equal"
    )
