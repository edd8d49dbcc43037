import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { named, where } from "esm-only";
import { inner } from "esm-only/inner";

if (!where.startsWith("file:")) throw new Error("no module has an address");

export default defineSchema({
  authors: defineTable({ [named("name")]: v.string() }),
  books: defineTable({ title: v.string(), authorId: v.id(inner("authors")) }),
});
