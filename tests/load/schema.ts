/** A cycle of two tables, one of which refers to itself, and a table outside of it. */
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  teams: defineTable({ name: v.string(), lead: v.optional(v.id("people")) }),
  people: defineTable({
    name: v.string(),
    team: v.id("teams"),
    manager: v.optional(v.id("people")),
  }).index("by_team", ["team"]),
  pets: defineTable({
    owner: v.id("people"),
    kind: v.union(v.literal("cat"), v.literal("dog")),
    legacyId: v.optional(v.string()),
    photo: v.optional(v.id("_storage")),
  }),

  migrationLedger: defineTable({
    table: v.string(),
    sourceId: v.string(),
    documentId: v.string(),
    digest: v.string(),
    stored: v.string(),
  }).index("by_source", ["table", "sourceId"]),
});
