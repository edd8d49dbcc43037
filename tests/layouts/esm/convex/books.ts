import { named } from "esm-only";
import { query } from "./_generated/server";

export const titles = query(async (ctx) =>
  (await ctx.db.query("books").collect()).map(({ title }) => named(title)),
);
