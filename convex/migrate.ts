/**
 * What `stages` calls to load, read back and remove documents; written by `stages init`. All of it
 * is internal: only the deployment's admin key reaches it. Delete it when the migration is over.
 */
import type {
  RegisteredMutation,
  WithOptionalSystemFields,
  WithoutSystemFields,
} from "convex/server";
import { ConvexError, convexToJson, type Infer, v, type Value } from "convex/values";
import type { Doc, TableNames } from "./_generated/dataModel";
import {
  internalMutation,
  internalQuery,
  type MutationCtx,
  type QueryCtx,
} from "./_generated/server";
import schema from "./schema";

// The table `migrationLedger` says what was loaded from where. A row is written in the transaction
// that writes the document, so that loading can be repeated. It has two hashes: `digest` is the
// loader's, of the record that it sent; `stored` is of the document as it was written, and shows a
// later load whether the application has changed it since.

// A digest that begins with this is of a record without the fields that a second call brings.
const PENDING = "pending:";

type Loadable = Exclude<TableNames, "migrationLedger">;
type LedgerRow = Doc<"migrationLedger">;

// The tables of the plan: those that it loads, each with a bulkInsert below, and those that it only
// refers to. No other table of the schema can be read or changed from here.
const loadedTables = new Set<Loadable>();
const referencedTables = new Set<Loadable>([
  "workspaces",
  "organizations",
  "contacts",
  "ariConversations",
]);

interface LookedUp<T extends Loadable, R> {
  record: R;
  row: LedgerRow | null;
  present: Doc<T> | null;
}

/** For each record its ledger row and the document that the row names. */
async function lookUp<T extends Loadable, R extends { sourceId: string }>(
  ctx: QueryCtx,
  table: T,
  records: R[],
): Promise<LookedUp<T, R>[]> {
  const sourceIds = new Set<string>();
  for (const { sourceId } of records) {
    if (sourceIds.has(sourceId)) {
      throw new ConvexError({
        code: "DuplicateSourceId",
        message: `the call names ${sourceId} of ${table} twice`,
        table,
        sourceId,
      });
    }
    sourceIds.add(sourceId);
  }
  return await Promise.all(
    records.map(async (record) => {
      const row = await ledgerRow(ctx, table, record.sourceId);
      const present = row && (await documentOf(ctx, table, row.documentId));
      return { record, row, present };
    }),
  );
}

function ledgerRow(ctx: QueryCtx, table: string, sourceId: string): Promise<LedgerRow | null> {
  return ctx.db
    .query("migrationLedger")
    .withIndex("by_source", (q) => q.eq("table", table).eq("sourceId", sourceId))
    .unique();
}

/** The document, or null where the id is of no document of this table. */
async function documentOf<T extends TableNames>(
  ctx: QueryCtx,
  table: T,
  documentId: string,
): Promise<Doc<T> | null> {
  const id = ctx.db.normalizeId(table, documentId);
  return id && (await ctx.db.get(id));
}

/**
 * sha256, in hex, of a document without its system fields. `convexToJson` sorts the keys and
 * writes every value in one way only.
 */
