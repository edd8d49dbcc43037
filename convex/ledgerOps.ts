/**
 * What a loader needs besides loading: to read back, to identify the ledger, to adopt existing
 * documents, and to remove what was loaded. These are definitions, which migrate.ts registers, so
 * that each function has one address.
 */
import { v, type Infer } from "convex/values";
import type { Doc, TableNames } from "./_generated/dataModel";
import type { MutationCtx, QueryCtx } from "./_generated/server";
import {
  documentOf,
  ledgerRow,
  loadableNamed,
  lookUp,
  recordRow,
  storedHash,
  tableNamed,
  tally,
} from "./ledger";

// One call of readPage reads about this much, of the 16 MiB that a transaction may.
const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_DOCUMENTS = 4096;

/**
 * A page of any table of the schema, the ledger too, oldest document first: at most `numItems`,
 * fewer where documents are large. Go on with `continueCursor` until `isDone`.
 *
 * Errors: ConvexError `UnknownTable`.
 */
export const pageReader = {
  args: { table: v.string(), cursor: v.union(v.string(), v.null()), numItems: v.number() },
  returns: v.object({ page: v.array(v.any()), isDone: v.boolean(), continueCursor: v.string() }),
  handler: async (
    ctx: QueryCtx,
    { table, cursor, numItems }: { table: string; cursor: string | null; numItems: number },
  ): Promise<{ page: Doc<TableNames>[]; isDone: boolean; continueCursor: string }> => {
    const { page, isDone, continueCursor } = await ctx.db.query(tableNamed(table)).paginate({
      cursor,
      numItems: Math.min(numItems, PAGE_DOCUMENTS),
      maximumBytesRead: PAGE_BYTES,
    });
    return { page, isDone, continueCursor };
  },
};

/**
 * Documents of any table of the schema by id, in the order of `ids`; null for an id of no document
 * of this table. All of them must fit what one transaction may read.
 *
 * Errors: ConvexError `UnknownTable`.
 */
export const documentReader = {
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
 * looking at another ledger. With `claim` and no mark yet, `claim` becomes the mark.
 */
export const epochKeeper = {
  args: { claim: v.optional(v.string()) },
  returns: v.object({ epoch: v.union(v.string(), v.null()) }),
  handler: async (
    ctx: MutationCtx,
    { claim }: { claim?: string },
  ): Promise<{ epoch: string | null }> => {
    const mark = { table: "", sourceId: "epoch" };
    const row = await ledgerRow(ctx, mark.table, mark.sourceId);
    if (row !== null) return { epoch: row.digest };
    if (claim === undefined) return { epoch: null };
    await ctx.db.insert("migrationLedger", { ...mark, documentId: "", digest: claim, stored: "" });
    return { epoch: claim };
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
      did: v.union(
        v.literal("adopted"),
        v.literal("unchanged"),
        v.literal("missing"),
        v.literal("taken"),
      ),
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
export const adopter = {
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
    const count = tally(results);
    return {
      adopted: count("adopted"),
      unchanged: count("unchanged"),
      missing: count("missing"),
      taken: count("taken"),
      results,
    };
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
      did: v.union(
        v.literal("removed"),
        v.literal("changed"),
        v.literal("gone"),
        v.literal("unknown"),
      ),
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
 * Errors: ConvexError `UnknownTable`, `DuplicateSourceId`.
 */
export const remover = {
  args: {
    table: v.string(),
    records: v.array(v.object({ sourceId: v.string() })),
    force: v.optional(v.boolean()),
  },
  returns: removeReport,
  handler: async (
    ctx: MutationCtx,
    args: { table: string; records: { sourceId: string }[]; force?: boolean },
  ): Promise<RemoveReport> => {
    const lookedUp = await lookUp(ctx, loadableNamed(args.table), args.records);
    const results: Removed[] = [];
    for (const { record, row, present } of lookedUp) {
      const { sourceId } = record;
      if (row === null) {
        results.push({ sourceId, did: "unknown" });
      } else if (present === null) {
        await ctx.db.delete(row._id);
        results.push({ sourceId, did: "gone" });
      } else if (!args.force && (await storedHash(present)) !== row.stored) {
        results.push({ sourceId, did: "changed" });
      } else {
        await ctx.db.delete(present._id);
        await ctx.db.delete(row._id);
        results.push({ sourceId, did: "removed" });
      }
    }
    const count = tally(results);
    return {
      removed: count("removed"),
      changed: count("changed"),
      gone: count("gone"),
      unknown: count("unknown"),
      results,
    };
  },
};

/**
 * Deletes up to `numItems` rows of the ledger, its mark first: a loader that has kept the mark
 * refuses to go on from then. The documents stay, and nothing records any more where they came from.
 * Call it until `isDone`.
 */
export const ledgerClearer = {
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
export const missingFinder = {
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
