import { defineSchema } from "convex/server";
import { v } from "convex/values";
import { Table } from "convex-helpers/server";
import { literals, nullable } from "convex-helpers/validators";

export const Authors = Table("authors", { name: v.string(), kind: v.optional(literals("a", "b")) });
export const Books = Table("books", {
  title: v.string(),
  subtitle: v.optional(nullable(v.string())),
  authorId: v.id("authors"),
});

export default defineSchema({
  authors: Authors.table,
  books: Books.table.index("by_author", ["authorId"]),
});
