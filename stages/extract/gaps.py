"""Spans, their parts, and the gaps between parts, as recorded in a manifest.

A span is a key range, fixed when the table's extract begins; each is read in key order and cut into
closed parts. A range that no intact part covers is a gap, whatever the reason: not read yet, killed
half-way, or damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stages.extract.reader import Span
from stages.state.manifests import ExtractManifest, ExtractPart


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A range of one span that no intact part covers. `number` is that of the first part to write.

    With `alone`, it is the range of one lost part, and is filled by one part whatever its size.
    """

    span: int
    number: int
    keys: Span
    alone: bool = False


def find_gaps(manifest: ExtractManifest) -> Iterator[Gap]:
    """What the intact parts of a manifest do not cover, span by span, in key order."""
    for index, span in enumerate(manifest.spans):
        after, number = span.after, 0
        for part in [part for part in manifest.parts if part.span == index]:
            if part.lost:
                keys = Span(after=after, until=part.last)
                yield Gap(span=index, number=part.number, keys=keys, alone=True)
            after, number = part.last, part.number + 1
        if not span.read:
            yield Gap(span=index, number=number, keys=Span(after=after, until=span.until))


def add_part(manifest: ExtractManifest, part: ExtractPart) -> None:
    """Add a part that fills a gap, or its beginning; it replaces a lost part of the same number."""
    others = [each for each in manifest.parts if place(each) != place(part)]
    manifest.parts = sorted([*others, part], key=place)


def place(part: ExtractPart) -> tuple[int, int]:
    """A part's span, and its number in the span."""
    return part.span, part.number


def close_gap(manifest: ExtractManifest, gap: Gap) -> None:
    """Mark a gap as filled. A lost part whose rows are all gone from the source is not written
    again, and is removed from the list."""
    if not gap.alone:
        manifest.spans[gap.span].read = True
    manifest.parts = [
        part for part in manifest.parts if not (part.lost and place(part) == (gap.span, gap.number))
    ]


def mark_lost(manifest: ExtractManifest, files: set[str], *, alone: bool) -> list[str]:
    """Mark damaged parts as lost; returns the files that are no longer of use.

    A lost part at the end of a span is read again to the span's end. If a part can't be read
    `alone` (a composite key over REST), all parts after it in its span are discarded too.
    """
    useless = []
    for index, span in enumerate(manifest.spans):
        parts = [part for part in manifest.parts if part.span == index]
        lost = [number for number, part in enumerate(parts) if part.file in files]
        if not lost:
            continue
        if alone:
            for number in lost:
                parts[number].lost = True
        kept = parts if alone else parts[: lost[0]]
        while kept and kept[-1].lost:
            kept = kept[:-1]
        if len(kept) < len(parts):
            span.read = False
        useless += [part.file for part in parts if part not in kept or part.lost]
        manifest.parts = [p for p in manifest.parts if p.span != index or p in kept]
    manifest.status = "reading"
    return useless
