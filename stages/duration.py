"""How long something takes, or how long ago it was, in words."""

from __future__ import annotations

from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """`8 s`, `12 min`, `1 h 24 min`, `3 d 4 h`: at most two units, the second only if not zero."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days:,} d {hours} h" if hours else f"{days:,} d"


def age_text(seconds: int) -> str:
    """`22 s`, `3 min`, `5 h`, `12 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"  # negative if the clock has been set back


def seconds_since(moment: str) -> int:
    """Whole seconds since a time in ISO 8601 with a UTC offset."""
    return int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
