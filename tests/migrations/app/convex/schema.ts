import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  users: defineTable({
    clerkId: v.string(),
    email: v.optional(v.string()),
  }).index("by_clerk", ["clerkId"]),
  profiles: defineTable({
    user: v.id("users"),
    displayName: v.string(),
    avatarUrl: v.union(v.string(), v.null()),
    createdAt: v.number(),
  }),
  files: defineTable({
    bucket: v.string(),
    path: v.string(),
    owner: v.optional(v.id("users")),
    sizeBytes: v.number(),
    uploadedAt: v.number(),
  }).index("by_path", ["bucket", "path"]),
  documents: defineTable({
    owner: v.id("users"),
    fileUrl: v.string(),
    checksum: v.bytes(),
    sizeBytes: v.int64(),
    embedding: v.optional(v.array(v.float64())),
    openedAt: v.optional(v.number()),
    createdAt: v.number(),
    updatedAt: v.optional(v.string()),
  }).vectorIndex("by_embedding", { vectorField: "embedding", dimensions: 3 }),
});
