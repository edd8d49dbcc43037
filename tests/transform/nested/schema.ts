/** Validators of every kind, and references wherever they can be. */
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const image = v.object({
  type: v.literal("image"),
  imageId: v.id("files"),
  alt: v.optional(v.string()),
});
const text = v.object({
  type: v.literal("text"),
  text: v.string(),
  weight: v.optional(v.int64()),
});

export default defineSchema({
  users: defineTable({ name: v.string() }),
  files: defineTable({ name: v.string(), content: v.bytes(), revision: v.int64() }),
  pages: defineTable({
    title: v.string(),
    authors: v.array(v.id("users")),
    blocks: v.array(v.union(image, text)),
    shares: v.record(v.id("users"), v.number()),
    settings: v.optional(v.any()),
    owner: v.union(v.id("users"), v.id("files")),
    mixed: v.union(v.string(), v.number(), v.null()),
    box: v.object({
      width: v.number(),
      height: v.union(v.number(), v.null()),
      raw: v.optional(v.bytes()),
      big: v.int64(),
      special: v.array(v.number()),
      nested: v.optional(v.object({ deep: v.array(v.array(v.boolean())) })),
    }),
    level: v.union(v.int64(), v.literal(true), v.null()),
  }),
  events: defineTable(
    v.union(
      v.object({ kind: v.literal("login"), user: v.id("users"), at: v.number() }),
      v.object({ kind: v.literal("upload"), file: v.id("files"), size: v.optional(v.number()) }),
    ),
  ),
  notes: defineTable(v.any()),
  categories: defineTable({ name: v.string(), parent: v.optional(v.id("categories")) }),
  teams: defineTable({ name: v.string(), lead: v.id("members") }),
  members: defineTable({ team: v.optional(v.id("teams")), friends: v.array(v.id("members")) }),
  migrationLedger: defineTable({
    table: v.string(),
    sourceId: v.string(),
    documentId: v.string(),
    digest: v.string(),
    stored: v.string(),
  }).index("by_source", ["table", "sourceId"]),
});
