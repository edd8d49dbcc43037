import { query } from "./functions";

export const titles = query({
  args: {},
  handler: async (ctx) => (await ctx.table("books")).map(({ title }) => title),
});
