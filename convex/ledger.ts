/**
 * The table `migrationLedger`: which document was loaded from which source row. Its rows are written
 * in the transaction that writes the document, so that loading can be repeated.
 *
 * A row has two hashes. `digest` is the loader's, of the record that it sent, and means nothing
 * here; `stored` is of the document as it was written, and tells a later load whether the
 * application has changed it since.
 */
import { ConvexError, convexToJson, type Value } from "convex/values";
import type { Doc, TableNames } from "./_generated/dataModel";
import type { MutationCtx, QueryCtx } from "./_generated/server";
import schema from "./schema";

export type Loadable = Exclude<TableNames, "migrationLedger">;
export type LedgerRow = Doc<"migrationLedger">;

export interface LookedUp<T extends Loadable, R> {
  record: R;
  row: LedgerRow | null;
  present: Doc<T> | null;
}

/** For each record its ledger row and the document that the row names. */
export async function lookUp<T extends Loadable, R extends { sourceId: string }>(
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

export function ledgerRow(
  ctx: QueryCtx,
  table: string,
  sourceId: string,
): Promise<LedgerRow | null> {
  return ctx.db
    .query("migrationLedger")
    .withIndex("by_source", (q) => q.eq("table", table).eq("sourceId", sourceId))
    .unique();
}

/** The document, or null where the id is of no document of this table. */
export async function documentOf<T extends TableNames>(
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
export async function storedHash(document: Record<string, Value | undefined>): Promise<string> {
  const { _id, _creationTime, ...fields } = document;
  const text = JSON.stringify(convexToJson(fields));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Inserts or replaces the ledger row of a document that was just written, or adopted as it is. */
export async function recordRow(
  ctx: MutationCtx,
  row: LedgerRow | null,
  entry: { table: string; sourceId: string; documentId: string; digest: string },
  document: Record<string, Value | undefined>,
): Promise<void> {
  const full = { ...entry, stored: await storedHash(document) };
  if (row === null) await ctx.db.insert("migrationLedger", full);
  else await ctx.db.replace(row._id, full);
}

/** Counts results by what was done. */
export function tally<Did extends string>(results: { did: Did }[]): (did: Did) => number {
  return (kind) => results.filter(({ did }) => did === kind).length;
}

export function tableNamed(name: string): TableNames {
  if (!Object.hasOwn(schema.tables, name)) {
    throw new ConvexError({
      code: "UnknownTable",
      message: `convex/schema.ts has no table ${name}`,
      table: name,
    });
  }
  return name as TableNames;
}

export function loadableNamed(name: string): Loadable {
  const table = tableNamed(name);
  if (table === "migrationLedger") {
    throw new ConvexError({
      code: "UnknownTable",
      message: "the ledger itself can't be loaded",
      table,
    });
  }
  return table;
}
