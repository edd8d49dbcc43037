/** As Python declares it: `make page` makes this file. */

/**
 * What there is, what must be rebuilt, what will be a problem, what it costs. `partial` is True
 * over REST, which shows only part of the source: the true verdicts may then be worse. `skipped`
 * lists what was not looked at, and why. `statistics_since` is when the source began to count
 * writes. `tables` are ordered from worst to best.
 */
export interface Assessment {
  readonly format: number;
  readonly source: string;
  readonly transport: "postgres" | "rest";
  readonly partial: boolean;
  readonly seconds: number;
  readonly schemas: readonly string[];
  readonly statistics_since: string | null;
  readonly verdicts: Readonly<Record<"decisions" | "not possible" | "ready" | "unknown" | "work", number>>;
  readonly tables: readonly AssessedTable[];
  readonly large_columns: readonly LargeColumn[];
  readonly rebuild: readonly Rebuild[];
  readonly risks: readonly Risk[];
  readonly buckets: readonly Bucket[] | null;
  readonly users: Users | null;
  readonly cost: Cost;
  readonly skipped: readonly string[];
}

/**
 * A table; `name` includes its schema, `verdict` is one of `VERDICTS`. `reasons` are those for
 * the verdict, the most serious first, then common things that depend on the table. `rows` are
 * `counted` or `estimated`, as `rows_are` says; None if they are `unknown`, and then
 * `stored_bytes` is None too. `bytes` is the size of the rows with their large values, without
 * `index_bytes`; None over REST. `document_bytes` is the size of an average document, and
 * `largest_document` that of the largest of `sampled` rows; None if none was read. `stored_bytes`
 * is the size in Convex, with `indexes` and ledger. `idle` is True if nothing was written to it
 * since statistics began; None if unknown.
 */
export interface AssessedTable {
  readonly name: string;
  readonly verdict: "decisions" | "not possible" | "ready" | "unknown" | "work";
  readonly reasons: readonly string[];
  readonly rows: number | null;
  readonly rows_are: "counted" | "estimated" | "unknown";
  readonly columns: number;
  readonly key: readonly string[];
  readonly bytes: number | null;
  readonly index_bytes: number | null;
  readonly analyzed: boolean | null;
  readonly idle: boolean | null;
  readonly sampled: number;
  readonly document_bytes: number | null;
  readonly largest_document: number | null;
  readonly indexes: number;
  readonly stored_bytes: number | null;
  readonly empty_columns: readonly string[];
}

/**
 * A column, and roughly how many bytes all its values have together.
 */
export interface LargeColumn {
  readonly table: string;
  readonly column: string;
  readonly bytes: number;
}

/**
 * Everything of one kind that Postgres or Supabase does by itself, and Convex will not. `names`
 * are the source's, each once; `tables`: table → how many it has. `counterpart` says what takes
 * their place in Convex. The verdict of these tables is at least `verdict`.
 */
export interface Rebuild {
  readonly kind: string;
  readonly heading: string;
  readonly count: number;
  readonly counterpart: string;
  readonly tables: Readonly<Record<string, number>>;
  readonly names: readonly string[];
  readonly verdict: "decisions" | "not possible" | "ready" | "unknown" | "work" | null;
}

/**
 * A problem that a table's data will run into. `rule` is its stable name. `basis` is what it is
 * based on: catalog (certain), statistics (the planner's), sample (of rows), or name (only the
 * column's name). `seen` of `looked` values or rows show it, if they were counted. The table's
 * verdict is at least `verdict`; None if the risk does not affect it.
 */
export interface Risk {
  readonly rule: string;
  readonly basis: "catalog" | "name" | "sample" | "statistics";
  readonly text: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly verdict: "decisions" | "not possible" | "ready" | "unknown" | "work" | null;
  readonly seen: number | null;
  readonly looked: number | null;
}

/**
 * A storage bucket. `files` and `bytes` are None if they could not be counted.
 */
export interface Bucket {
  readonly name: string;
  readonly public: boolean;
  readonly files: number | null;
  readonly bytes: number | null;
}

/**
 * The users of Supabase Auth, counted; a count is None if it could not be seen. `counted` is how
 * many users the counts are based on. `providers` counts identities, or over REST users.
 * `passwords` counts the kinds of hashes, which the server recognises by their first characters:
 * bcrypt, argon2, firebase scrypt, encrypted (which only the server's own key opens), other,
 * none. `same_email` is how many users share an address, ignoring case.
 */
export interface Users {
  readonly users: number;
  readonly counted: number;
  readonly providers: Readonly<Record<string, number>>;
  readonly passwords: Readonly<Record<string, number>> | null;
  readonly confirmed: number | null;
  readonly anonymous: number | null;
  readonly banned: number | null;
  readonly deleted: number | null;
  readonly sso: number | null;
  readonly mfa: number | null;
  readonly same_email: number | null;
}

/**
 * What the move costs: a forecast, without tables whose rows are unknown. `stored_bytes` includes
 * copies in indexes and the ledger; `written_bytes` is what is written: documents and ledger.
 * `minutes`: a deployment's write rate → the minutes that takes. `road` is the recommended way,
 * `functions` or `import`, and `why` the reasons.
 */
export interface Cost {
  readonly documents: number;
  readonly document_bytes: number;
  readonly written_bytes: number;
  readonly stored_bytes: number;
  readonly calls: number;
  readonly minutes: Readonly<Record<string, number>>;
  readonly reading_seconds: number;
  readonly road: "functions" | "import";
  readonly why: readonly string[];
}
