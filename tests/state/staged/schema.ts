/** What the folder in staged.zip was made for. */
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  teams: defineTable({ name: v.string() }),
  people: defineTable({
    name: v.string(),
    team: v.id("teams"),
    manager: v.optional(v.id("people")),
  }),
  pets: defineTable({
    owner: v.id("people"),
    kind: v.union(v.literal("cat"), v.literal("dog")),
    born: v.optional(v.number()),
  }),

  migrationLedger: defineTable({
    table: v.string(),
    sourceId: v.string(),
    documentId: v.string(),
    digest: v.string(),
    stored: v.string(),
  }).index("by_source", ["table", "sourceId"]),
});
