import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  users: defineTable({
    name: v.string(),
    image: v.optional(v.string()),
    email: v.optional(v.string()),
  }),
  articles: defineTable({
    writerId: v.id("users"),
    editorId: v.optional(v.id("users")),
    parentId: v.optional(v.id("articles")),
    title: v.string(),
    body: v.string(),
    status: v.union(v.literal("draft"), v.literal("inReview"), v.literal("published")),
    searchText: v.string(),
    deletedAt: v.optional(v.number()),
  }),
  shareLinks: defineTable({ articleId: v.id("articles"), slug: v.string(), fee: v.number() }),
  connections: defineTable({
    userId: v.id("users"),
    provider: v.string(),
    encryptedToken: v.optional(v.string()),
  }),
  guestbook: defineTable({ email: v.string(), greeting: v.string() }),
});
