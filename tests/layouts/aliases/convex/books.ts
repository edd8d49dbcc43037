import { query } from "./_generated/server";
import { isTitle } from "@/lib/titles";

export const titles = query({
  args: {},
  handler: async (ctx) =>
    (await ctx.db.query("books").collect()).map(({ title }) => title).filter(isTitle),
});
