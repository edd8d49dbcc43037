/** The table that `stages` needs, to be spread into schema.ts. */
import { defineTable } from "convex/server";
import { v } from "convex/values";

export const stagesTables = {
  // What was loaded from where. Empty it or drop it once the migration is over.
  migrationLedger: defineTable({
    table: v.string(),
    sourceId: v.string(),
    documentId: v.string(),
    digest: v.string(),
    stored: v.string(),
  }).index("by_source", ["table", "sourceId"]),
};
