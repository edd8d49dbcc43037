import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const block = v.union(
  v.object({ kind: v.literal("text"), text: v.string() }),
  v.object({ kind: v.literal("image"), imageId: v.id("images"), alt: v.optional(v.string()) }),
  v.object({ kind: v.literal("see"), articles: v.array(v.id("articles")), n: v.int64() }),
);
const seo = v.object({
  title: v.string(),
  card: v.optional(v.object({ imageId: v.id("images"), words: v.array(v.string()) })),
});

export default defineSchema({
  images: defineTable({ path: v.string(), width: v.number() }),
  tags: defineTable({ label: v.string() }),
  categories: defineTable({
    parent: v.optional(v.id("categories")),
    slug: v.string(),
    title: v.string(),
  }),
  articles: defineTable({
    slug: v.string(),
    category: v.id("categories"),
    title: v.string(),
    tags: v.array(v.id("tags")),
    blocks: v.array(block),
    seo: v.optional(seo),
    translations: v.record(v.string(), v.object({ title: v.string(), checked: v.boolean() })),
    publishedAt: v.union(v.number(), v.null()),
  }).index("by_slug", ["slug"]),
  relatedArticles: defineTable({
    article: v.id("articles"),
    other: v.id("articles"),
    weight: v.number(),
  }),
});
