/** What an application may do to loaded documents, for tests. */
import { v } from "convex/values";
import { internalMutation } from "./_generated/server";

export const insert = internalMutation({
  args: { table: v.string(), document: v.any() },
  handler: (ctx, { table, document }) => ctx.db.insert(table as "articles", document),
});

export const edit = internalMutation({
  args: { id: v.string(), fields: v.any() },
  handler: (ctx, { id, fields }) => ctx.db.patch(id as never, fields as never),
});

export const drop = internalMutation({
  args: { id: v.string() },
  handler: (ctx, { id }) => ctx.db.delete(id as never),
});
