"""The options of init."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.init.names import Case

if TYPE_CHECKING:
    from stages.extract.transport import Via

PUBLIC = ("public",)


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """The options of the command line. `references` are tables that Convex already has. Without
    `schemas`, `public` is read, or those of the first init.

    `update` reports what has changed since the last init, and `apply` writes it; `redo` are Convex
    tables whose models are rewritten from scratch, `done` those that were dealt with by hand.
    """

    write_schema: bool = False
    http_action: bool = False
    update: bool = False
    apply: bool = False
    redo: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    case: Case | None = None
    via: Via = "auto"
    schemas: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The options as a command line has them, less what is to be done."""
        named = {"--rename": self.renames, "--reference": self.references, "--schema": self.schemas}
        words = [word for option, values in named.items() for v in values for word in (option, v)]
        words += ["--case", self.case] if self.case else []
        words += ["--via", self.via] if self.via != "auto" else []
        flags = {"--write-schema": self.write_schema, "--http-action": self.http_action}
        return [*words, *(flag for flag, given in flags.items() if given)]

    @property
    def of_existing(self) -> bool:
        """Whether this is about a migration that exists."""
        return self.update or self.apply or bool(self.redo or self.done)
