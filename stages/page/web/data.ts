/** As Python declares it: `make page` makes this file. */

/**
 * Everything that the page shows at first; a live page asks for more rows by itself. `rejects`
 * and `changes` are the first rows of each group, at most `rows_of_group` of each; the groups
 * count all of them. `problems` say what could not be read, and what to do about it.
 * `not_carried` is Markdown: what Postgres did, and Convex will not. `assessment` is what `stages
 * assess --json` printed, if it was kept.
 */
export interface Page {
  readonly format: number;
  readonly made: string;
  readonly live: boolean;
  readonly values: boolean;
  readonly version: string;
  readonly plan: string;
  readonly source: string | null;
  readonly target: string | null;
  readonly consistency: string;
  readonly verdict: string;
  readonly finished: boolean;
  readonly next: string;
  readonly running: Command | null;
  readonly flow: Flow;
  readonly tables: readonly Table[];
  readonly map: readonly MappedTable[];
  readonly not_carried: string;
  readonly assessment: Readonly<Record<string, unknown>> | null;
  readonly graph: Graph;
  readonly reject_groups: readonly RejectGroup[];
  readonly rejects: readonly RejectRow[];
  readonly change_groups: Readonly<Record<string, readonly Loss[]>>;
  readonly changes: readonly ChangeRow[];
  readonly rules: Readonly<Record<string, RuleMeaning>>;
  readonly consistency_of: readonly Consistency[];
  readonly verified: readonly VerifiedTable[];
  readonly history: readonly HistoryRun[];
  readonly settings: readonly Setting[];
  readonly rows_of_group: number;
  readonly problems: readonly string[];
}

/**
 * A command that another process is running on this data folder.
 */
export interface Command {
  readonly command: string;
  readonly pid: number;
  readonly since: string;
}

/**
 * The rows of one table, or of all, from the source to Convex. Every source row is one of:
 * filtered (by the plan's `where`), a document, rejected, dropped (rejected on purpose). Every
 * document is one of: loaded, refused by Convex, a conflict, held back for a parent, not sent
 * yet. `source` is None until it is extracted. For a model that makes its own rows (`derived`),
 * `source` counts those, once it has run.
 */
export interface Flow {
  readonly source: number | null;
  readonly filtered: number;
  readonly documents: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly loaded: number;
  readonly refused: number;
  readonly conflict: number;
  readonly held_back: number;
  readonly not_sent: number;
  readonly verified: number;
  readonly wrong: number;
}

/**
 * One Convex table of the plan. `level`: it is loaded after all tables of lower levels.
 */
export interface Table {
  readonly name: string;
  readonly source: string;
  readonly grain: "derived" | "row";
  readonly level: number;
  readonly stages: Readonly<Record<"extract" | "load" | "transform" | "verify", StageCell>>;
  readonly flow: Flow;
  readonly losses: readonly Loss[];
  readonly changes: readonly Loss[];
}

/**
 * How far a table is in one stage; `text` says it briefly, `why` what is wrong, if anything.
 */
export interface StageCell {
  readonly state: "complete" | "failed" | "none" | "partial" | "running" | "stale";
  readonly text: string;
  readonly why: string | null;
}

/**
 * Rows that fell out, or values that were changed, for one reason.
 */
export interface Loss {
  readonly stage: "load" | "transform";
  readonly field: string;
  readonly rule: string;
  readonly rows: number;
}

/**
 * Columns to fields. `unread`: columns that no model reads. `problem`: why it is unknown.
 */
export interface MappedTable {
  readonly table: string;
  readonly source: string;
  readonly model: string;
  readonly fields: readonly MappedField[];
  readonly columns: Readonly<Record<string, string>>;
  readonly unread: readonly string[];
  readonly problem: string | null;
}

/**
 * A field of a document and what makes it: `sql` of the model, and the columns it reads. `type`
 * is the validator as text, such as `v.optional(v.string())`. `columns` and `sql` are empty for a
 * field that the model leaves out.
 */
export interface MappedField {
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
  readonly columns: readonly string[];
  readonly sql: string;
  readonly converted: boolean;
  readonly rejected: number;
  readonly changes: readonly Loss[];
}

/**
 * References between tables, and the cycles among them.
 */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  readonly cycles: readonly (readonly string[])[];
}

/**
 * A table in the graph of references; `reference`: Convex already has its documents.
 */
export interface Node {
  readonly name: string;
  readonly kind: "reference" | "table";
  readonly level: number;
  readonly documents: number | null;
}

/**
 * References of one field to another table. `orphans` rows name a parent that does not exist;
 * `second_pass`: bound once all tables of a cycle are loaded.
 */
export interface Edge {
  readonly source: string;
  readonly target: string;
  readonly field: string;
  readonly required: boolean;
  readonly second_pass: boolean;
  readonly bound: number | null;
  readonly orphans: number;
}

/**
 * Rejects of one table, field and rule. `because`: rows of other tables that are rejected because
 * these are; `follows_from`: the tables whose rejects these follow from. `edit` says where to fix
 * it.
 */
export interface RejectGroup {
  readonly table: string;
  readonly stage: string;
  readonly field: string;
  readonly rule: string;
  readonly rows: number;
  readonly edit: string;
  readonly because: readonly Cause[];
  readonly follows_from: readonly string[];
  readonly reasons: readonly string[];
}

/**
 * Rows of a table that are rejected because rows of a group are.
 */
export interface Cause {
  readonly table: string;
  readonly rows: number;
}

/**
 * One rejected row.
 */
export interface RejectRow {
  readonly table: string;
  readonly stage: string;
  readonly source_id: string;
  readonly field: string;
  readonly rule: string;
  readonly reason: string | null;
}

/**
 * One value that a conversion changed.
 */
export interface ChangeRow {
  readonly table: string;
  readonly source_id: string;
  readonly field: string;
  readonly rule: string;
  readonly old: string | null;
  readonly new: string | null;
}

/**
 * A rule of rejects or changes, as docs/reference/rules.md explains it.
 */
export interface RuleMeaning {
  readonly meaning: string;
  readonly cause: string;
  readonly fix: string;
}

/**
 * How one source was read: `snapshot` says which snapshot all its rows are from, if one.
 */
export interface Consistency {
  readonly source: string;
  readonly transport: string;
  readonly snapshot: string;
  readonly rows: number;
  readonly read: string | null;
  readonly moved: string | null;
}

/**
 * What the last verify counted. `wrong` are the kinds that should not have occurred; `stale`: it
 * verified an older load.
 */
export interface VerifiedTable {
  readonly table: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  readonly stale: boolean;
}

/**
 * One finished command. `started` is ISO 8601, UTC; `rows` are those of this run, by table, and
 * `bytes` what was read or sent for them. `message` says why it did not succeed. Of a killed run
 * only its start is known: `seconds` is None.
 */
export interface HistoryRun {
  readonly command: string;
  readonly target: string;
  readonly started: string;
  readonly seconds: number | null;
  readonly outcome: "done" | "fell short" | "killed" | "refused" | "stopped";
  readonly rows: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly version: string;
  readonly message: string;
}

/**
 * A setting, by name. `shown` is the server's name of an address, None for a secret; `where` is
 * where it was found, None if it is not set.
 */
export interface Setting {
  readonly name: string;
  readonly where: string | null;
  readonly shown: string | null;
  readonly secret: boolean;
}
