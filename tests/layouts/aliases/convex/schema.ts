import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { titled } from "~convex/lib/books";

export default defineSchema({
  authors: defineTable({ name: v.string() }),
  books: defineTable({ title: titled("books"), authorId: v.id("authors") }).index("by_author", [
    "authorId",
  ]),
});
