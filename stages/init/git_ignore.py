"""What git must ignore in a project: staged data, dumps, keys. Samples of the source stay in."""

from __future__ import annotations

# The samples in data/sandbox/ are committed; a dump next to them has personal data.
LINES = ("/data/*", "!/data/sandbox/", "/data/sandbox/dump*.sql", ".env.local")
FOLDER = {"/data/", "/data", "data/", "data"}
CONTENT = {"/data/*", "data/*"}
SAMPLES = {"!/data/sandbox/", "!/data/sandbox", "!data/sandbox/", "!data/sandbox"}
DUMPS = {"/data/sandbox/dump*.sql", "data/sandbox/dump*.sql", "dump*.sql", "*.sql"}
KEYS = {".env.local", "/.env.local", ".env*.local", ".env*", ".env.*", "*.local"}


def text() -> str:
    """A .gitignore for a project that has none."""
    return "".join(f"{line}\n" for line in LINES)


def missing_lines(existing: str) -> tuple[str, ...]:
    """Lines to add to an existing .gitignore, in this order: the last line that matches decides."""
    lines = {line.strip() for line in existing.splitlines()}
    content, samples, dumps, keys = LINES
    missing = []
    # git can't re-include anything inside a folder that is ignored as a whole.
    whole = bool(FOLDER & lines) and "!/data/" not in lines
    if whole:
        missing.append("!/data/")
    if whole or not CONTENT & lines:
        missing.append(content)
    if missing or not SAMPLES & lines:
        missing += [samples, dumps]
    elif not DUMPS & lines:
        missing.append(dumps)
    if not KEYS & lines:
        missing.append(keys)
    return tuple(missing)
