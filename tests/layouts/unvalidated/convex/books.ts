import { mutation, query } from "./_generated/server";

export const titles = query(async (ctx) =>
  (await ctx.db.query("books").collect()).map(({ title }) => title),
);
// Neither as schema.ts has it, nor in a table of it.
export const odd = mutation(async (ctx) => {
  const id = await ctx.db.insert("books", { title: 7, extra: true } as never);
  const stray = await ctx.db.insert("strays" as never, { of: id } as never);
  const read = [await ctx.db.get(id), await ctx.db.get(stray)];
  await ctx.db.delete(id);
  await ctx.db.delete(stray);
  return read.map((each: any) => each.title ?? each.of === id);
});