async function storedHash(document: Record<string, Value | undefined>): Promise<string> {
  const { _id, _creationTime, ...fields } = document;
  const text = JSON.stringify(convexToJson(fields));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Inserts or replaces the ledger row of a document that was just written, or adopted as it is. */
async function recordRow(
  ctx: MutationCtx,
  row: LedgerRow | null,
  entry: { table: string; sourceId: string; documentId: string; digest: string },
  document: Record<string, Value | undefined>,
): Promise<void> {
  const full = { ...entry, stored: await storedHash(document) };
  if (row === null) await ctx.db.insert("migrationLedger", full);
  else await ctx.db.replace(row._id, full);
}

/** The validator of what was done with a record, in one word. */
function oneOf<Did extends string>(...words: Did[]) {
  return v.union(...words.map((word) => v.literal(word)));
}

/** Counts results by what was done. */
function tally<Did extends string>(results: { did: Did }[], ...words: Did[]): Record<Did, number> {
  const counts = words.map((word) => [word, results.filter(({ did }) => did === word).length]);
  return Object.fromEntries(counts) as Record<Did, number>;
}

function unknownTable(name: string): ConvexError<Record<"code" | "message" | "table", string>> {
  return new ConvexError({
    code: "UnknownTable",
    message: `these functions were written for a plan without the table ${name}`,
    table: name,
  });
}

function tableNamed(name: string): Loadable {
  const table = name as Loadable;
  if (!loadedTables.has(table) && !referencedTables.has(table)) throw unknownTable(name);
  return table;
}

function loadableNamed(name: string): Loadable {
  const table = name as Loadable;
  if (!loadedTables.has(table)) throw unknownTable(name);
  return table;
}

type Fields<T extends Loadable> = WithoutSystemFields<Doc<T>>;

interface Incoming<T extends Loadable> {
  sourceId: string;
  digest: string;
  document: Fields<T>;
}

interface LoadOptions {
  overwrite?: boolean;
}

const loadReport = v.object({
  inserted: v.number(),
  replaced: v.number(),
  unchanged: v.number(),
  conflicts: v.number(),
  results: v.array(
    v.object({
      sourceId: v.string(),
      documentId: v.string(),
      did: oneOf("inserted", "replaced", "unchanged", "conflict"),
    }),
  ),
});
type LoadReport = Infer<typeof loadReport>;
type Loaded = LoadReport["results"][number];

/**
 * An internal mutation that loads records into one table. Its argument `document` has the table's
 * own validator; a document that does not pass fails the whole call, and nothing of it is kept.
 *
 * - no ledger row, or its document is gone: inserted
 * - the same digest: unchanged; so is any document for a record whose digest is pending, since it
 *   may be complete already
 * - another digest: replaced; or a conflict, and left alone unless `overwrite`, when the document
 *   is no longer what was stored
 *
 * Errors: ConvexError `DuplicateSourceId` when a call names a source key twice.
 */
function bulkInsert<T extends Loadable>(
  table: T,
): RegisteredMutation<
  "internal",
  { records: Incoming<T>[]; overwrite?: boolean },
  Promise<LoadReport>
> {
  loadedTables.add(table);
  const document = schema.tables[table].validator;
  return internalMutation({
    args: {
      records: v.array(v.object({ sourceId: v.string(), digest: v.string(), document })),
      overwrite: v.optional(v.boolean()),
    },
    returns: loadReport,
    handler: (ctx, { records, ...options }): Promise<LoadReport> =>
      // The validator is the table's own, which the compiler can't follow for an open T.
      load(ctx, table, records as unknown as Incoming<T>[], options),
  });
}

async function load<T extends Loadable>(
  ctx: MutationCtx,
  table: T,
  records: Incoming<T>[],
  options: LoadOptions,
): Promise<LoadReport> {
  const lookedUp = await lookUp(ctx, table, records);
  // All reads are done; writes go one after the other, so that creation times keep the order.
  const results: Loaded[] = [];
  for (const { record, row, present } of lookedUp) {
    results.push(await loadOne(ctx, table, record, row, present, options));
  }
  const { conflict, ...counts } = tally(results, "inserted", "replaced", "unchanged", "conflict");
  return { ...counts, conflicts: conflict, results };
}

async function loadOne<T extends Loadable>(
  ctx: MutationCtx,
  table: T,
  { sourceId, digest, document }: Incoming<T>,
  row: LedgerRow | null,
  present: Doc<T> | null,
  { overwrite }: LoadOptions,
): Promise<Loaded> {
  if (row !== null && present !== null) {
    const loaded = { sourceId, documentId: row.documentId };
    // Nothing was left out of a document that is, complete, what its first call wrote.
    const same = row.digest === digest || row.digest === PENDING + digest;
    if (same || digest.startsWith(PENDING)) return { ...loaded, did: "unchanged" };
    if (!overwrite && (await storedHash(present)) !== row.stored) {
      return { ...loaded, did: "conflict" };
    }
    await ctx.db.replace(present._id, document as unknown as WithOptionalSystemFields<Doc<T>>);
    await recordRow(ctx, row, { table, sourceId, documentId: row.documentId, digest }, document);
    return { ...loaded, did: "replaced" };
  }
  const documentId: string = await ctx.db.insert(table, document);
  await recordRow(ctx, row, { table, sourceId, documentId, digest }, document);
  return { sourceId, documentId, did: "inserted" };
}

// One call of readPage reads about this much, of the 16 MiB that a transaction may.
const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_DOCUMENTS = 4096;

/**
 * A page of any table of the plan, the ledger too, oldest document first: at most `numItems`,
 * fewer where documents are large. Go on with `continueCursor` until `isDone`. `ledgerOf`: the rows
 * of the ledger for one table instead.
 *
 * Errors: ConvexError `UnknownTable`.
 */
const pageReader = {
  args: {
    table: v.string(),
    cursor: v.union(v.string(), v.null()),
    numItems: v.number(),
    ledgerOf: v.optional(v.string()),
  },
  returns: v.object({ page: v.array(v.any()), isDone: v.boolean(), continueCursor: v.string() }),
  handler: async (
    ctx: QueryCtx,
    args: { table: string; cursor: string | null; numItems: number; ledgerOf?: string },
  ): Promise<{ page: Doc<TableNames>[]; isDone: boolean; continueCursor: string }> => {
    const { table, cursor, numItems, ledgerOf } = args;
    const rows =
      ledgerOf === undefined
        ? ctx.db.query(table === "migrationLedger" ? table : tableNamed(table))
        : ctx.db.query("migrationLedger").withIndex("by_source", (q) => q.eq("table", ledgerOf));
    const { page, isDone, continueCursor } = await rows.paginate({
      cursor,
      numItems: Math.min(numItems, PAGE_DOCUMENTS),
      maximumBytesRead: PAGE_BYTES,
    });
    return { page, isDone, continueCursor };
  },
};

/**
 * Documents of any table of the plan by id, in the order of `ids`; null for an id of no document
 * of this table. All of them must fit what one transaction may read.
 *
 * Errors: ConvexError `UnknownTable`.
 */
const documentReader = {
  args: { table: v.string(), ids: v.array(v.string()) },
  returns: v.object({ documents: v.array(v.any()) }),
  handler: async (
    ctx: QueryCtx,
    args: { table: string; ids: string[] },
  ): Promise<{ documents: (Doc<TableNames> | null)[] }> => {
    const table = tableNamed(args.table);
    return { documents: await Promise.all(args.ids.map((id) => documentOf(ctx, table, id))) };
  },
};

/**
 * The random mark that the first load leaves in the ledger; a loader that has kept another one is
 * looking at another ledger. With `claim` and no mark yet, `claim` becomes the mark. `tables` are
 * those that can be read and, where the value is true, loaded.
 */
const epochKeeper = {
  args: { claim: v.optional(v.string()) },
  returns: v.object({
    epoch: v.union(v.string(), v.null()),
    tables: v.record(v.string(), v.boolean()),
  }),
  handler: async (
    ctx: MutationCtx,
    { claim }: { claim?: string },
  ): Promise<{ epoch: string | null; tables: Record<string, boolean> }> => {
    const tables = Object.fromEntries(
      [...referencedTables, ...loadedTables].map((table) => [table, loadedTables.has(table)]),
    );
    const mark = { table: "", sourceId: "epoch" };
    const row = await ledgerRow(ctx, mark.table, mark.sourceId);
    if (row !== null) return { epoch: row.digest, tables };
    if (claim === undefined) return { epoch: null, tables };
    await ctx.db.insert("migrationLedger", { ...mark, documentId: "", digest: claim, stored: "" });
    return { epoch: claim, tables };
  },
};

const adoptReport = v.object({
  adopted: v.number(),
  unchanged: v.number(),
  missing: v.number(),
  taken: v.number(),
  results: v.array(
    v.object({
      sourceId: v.string(),
      did: oneOf("adopted", "unchanged", "missing", "taken"),
    }),
  ),
});
type AdoptReport = Infer<typeof adoptReport>;
type Adopted = AdoptReport["results"][number];

/**
 * Writes ledger rows for existing documents, as they are now.
 *
 * - missing: the table has no such document
 * - taken: the ledger names another document, which exists
 * - unchanged: the ledger says the same already
 *
 * Errors: ConvexError `UnknownTable`, `DuplicateSourceId`.
 */
const adopter = {
  args: {
    table: v.string(),
    records: v.array(
      v.object({ sourceId: v.string(), digest: v.string(), documentId: v.string() }),
    ),
  },
  returns: adoptReport,
  handler: async (
    ctx: MutationCtx,
    args: {
      table: string;
      records: { sourceId: string; digest: string; documentId: string }[];
    },
  ): Promise<AdoptReport> => {
    const table = loadableNamed(args.table);
    const lookedUp = await lookUp(ctx, table, args.records);
    const documents = await Promise.all(
      lookedUp.map(({ record }) => documentOf(ctx, table, record.documentId)),
    );
    const results: Adopted[] = [];
    for (const [at, { record, row, present }] of lookedUp.entries()) {
      const { sourceId, digest, documentId } = record;
      const document = documents[at];
      if (!document) {
        results.push({ sourceId, did: "missing" });
      } else if (row && present && row.documentId !== documentId) {
        results.push({ sourceId, did: "taken" });
      } else if (row && row.documentId === documentId && row.digest === digest) {
        results.push({ sourceId, did: "unchanged" });
      } else {
        await recordRow(ctx, row, { table, sourceId, documentId, digest }, document);
        results.push({ sourceId, did: "adopted" });
      }
    }
    return { ...tally(results, "adopted", "unchanged", "missing", "taken"), results };
  },
};

const removeReport = v.object({
  removed: v.number(),
  changed: v.number(),
  gone: v.number(),
  unknown: v.number(),
  results: v.array(
    v.object({
      sourceId: v.string(),
      did: oneOf("removed", "changed", "gone", "unknown"),
    }),
  ),
});
type RemoveReport = Infer<typeof removeReport>;
type Removed = RemoveReport["results"][number];

/**
 * Deletes what the ledger says was loaded, and the ledger rows.
 *
 * - changed: the application has changed the document; both are kept unless `force`
 * - gone: the document no longer exists; the ledger row is deleted
 * - unknown: the ledger has no such row
 *
 * `check` deletes nothing, and answers what would be done.
 *
 * Errors: ConvexError `UnknownTable`, `DuplicateSourceId`.
 */
const remover = {
  args: {
    table: v.string(),
    records: v.array(v.object({ sourceId: v.string() })),
    force: v.optional(v.boolean()),
    check: v.optional(v.boolean()),
  },
  returns: removeReport,
  handler: async (
    ctx: MutationCtx,
    args: { table: string; records: { sourceId: string }[]; force?: boolean; check?: boolean },
  ): Promise<RemoveReport> => {
    const lookedUp = await lookUp(ctx, loadableNamed(args.table), args.records);
    const results: Removed[] = [];
    for (const { record, row, present } of lookedUp) {
      const { sourceId } = record;
      if (row === null) {
        results.push({ sourceId, did: "unknown" });
      } else if (present === null) {
        if (!args.check) await ctx.db.delete(row._id);
        results.push({ sourceId, did: "gone" });
      } else if (!args.force && (await storedHash(present)) !== row.stored) {
        results.push({ sourceId, did: "changed" });
      } else {
        if (!args.check) {
          await ctx.db.delete(present._id);
          await ctx.db.delete(row._id);
        }
        results.push({ sourceId, did: "removed" });
      }
    }
    return { ...tally(results, "removed", "changed", "gone", "unknown"), results };
  },
};

/**
 * Deletes up to `numItems` rows of the ledger, its mark first: a loader that has kept the mark
 * refuses to go on from then. The documents stay, and nothing records any more where they came from.
 * Call it until `isDone`.
 */
const ledgerClearer = {
  args: { numItems: v.number() },
  returns: v.object({ deleted: v.number(), isDone: v.boolean() }),
  handler: async (
    ctx: MutationCtx,
    { numItems }: { numItems: number },
  ): Promise<{ deleted: number; isDone: boolean }> => {
    // In the index' order the mark, whose table is "", comes first.
    const rows = await ctx.db.query("migrationLedger").withIndex("by_source").take(numItems);
    for (const row of rows) await ctx.db.delete(row._id);
    return { deleted: rows.length, isDone: rows.length < numItems };
  },
};

/**
 * Which of these ids are of no document of the table: what a loader is about to refer to may have
 * been deleted since it learned of it.
 *
 * Errors: ConvexError `UnknownTable`.
 */
const missingFinder = {
  args: { table: v.string(), documentIds: v.array(v.string()) },
  returns: v.object({ missing: v.array(v.string()) }),
  handler: async (
    ctx: QueryCtx,
    args: { table: string; documentIds: string[] },
  ): Promise<{ missing: string[] }> => {
    const table = tableNamed(args.table);
    const present = await Promise.all(
      args.documentIds.map(async (documentId) => {
        const id = ctx.db.normalizeId(table, documentId);
        return id !== null && (await ctx.db.get(id)) !== null;
      }),
    );
    return { missing: args.documentIds.filter((_, at) => !present[at]) };
  },
};

export const bulkInsertAriDestinations = bulkInsert("ariDestinations");
export const bulkInsertAriPayments = bulkInsert("ariPayments");
export const bulkInsertAriAppointments = bulkInsert("ariAppointments");
export const bulkInsertAriAiComparison = bulkInsert("ariAiComparison");
export const bulkInsertAriFlowStages = bulkInsert("ariFlowStages");
export const bulkInsertAriKnowledgeCategories = bulkInsert("ariKnowledgeCategories");
export const bulkInsertAriKnowledgeEntries = bulkInsert("ariKnowledgeEntries");
export const bulkInsertAriScoringConfig = bulkInsert("ariScoringConfig");
export const bulkInsertConsultantSlots = bulkInsert("consultantSlots");
export const bulkInsertArticles = bulkInsert("articles");
export const bulkInsertWebinars = bulkInsert("webinars");
export const bulkInsertWebinarRegistrations = bulkInsert("webinarRegistrations");

export const readPage = internalQuery(pageReader);
export const readDocuments = internalQuery(documentReader);
export const findMissing = internalQuery(missingFinder);
export const epoch = internalMutation(epochKeeper);
export const adopt = internalMutation(adopter);
export const remove = internalMutation(remover);
export const clearLedger = internalMutation(ledgerClearer);
