"""`stages init --update`: what has changed in the source and in schema.ts since the last init."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from stages.convex.schema import Schema, schema_file
from stages.decisions import Todo
from stages.errors import UserError
from stages.init.additions import additions
from stages.init.baseline import (
    Baseline,
    kept_files,
    make_baseline,
    picture_of,
    read_baseline,
    with_remembered,
    write_baseline,
)
from stages.init.catalog import Catalog, table_name
from stages.init.contents import Contents
from stages.init.dealt_with import Judge
from stages.init.drift import Change, Drift, find_drift
from stages.init.evidence import Evidence
from stages.init.model_uses import Uses
from stages.init.options import InitOptions
from stages.init.pairing import read_renames
from stages.init.picture import Picture
from stages.init.project_files import convex_place, place_of
from stages.init.reference import is_required
from stages.init.result import InitResult, listed_todos
from stages.init.schema_source import (
    executable_or_refused,
    merge_schema,
    new_schema,
    project_schema,
)
from stages.init.source import read_source
from stages.init.then_and_now import Both, both_contents, carried_texts
from stages.init.tool_files import ToolFiles, functions_text, route_text, tool_texts
from stages.init.update_files import UpdateFiles
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    from stages.progress import Progress
    from stages.project.settings import Source


def update(
    workspace: Workspace, source: Source, given: InitOptions, progress: Progress
) -> InitResult:
    """Report what has changed and what is left to do; with `apply`, write what can be written.

    The files that belong to stages are renewed in any case. Raises UserError if there is no
    migration yet, or a table that is named does not exist.
    """
    if not workspace.plan.exists():
        raise UserError(
            f"{workspace.plan} is missing: there is no migration here", "write one: stages init"
        )
    plan, baseline = load_plan(workspace.plan), read_baseline(workspace)
    options = with_remembered(given, baseline)
    named = read_renames(options.renames).schemas()
    options = replace(options, schemas=tuple(dict.fromkeys([*options.schemas, *named])))
    tools = ToolFiles(workspace=workspace, recorded=dict(baseline.files if baseline else {}))
    # Before executing schema.ts, which may import them.
    tools.renew(tool_texts(workspace, None, http=options.http_action))
    tools.renew_generated()
    if given.http_action:
        tools.write_new(route_text(workspace))
    catalog, evidence = read_source(source, options.schemas, given.via, progress)
    run = _Run(
        given=given,
        options=options,
        catalog=catalog,
        evidence=evidence,
        baseline=baseline,
        tools=tools,
        files=UpdateFiles(workspace=workspace, plan=plan, recorded=tools.recorded),
    )
    return run.result()


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One update. `given` are the options of this run; `options` include those of earlier runs.

    Without a baseline it compares the current state with itself; the rest it can find is a note.
    """

    given: InitOptions
    options: InitOptions
    catalog: Catalog
    evidence: Evidence
    baseline: Baseline | None
    tools: ToolFiles
    files: UpdateFiles

    def result(self) -> InitResult:
        """Compare, and write what this run is asked to."""
        given, files, baseline = self.given, self.files, self.baseline
        workspace = files.workspace
        if baseline and baseline.write_schema:
            self._follow_source(baseline)
        if given.write_schema:
            text = new_schema(workspace, self.catalog, self.options).text
            self.tools.renew({convex_place(workspace, "schema.ts"): text})
        schema = project_schema(workspace, "stages init --update")
        then = baseline.picture() if baseline else picture_of(self.catalog, schema, ())
        drift = find_drift(
            then,
            picture_of(self.catalog, schema, then.tables),
            self.catalog.schemas,
            alike=baseline is None or baseline.partial == self.catalog.partial,
        )
        given = replace(given, done=tuple(_with_schemas(given.done, drift, schema)))
        return replace(self, given=given)._updated(schema, then, drift)

    def _updated(self, schema: Schema, then: Picture, drift: Drift) -> InitResult:
        given, files, baseline = self.given, self.files, self.baseline
        workspace = files.workspace
        both = both_contents(
            drift,
            self.catalog,
            schema,
            self.evidence,
            files.plan,
            recorded=baseline.renames if baseline else given.renames,
            given=given.renames,
            references=baseline.references if baseline else (),
            given_references=given.references,
        )
        self._require_redo(both.now)
        uses = Uses(workspace, files.plan, [self.catalog.tables, then.tables])
        known = {drift.moves.convex.get(name, name) for name in both.then.known}
        new = [t for t in both.now.known if t not in known and files.planned(t) is None]
        judge = Judge(
            drift=drift,
            then=both.then,
            now=both.now,
            plan=files.plan,
            uses=uses,
            new=new,
            apply=given.apply,
        )
        files.merge_models(both, drift, uses, judge.settled())
        for target in new:
            files.add_new(both.now, target)
        if not self.catalog.partial:  # REST shows less than may have been written before
            files.merge_text(place_of(workspace, workspace.not_carried), both.now.not_carried())
        files.merge_plan(both, drift, new, only_new=False)
        judge = replace(
            judge,
            models=dict(files.models),
            plan_left=files.files[files.plan_file].merged.left,
        )
        judged = [judge.judged(change) for change in drift.changes]
        self._require_done(judge, judged)
        self._renew_functions(schema, both.now, new)
        before = self._write(both, drift, new)
        changes = [self._said(change, judge) for change in judged]
        left = [
            change
            for change, said in zip(drift.changes, changes, strict=True)
            if not self._is_dealt(said, judge)
        ]
        self._remember(schema, both, drift, left)
        return InitResult(
            written=(*self.tools.written, *before),
            add=tuple(additions(workspace, schema, http=self.options.http_action)),
            todos=self._new_todos(before),
            without_source=tuple(
                name for name in both.now.pairing.without_source if name not in both.now.references
            ),
            without_target=tuple(map(table_name, both.now.pairing.without_target)),
            changes=tuple(change for change in changes if self._concerns(change)),
            pending={n: lines for n, lines in files.pending().items() if n not in before},
            by_hand=files.by_hand(
                before, [files.models[t].file for t in given.done if t in files.models]
            ),
            copies=files.copies,
            notes=tuple(self._notes(both, uses)),
        )

    def _follow_source(self, baseline: Baseline) -> None:
        """Merge schema.ts, if init made it from the catalog; first, since models depend on it."""
        workspace = self.files.workspace
        tables = {**self.catalog.tables, **baseline.picture().tables}
        place = convex_place(workspace, schema_file(workspace.convex).name)
        merge = merge_schema(
            workspace,
            self.tools.recorded.get(place),
            replace(self.catalog, tables=tables),
            self.catalog,
            self.options,
        )
        if merge is None:
            return
        if self.given.apply and merge.merged.text != merge.mine:
            merge = executable_or_refused(workspace, merge, self.tools.recorded[place])
        self.files.add(merge)

    def _renew_functions(self, schema: Schema, now: Contents, new: Sequence[str]) -> None:
        """Renew stages.ts for the tables of the plan and those that this run adds to it, and merge
        files of stages that the user has edited."""
        planned = [target for target in now.known if self.files.planned(target) is not None]
        added = [*(new if self.given.apply else []), *self.given.redo]
        text = functions_text(schema, now, self.files.plan, {*planned, *added})
        self.tools.renew({convex_place(self.files.workspace, "stages.ts"): text})
        for merge in self.tools.merges():
            self.files.add(merge)

    def _write(self, both: Both, drift: Drift, new: Sequence[str]) -> dict[str, str]:
        """Write what this run is asked to; returns file → its previous text."""
        files, given = self.files, self.given
        redone = [files.redo(both.now, target) for target in given.redo]
        entries = [target for target in given.redo if files.planned(target) is None]
        if entries:
            listed = [*new, *entries] if given.apply else entries
            files.merge_plan(both, drift, listed, only_new=not given.apply)
        chosen = [*redone, *([files.plan_file] if entries else [])]
        if given.apply:
            chosen = list(files.files)
        written = {name: files.files[name].mine or "" for name in files.write(chosen)}
        self.tools.recorded |= {name: files.files[name].merged.base for name in chosen}
        if given.apply:
            self.tools.recorded |= files.bases(both.now)
        return written

    # ── how changes are dealt with ──────────────────────────────────────────────────────────

    def _require_redo(self, now: Contents) -> None:
        """Refuse --redo for a table without a source, before anything is written."""
        for target in self.given.redo:
            if target not in now.pairing.tables:
                raise UserError(
                    f"--redo: `{target}` is no Convex table that has a source",
                    f"one of: {', '.join(sorted(now.pairing.tables))}",
                )

    def _require_done(self, judge: Judge, changes: Sequence[Change]) -> None:
        tables = {name for c in changes for name in (c.table, *judge.targets(c))}
        for name in self.given.done:
            if name not in tables:
                raise UserError(
                    f"--done: nothing of `{name}` has changed since the last init",
                    f"one of: {', '.join(sorted(tables))}" if tables else None,
                )

    def _of(self, names: Collection[str], change: Change, judge: Judge) -> bool:
        """Whether a change concerns only these tables."""
        targets = judge.targets(change)
        return change.table in names or (bool(targets) and {*targets} <= {*names})

    def _said(self, change: Change, judge: Judge) -> Change:
        """The change with its state after this run."""
        if self._of(self.given.redo, change, judge):
            return replace(change, state="applied", why="rewritten")
        if self._of(self.given.done, change, judge):
            return replace(change, state="handled", why="marked as handled")
        if change.state == "apply" and self.given.apply:
            return replace(change, state="applied")
        return change

    def _is_dealt(self, change: Change, judge: Judge) -> bool:
        """Whether a change is dealt with, so that later runs no longer report it."""
        if self.given.apply:
            return change.state != "by hand"
        return self._of([*self.given.redo, *self.given.done], change, judge)

    def _concerns(self, change: Change) -> bool:
        """Whether to report a change: for Supabase's own tables only if a model is affected."""
        own = change.side == "schema" or change.table.partition(".")[0] in self.catalog.schemas
        return own or change.state not in ("handled", "nothing")

    # ── what is kept and reported ───────────────────────────────────────────────────────────

    def _remember(self, schema: Schema, both: Both, drift: Drift, left: Sequence[Change]) -> None:
        """Write the baseline for the next run: what has been dealt with, and this run's texts."""
        given, baseline = self.given, self.baseline
        workspace, files = self.files.workspace, self.tools.recorded
        if baseline is None and not given.apply:
            return
        if baseline and not (given.apply or given.redo or given.done):
            # A run without --apply writes some files too, and later runs keep them up to date.
            same = msgspec.structs.replace(
                baseline,
                files=kept_files(files),
                http_action=self.options.http_action,
                write_schema=given.write_schema or baseline.write_schema,
                case=self.options.case,
            )
            write_baseline(workspace, same)
            return
        kept = baseline.renames if baseline else []
        dealt = [change for change in drift.changes if change not in left]
        renames = carried_texts(kept, both.then.catalog, drift.moves_of(dealt))
        pins = [both.pins[c.table, c.name] for c in dealt if (c.table, c.name) in both.pins]
        asked = given if given.apply or given.redo else InitOptions()
        options = replace(
            self.options,
            renames=tuple(dict.fromkeys([*renames, *pins, *asked.renames])),
            references=tuple(
                dict.fromkeys([*(baseline.references if baseline else ()), *asked.references])
            ),
            write_schema=given.write_schema or bool(baseline and baseline.write_schema),
        )
        paired = {each.table.place for each in both.now.pairing.tables.values()}
        picture = drift.without(left)
        besides = picture_of(self.catalog, schema, paired).tables
        picture = replace(picture, tables={**{p: t for p, t in besides.items()
                          if p not in drift.now.tables}, **picture.tables})  # fmt: skip
        write_baseline(workspace, make_baseline(options, self.catalog, picture, files))

    def _new_todos(self, before: Mapping[str, str]) -> tuple[Todo, ...]:
        """What the lines that were written leave to the user."""
        texts = {name: self.files.files[name].merged.text for name in before}
        old = {(todo.file, todo.what) for todo in listed_todos(before)}
        return tuple(t for t in listed_todos(texts) if (t.file, t.what) not in old)

    def _notes(self, both: Both, uses: Uses) -> Iterator[str]:
        """Sentences on what can't be known, or is written only on request."""
        workspace = self.files.workspace
        if self.baseline is None:
            yield from _unknown(workspace, self.files.plan, both.now, uses, begun=self.given.apply)
        for target, use in uses.of.items():
            if use.text is None and target not in self.given.redo:
                yield f"{use.file} is missing; to write it again: stages init --redo {target}"
        pending = self.files.pending()
        for name in self.tools.edited:
            remove = shlex.quote(str(workspace.project / name))
            words = "has been edited, so it is not replaced"
            if name not in self.tools.recorded:
                words = "differs from what init writes, and may have been edited"
            elif name not in pending and not self.files.files[name].merged.left:
                continue
            yield f"{name} {words}; to replace it: rm {remove} && stages init --update"


