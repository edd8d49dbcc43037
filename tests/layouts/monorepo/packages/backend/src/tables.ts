import { author } from "@acme/model";
import { defineTable } from "convex/server";
import { v } from "convex/values";

export const tables = {
  authors: defineTable(author),
  books: defineTable({ title: v.string(), authorId: v.id("authors") }),
};
