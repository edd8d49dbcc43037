import { customCtx, customQuery } from "convex-helpers/server/customFunctions";
import { query } from "./_generated/server";

const counted = customQuery(
  query,
  customCtx(async () => ({ most: 10 })),
);

export const titles = counted({
  args: {},
  handler: async (ctx) => (await ctx.db.query("books").take(ctx.most)).map(({ title }) => title),
});