def _with_schemas(names: Iterable[str], drift: Drift, schema: Schema) -> Iterator[str]:
    """The names of `--done`; a source table that is named without its schema gets it."""
    changed = {change.table for change in drift.changes if change.side == "source"}
    for name in names:
        meant = sorted(table for table in changed if table.rpartition(".")[2] == name)
        if name in schema.tables or not meant:
            yield name
        elif len(meant) == 1:
            yield meant[0]
        else:
            raise UserError(
                f"--done: `{name}` is {' or '.join(meant)}",
                f"name the schema too: stages init --done {meant[0]}",
            )


def _unknown(
    workspace: Workspace, plan: Plan, now: Contents, uses: Uses, *, begun: bool
) -> Iterator[str]:
    """What can be found out about a migration without a baseline."""
    file = place_of(workspace, workspace.baseline)
    if begun:
        yield f"{file} is new: later runs compare with the source and schema.ts as they are now"
    else:
        yield (
            f"init can't tell what has changed, because {file} is missing: this migration was "
            "written by hand, or by an earlier version. To compare later runs with the source and "
            "schema.ts as they are now: stages init --update --apply"
        )
    for target, paired in now.pairing.tables.items():
        source = table_name(paired.table.place)
        use = uses.of.get(target)
        if target not in plan.tables and target not in plan.references:
            yield (
                f"{target} is not in plan.toml, and {source} matches it; to write its model and "
                f"its entry: stages init --redo {target}"
            )
        elif target in plan.tables and use is not None and use.text is not None:
            lacking = [
                name
                for name, pair in paired.fields.items()
                if (pair.columns or is_required(pair)) and name.lower() not in use.gives
            ]
            if lacking:
                yield f"{use.file} does not output {', '.join(lacking)}"
