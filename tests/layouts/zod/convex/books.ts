import { mutation, query } from "./_generated/server";
import { Book } from "./model";

export const titles = query(async (ctx) =>
  (await ctx.db.query("books").collect()).map((book) => Book.parse(book).title),
);
export const odd = mutation(async (ctx) => {
  const author = await ctx.db.insert("authors", { name: "Eve" });
  await ctx.db.insert("books", { title: "three", status: "lost", authorId: author } as never);
});
