"""How each change is dealt with: by the models already, by init, or by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stages.init.catalog import table_name
from stages.init.contents import Contents
from stages.init.drift import Change, Drift, State
from stages.init.file_merges import FileMerge
from stages.init.merge import Hunk
from stages.init.model_uses import Use, Uses
from stages.init.pairs import Paired
from stages.project.plan import Plan

KEY = "_source_id"


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Decides how each change is dealt with. `then` and `now` are what init makes of the two
    pictures, `new` the Convex tables that it would add, `apply` whether this run writes. Once they
    are known, `models` are the merges by Convex table, and `plan_left` is what can't be merged into
    plan.toml."""

    drift: Drift
    then: Contents
    now: Contents
    plan: Plan
    uses: Uses
    new: Collection[str]
    apply: bool
    models: Mapping[str, FileMerge] = field(default_factory=dict)
    plan_left: Collection[Hunk] = ()

    def judged(self, change: Change) -> Change:
        """The change with its state, and why."""
        state, why = self._whole(change) if self._is_whole(change) else self._part(change)
        if state != "by hand" and self._in_plan(change):
            state, why = "by hand", "plan.toml"
        return replace(change, state=state, why=why)

    def settled(self) -> dict[str, set[str]]:
        """Convex table → the fields whose changes the model already deals with, so that nothing is
        merged for them."""
        settled: dict[str, set[str]] = {}
        unsettled: dict[str, set[str]] = {}
        for change in self.drift.changes:
            if self._is_whole(change):
                continue
            known = self._by_models(change)
            into = settled if known and known[0] == "handled" else unsettled
            for target in self.targets(change):
                into.setdefault(target, set()).update(self._pieces(change, target))
        return {name: pieces - unsettled.get(name, set()) for name, pieces in settled.items()}

    def targets(self, change: Change) -> list[str]:
        """The Convex tables that a change concerns."""
        if change.side == "schema":
            return [change.table]
        return [
            t for t, each in self._paired().items() if table_name(each.table.place) == change.table
        ]

    # ── tables ──────────────────────────────────────────────────────────────────────────────

    def _is_whole(self, change: Change) -> bool:
        return not change.name and change.kind != "type"

    def _whole(self, change: Change) -> tuple[State, str]:
        targets = self.targets(change)
        new = [target for target in targets if target in self.new]
        planned = [target for target in targets if self._planned(target)]
        if change.kind == "added":
            if new:
                words = ", ".join(self.now.model_file(t) for t in new if self.now.model(t))
                return "apply", words or "plan.toml"
            if planned:
                return "handled", "it is in plan.toml"
            if change.side == "source":
                return "nothing", "no Convex table uses it"
            words = f"stages init --update --rename <source table>={change.table}"
            return "nothing", f"no source table matches; if one does: {words}"
        if change.kind == "dropped":
            return self._dropped(change)
        if change.side == "schema":
            if change.table in self.plan.tables or change.table in self.plan.references:
                return "handled", "it is in plan.toml"
            if change.was not in self.plan.tables:
                return "handled", f"{change.was} is not in plan.toml"
            model = self.plan.tables[change.was].model
            return "by hand", (
                f"in plan.toml, rename [tables.{change.was}] to [tables.{change.table}], and add "
                f'model = "{model}"'
            )
        if any(place == change.table for _, place in self._places()):
            return "handled", "it is in plan.toml"
        return ("apply", "plan.toml") if planned else ("nothing", "no model reads it")

    def _dropped(self, change: Change) -> tuple[State, str]:
        if change.side == "schema":
            if self._planned(change.table):
                where = "tables" if change.table in self.plan.tables else "reference"
                return "by hand", f"remove [{where}.{change.table}] from plan.toml, and its model"
            return "handled", f"{change.table} is not in plan.toml"
        names = [name for name, place in self._places() if place == change.table]
        readers = [use for use in self.uses.of.values() if any(use.reads.get(n) for n in names)]
        entries = [t for t, entry in self.plan.tables.items() if entry.source in names]
        if entries:
            listed = ", ".join(f"[tables.{name}]" for name in entries)
            return "by hand", f"remove {listed} from plan.toml, and its model"
        if readers:
            return "by hand", f"{readers[0].file} reads it"
        return "handled", "no model reads it"

    # ── columns, fields and keys ────────────────────────────────────────────────────────────

    def _part(self, change: Change) -> tuple[State, str]:
        known = self._by_models(change)
        if known:
            return known
        targets = self.targets(change)
        pieces = [(t, self._pieces(change, t)) for t in targets if t in self.models]
        by_text = self._by_text(pieces)
        if by_text:
            return self._still_read(change) or by_text
        missing = [self.uses.of[t].file for t in targets if t in self.uses.of and
                   self.uses.of[t].text is None]  # fmt: skip
        if missing:
            return "by hand", f"{missing[0]} is missing"
        if not any(self._planned(target) for target in targets):
            return "nothing", "its table is not in plan.toml" if targets else "no model reads it"
        if change.kind == "added":
            if change.side == "source":
                return "nothing", f"no field of {', '.join(targets)} uses it"
            return "nothing", "it is optional, and no column matches"
        return "nothing", "no model needs a change"

    def _by_models(self, change: Change) -> tuple[State, str] | None:
        """The state as the models themselves show it: they read a column, or output a field."""
        if change.side == "schema":
            use = self.uses.of.get(change.table)
            if use is None or use.text is None:
                return None
            gives, gave = change.name.lower() in use.gives, change.was.lower() in use.gives
            if (change.kind == "added" and gives) or (
                change.kind == "renamed" and gives and not gave
            ):
                return "handled", f"{use.file} outputs it"
            if change.kind == "dropped" and not gives:
                return "handled", f"{use.file} does not output it"
            return None
        readers = self._readers(change.table, change.name)
        if change.kind == "added" and readers:
            return "handled", f"{readers[0].line_of(change.name)} reads it"
        if change.kind == "dropped":
            if not readers:
                return "handled", "no model reads it"
            if not any(self._pieces(change, t) for t in self.targets(change)):
                return "by hand", f"{readers[0].line_of(change.name)} reads it"
        if change.kind == "renamed" and readers and not self._readers(change.table, change.was):
            return "handled", f"{readers[0].line_of(change.name)} reads it"
        return None

    def _still_read(self, change: Change) -> tuple[State, str] | None:
        """By hand, if a column is gone and a model still reads it after everything is merged."""
        gone = {"dropped": change.name, "renamed": change.was}.get(change.kind)
        if gone is None or change.side == "schema":
            return None
        merged = {
            self.uses.of[target].file: each.merged.text
            for target, each in self.models.items()
            if target in self.uses.of
        }
        for use in self._readers(change.table, gone):
            text = merged.get(use.file, use.text)
            after = self.uses.use(use.file, text)
            if any(gone in columns for columns in after.reads.values()):
                place = after.line_of(gone, None if self.apply else use.text)
                return "by hand", f"{place} reads it"
        return None

    def _readers(self, table: str, column: str) -> list[Use]:
        """The models that read a column, by the current or the former name of its table."""
        tables = self.drift.moves.back().tables
        place = next(
            p for p in (*self.drift.now.tables, *self.drift.then.tables) if table_name(p) == table
        )
        staged = [
            picture.tables[place].columns[column].staged
            for picture in (self.drift.now, self.drift.then)
            if place in picture.tables and column in picture.tables[place].columns
        ]
        name = staged[0] if staged else column
        places = dict.fromkeys((place, tables.get(place, place)))
        return [use for each in places for use in self.uses.readers(each, name)]

    def _pieces(self, change: Change, target: str) -> set[str]:
        """The fields of a table whose piece of the model a change affects."""
        names = {*change.names, *([change.was] if change.kind == "renamed" else [])}
        if change.side == "schema":
            return names or ({*self.models[target].changed} if target in self.models else set())
        fields = set()
        old = self.drift.moves.back().convex.get(target, target)
        for contents, table in ((self.now, target), (self.then, old)):
            paired = contents.pairing.tables.get(table)
            if paired is None:
                continue
            for name, pair in paired.fields.items():
                if {column.name for column in pair.columns} & names:
                    fields.add(name)
            if names & {*paired.table.row_key}:
                fields.add(KEY)
        return fields

    def _by_text(self, pieces: Sequence[tuple[str, set[str]]]) -> tuple[State, str] | None:
        """The state as the merges show it: what happens to the pieces that a change affects."""
        states: list[tuple[State, str]] = []
        for target, names in pieces:
            merge = self.models.get(target)
            if merge is None:
                continue
            use = self.uses.of.get(target)
            file = use.file if use else self.now.model_file(target)
            plain = KEY in merge.changed or not {"", "FROM"} <= merge.changed
            about = merge.changed if not plain else merge.changed & names
            if not about:
                continue
            if about & merge.left:
                states.append(("by hand", file))
            elif merge.merged.text == merge.mine:
                states.append(("handled", f"{file} has this already"))
            else:
                states.append(("apply", file))
        for state in ("by hand", "apply", "handled"):
            of_state = [why for each, why in states if each == state]
            if of_state:
                return state, ", ".join(dict.fromkeys(of_state))
        return None

    def _in_plan(self, change: Change) -> bool:
        """Whether lines that can't be merged into plan.toml concern a change."""
        names = {*change.names, change.table, change.table.rpartition(".")[2]}
        if change.names and change.kind != "primary key":
            names = {*change.names}
        quoted = {f'"{name}"' for name in names}
        return any(
            any(name in line for name in quoted) for hunk in self.plan_left for line in hunk.new
        )

    def _places(self) -> Iterator[tuple[str, str]]:
        """The plan's sources, each with its table's name."""
        for name, source in self.plan.sources.items():
            yield name, table_name((source.schema, source.table))

    def _planned(self, target: str) -> bool:
        return target in self.plan.tables or target in self.plan.references

    def _paired(self) -> dict[str, Paired]:
        """Convex table → its current pair, else its old one."""
        names = self.drift.moves.convex
        then = {names.get(n, n): paired for n, paired in self.then.pairing.tables.items()}
        return {**then, **self.now.pairing.tables}
