"""The files that an update merges: models, plan, what is not carried, and new ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stages.init.contents import Contents, project_name
from stages.init.drift import Drift
from stages.init.file_merges import FileMerge, merge_model, merge_plan, merge_text, new_file
from stages.init.model_uses import Uses
from stages.init.project_files import place_of, spare_copy, takes_text, text_of, write_text_of
from stages.init.result import ByHand
from stages.init.then_and_now import Both
from stages.project.plan import Plan
from stages.state.durable import write_project_file
from stages.state.workspace import Workspace


@dataclass(kw_only=True)
class UpdateFiles:
    """Merges by file, and for models also by Convex table. `recorded`: file → what init wrote;
    `copies`: file → the copy of its previous text."""

    workspace: Workspace
    plan: Plan
    recorded: Mapping[str, str]
    files: dict[str, FileMerge] = field(default_factory=dict)
    models: dict[str, FileMerge] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)

    def planned(self, target: str) -> str | None:
        """The file of a table's model or key model, according to the plan; empty if a reference
        table has no key model, None if the plan does not have the table."""
        if target in self.plan.tables:
            return self.plan.tables[target].model
        if target in self.plan.references:
            return self.plan.references[target].keys or ""
        return None

    def merge_models(
        self, both: Both, drift: Drift, uses: Uses, settled: Mapping[str, Collection[str]]
    ) -> None:
        """Merge the models that the plan has, and that init could write before and can write now.
        `settled`: Convex table → fields that have been dealt with."""
        names = drift.moves.back().convex
        for target in both.now.known:
            name = self.planned(target)
            now, then = both.now.model(target), both.then.model(names.get(target, target))
            if name is None or now is None:
                continue
            if not name:  # a reference that has a source only now
                self.add_new(both.now, target)
                continue
            file = place_of(self.workspace, self.workspace.model(name))
            mine = text_of(self.workspace.project / file)
            if then is None or mine is None:
                continue
            known = uses.parses(mine)

            def takes(text: str, file: str = file, known: bool = known) -> bool:
                return self._takes(file) and (uses.parses(text) or not known)

            merge = merge_model(
                file,
                written=self.recorded.get(file),
                then=then,
                now=now,
                mine=mine,
                renamed=drift.moves.fields.get(names.get(target, target), {}),
                settled=settled.get(target, ()),
                takes=takes,
            )
            self.models[target] = self.files[file] = merge

    def add_new(self, contents: Contents, target: str) -> None:
        """Add the model of a new table, unless its file already exists."""
        text = contents.model(target)
        file = place_of(self.workspace, self.workspace.model(contents.model_file(target)))
        mine = text_of(self.workspace.project / file)
        # A run that was killed may have written it already.
        if text is not None and mine in (None, text):
            self.files[file] = new_file(file, text, mine)

    def redo(self, contents: Contents, target: str) -> str:
        """Replace the model of a table that has a source by what init writes today; an edited one
        is copied first. Returns the model's file."""
        text = contents.model(target) or ""
        name = self.planned(target) or contents.model_file(target)
        file = place_of(self.workspace, self.workspace.model(name))
        path = self.workspace.project / file
        mine = text_of(path)
        if mine is not None and mine not in (text, self.recorded.get(file)):
            copy = spare_copy(path, mine)
            write_project_file(copy, path.read_bytes())
            self.copies[file] = place_of(self.workspace, copy)
        self.files[file] = self.models[target] = new_file(file, text)
        return file

    def merge_plan(self, both: Both, drift: Drift, new: Collection[str], *, only_new: bool) -> None:
        """Merge plan.toml, and add entries for new tables; with `only_new` do nothing else."""
        names = drift.moves.back().convex
        planned = [target for target in both.now.known if self.planned(target) is not None]
        common = [t for t in planned if names.get(t, t) in both.then.known]
        targets, others = ([], []) if only_new else (common, planned)
        name, file = project_name(self.workspace.project), self.plan_file
        self.files[file] = merge_plan(
            file,
            written=self.recorded.get(file),
            then=both.then.plan(name, [names.get(target, target) for target in targets]),
            now=both.now.plan(name, [*others, *new]),
            mine=text_of(self.workspace.plan) or "",
            takes=lambda _: self._takes(file),
        )

    def bases(self, now: Contents) -> dict[str, str]:
        """File → the base for later merges, for models that init did not write."""
        files = {
            place_of(self.workspace, self.workspace.model(name)): now.model(target)
            for target in now.known
            if (name := self.planned(target))
        }
        return {
            file: text
            for file, text in files.items()
            if text is not None and file not in self.recorded
        }

    @property
    def plan_file(self) -> str:
        return place_of(self.workspace, self.workspace.plan)

    def merge_text(self, file: str, now: str) -> None:
        """Merge any other file; one that the user has removed stays removed."""
        mine = text_of(self.workspace.project / file)
        if mine is not None:
            self.files[file] = merge_text(
                file,
                written=self.recorded.get(file),
                now=now,
                mine=mine,
                takes=lambda _: self._takes(file),
            )

    def _takes(self, file: str) -> bool:
        return takes_text(self.workspace.project / file)

    def pending(self) -> dict[str, int]:
        """File → how many of its lines would be written or removed."""
        return {name: each.lines for name, each in self.files.items() if each.lines}

    def add(self, merge: FileMerge) -> None:
        """Add a file that was merged elsewhere."""
        self.files[merge.file] = merge

    def write(self, names: Iterable[str]) -> Iterator[str]:
        """Write files as merged, the plan last; yields those whose text has changed."""
        for name in sorted(names, key=lambda each: each == self.plan_file):
            merge = self.files[name]
            if merge.merged.text != merge.mine:
                write_text_of(self.workspace.project / name, merge.merged.text)
                yield name

    def by_hand(self, written: Collection[str], besides: Collection[str]) -> tuple[ByHand, ...]:
        """What can't be merged, for all files but those of `besides`."""
        return tuple(
            ByHand(
                file=name,
                line=hunk.line,
                old=tuple(line.rstrip("\n") for line in hunk.old),
                new=tuple(line.rstrip("\n") for line in hunk.new),
            )
            for name, each in self.files.items()
            if name not in besides
            for hunk in (each.merged.left if name in written else each.before)
        )
