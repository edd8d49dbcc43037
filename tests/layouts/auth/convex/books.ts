import { getAuthUserId } from "@convex-dev/auth/server";
import { query } from "./_generated/server";

export const titles = query(async (ctx) => {
  const user = await getAuthUserId(ctx);
  const books = await ctx.db.query("books").collect();
  return books.filter(({ authorId }) => !user || authorId === user).map(({ title }) => title);
});
