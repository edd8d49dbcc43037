import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { stagesTables } from "./stagesTables";

export default defineSchema({
  authors: defineTable({ name: v.string() }),
  posts: defineTable({
    authorId: v.id("authors"),
    title: v.string(),
    body: v.optional(v.string()),
    stage: v.union(v.literal("draft"), v.literal("live")),
    price: v.number(),
    createdAt: v.number(),
  }),
  comments: defineTable({
    postId: v.id("posts"),
    text: v.string(),
    kind: v.string(),
  }),
  ...stagesTables,
});
