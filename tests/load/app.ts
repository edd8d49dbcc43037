/** What the application itself does, beside a migration that it knows nothing of. */
import { v } from "convex/values";
import type { Id } from "./_generated/dataModel";
import { internalMutation } from "./_generated/server";

export const patch = internalMutation({
  args: { documentId: v.string(), fields: v.any() },
  handler: async (ctx, { documentId, fields }) => {
    await ctx.db.patch(documentId as Id<"pets">, fields);
  },
});

export const drop = internalMutation({
  args: { documentId: v.string() },
  handler: async (ctx, { documentId }) => {
    await ctx.db.delete(documentId as Id<"pets">);
  },
});

/** All that is there, the ledger too: the deployment is as empty as a new one. */
export const clear = internalMutation({
  args: {},
  handler: async (ctx) => {
    for (const table of ["teams", "people", "pets", "migrationLedger"] as const) {
      for (const document of await ctx.db.query(table).collect()) await ctx.db.delete(document._id);
    }
  },
});

export const add = internalMutation({
  args: { table: v.string(), documents: v.array(v.any()) },
  handler: async (ctx, { table, documents }) => {
    const ids = [];
    for (const document of documents) ids.push(await ctx.db.insert(table as "pets", document));
    return ids;
  },
});
