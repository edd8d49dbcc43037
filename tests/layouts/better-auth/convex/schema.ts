import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

// The users are in the component; what refers to them has their ids as strings.
export default defineSchema({
  authors: defineTable({ name: v.string(), userId: v.optional(v.string()) }),
  books: defineTable({ title: v.string(), authorId: v.id("authors") }),
});
