"""The stand-in's configuration file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from stages.sandbox.rest.auth import ApiKeys


@dataclass(frozen=True, kw_only=True)
class Config:
    """The contents of CONFIG."""

    dsn: str = field(repr=False)
    keys: ApiKeys
    schemas: tuple[str, ...]
    max_rows: int | None
    latency: float
    """Seconds added to each response."""
    ready: Path

    @classmethod
    def read(cls, path: Path) -> Config:
        raw = json.loads(path.read_text(encoding="utf-8"))
        names = ("jwt_secret", "service_role_key", "anon_key", "secret_key", "publishable_key")
        return cls(
            dsn=raw["dsn"],
            keys=ApiKeys(**{name: raw[name] for name in names}),
            schemas=tuple(raw.get("schemas", ["public"])),
            max_rows=raw.get("max_rows", 1000),
            latency=raw.get("latency_ms", 0) / 1000,
            ready=Path(raw["ready"]),
        )
