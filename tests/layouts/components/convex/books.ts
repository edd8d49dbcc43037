import { TableAggregate } from "@convex-dev/aggregate";
import { components } from "./_generated/api";
import { query } from "./_generated/server";

const byTitle = new TableAggregate(components.aggregate, {
  sortKey: (book: { title: string }) => book.title,
});

export const titles = query(async (ctx) =>
  (await ctx.db.query("books").collect()).map(({ title }) => title),
);
export const count = query(async (ctx) => await byTitle.count(ctx));
