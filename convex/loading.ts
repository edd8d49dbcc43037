/**
 * `bulkInsert`: loading that can be repeated. Nothing here knows the tables of this project; a
 * table's validator comes from schema.ts.
 */
import type {
  RegisteredMutation,
  WithOptionalSystemFields,
  WithoutSystemFields,
} from "convex/server";
import { v, type Infer } from "convex/values";
import type { Doc } from "./_generated/dataModel";
import { internalMutation, type MutationCtx } from "./_generated/server";
import { lookUp, recordRow, storedHash, tally, type LedgerRow, type Loadable } from "./ledger";
import schema from "./schema";

type Fields<T extends Loadable> = WithoutSystemFields<Doc<T>>;

interface Incoming<T extends Loadable> {
  sourceId: string;
  digest: string;
  document: Fields<T>;
}

interface LoadOptions {
  overwrite?: boolean;
  onlyNew?: boolean;
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
      did: v.union(
        v.literal("inserted"),
        v.literal("replaced"),
        v.literal("unchanged"),
        v.literal("conflict"),
      ),
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
 * - the same digest, or any with `onlyNew`: unchanged
 * - another digest: replaced; or a conflict, and left alone unless `overwrite`, when the document
 *   is no longer what was stored
 *
 * Errors: ConvexError `DuplicateSourceId` when a call names a source key twice.
 */
export function bulkInsert<T extends Loadable>(
  table: T,
): RegisteredMutation<
  "internal",
  { records: Incoming<T>[]; overwrite?: boolean; onlyNew?: boolean },
  Promise<LoadReport>
> {
  const document = schema.tables[table].validator;
  return internalMutation({
    args: {
      records: v.array(v.object({ sourceId: v.string(), digest: v.string(), document })),
      overwrite: v.optional(v.boolean()),
      // For documents that a second call completes: an existing document may be complete already.
      onlyNew: v.optional(v.boolean()),
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
  const count = tally(results);
  return {
    inserted: count("inserted"),
    replaced: count("replaced"),
    unchanged: count("unchanged"),
    conflicts: count("conflict"),
    results,
  };
}

async function loadOne<T extends Loadable>(
  ctx: MutationCtx,
  table: T,
  { sourceId, digest, document }: Incoming<T>,
  row: LedgerRow | null,
  present: Doc<T> | null,
  { overwrite, onlyNew }: LoadOptions,
): Promise<Loaded> {
  if (row !== null && present !== null) {
    const loaded = { sourceId, documentId: row.documentId };
    if (row.digest === digest || onlyNew) return { ...loaded, did: "unchanged" };
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
