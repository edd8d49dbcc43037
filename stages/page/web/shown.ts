/** As Python declares it: `make page` makes this file. */

/**
 * Everything about one row, from the source to Convex. `kind` is table, reference (a table that
 * Convex already had) or source (one that is only read). `row` is empty if there is no such
 * source row: the table is derived, or the row is gone. `document` is the staged one, with
 * references as `table:key`; `bound` is the same with ids, as load sends it; both are Convex's
 * encoded JSON, or None if there is none. `loaded` is what load did last: inserted, replaced,
 * unchanged, conflict. `now` is the document that Convex has now; `not_asked` says why Convex was
 * not asked. `stale`: what has changed since the document was staged.
 */
export interface Shown {
  readonly kind: string;
  readonly table: string;
  readonly source: string;
  readonly source_id: string;
  readonly convex_id: string | null;
  readonly row: readonly SourceValue[];
  readonly model: string;
  readonly stale: string | null;
  readonly fields: readonly ShownField[];
  readonly document: Readonly<Record<string, unknown>> | null;
  readonly bound: Readonly<Record<string, unknown>> | null;
  readonly changes: readonly ShownChange[];
  readonly rejects: readonly ShownReject[];
  readonly references: readonly ShownReference[];
  readonly referrers: readonly Referrers[];
  readonly loaded: string | null;
  readonly now: Readonly<Record<string, unknown>> | null;
  readonly not_asked: string | null;
}

/**
 * A column of the source row: its type in Postgres, and the value as text; None is null.
 */
export interface SourceValue {
  readonly column: string;
  readonly type: string;
  readonly value: string | null;
}

/**
 * A field of the document, and what makes it. `lines` are pieces of the model, the last step
 * first; `columns` are the columns of the row's own source that they name. `given`: what the
 * current model outputs for a rejected row, as text; None if that is null, and for documents.
 */
export interface ShownField {
  readonly name: string;
  readonly lines: readonly ModelLines[];
  readonly columns: readonly string[];
  readonly given: string | null;
}

/**
 * A piece of a model: its text as it is written, and its lines, counted from 1.
 */
export interface ModelLines {
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

/**
 * A value that a conversion has changed.
 */
export interface ShownChange {
  readonly field: string;
  readonly rule: string;
  readonly old: string | null;
  readonly new: string | null;
}

/**
 * Why the row, or its document, was rejected; `edit` says where to fix that.
 */
export interface ShownReject {
  readonly stage: string;
  readonly field: string;
  readonly rule: string;
  readonly reason: string;
  readonly edit: string;
}

/**
 * What the row refers to. `state` is document, or why there is none: rejected, missing.
 */
export interface ShownReference {
  readonly field: string;
  readonly table: string;
  readonly source_id: string;
  readonly convex_id: string | null;
  readonly state: string;
}

/**
 * Rows of another table that refer to this one: how many, and the first source keys. `rejected`:
 * how many more are rejected because this row is.
 */
export interface Referrers {
  readonly table: string;
  readonly field: string;
  readonly rows: number;
  readonly first: readonly string[];
  readonly rejected: number;
}
