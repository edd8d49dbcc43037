import { role, stamped } from "@shared/people";
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { money } from "./lib/money";

export default defineSchema({
  users: defineTable({ email: v.optional(v.string()), banned: v.optional(v.boolean()) }),
  profiles: defineTable({
    userId: v.id("users"),
    displayName: v.string(),
    mail: v.optional(v.string()),
    role,
    ...stamped,
  }),
  categories: defineTable({
    parent: v.optional(v.id("categories")),
    slug: v.string(),
    title: v.string(),
    legacyId: v.optional(v.int64()),
  }),
  products: defineTable({
    sku: v.string(),
    categoryId: v.optional(v.id("categories")),
    price: v.number(),
    stock: v.int64(),
    weight: v.union(v.number(), v.null()),
    status: v.union(v.literal("draft"), v.literal("live")),
    mood: v.optional(v.union(v.literal("soFar"), v.literal("good"))),
    tags: v.array(v.string()),
    relatedCategoryIds: v.optional(v.array(v.id("categories"))),
    attributes: v.record(v.string(), v.any()),
    cost: v.optional(money),
    embedding: v.optional(v.array(v.float64())),
    vector: v.optional(v.array(v.float64())),
    photo: v.optional(v.bytes()),
    photoId: v.optional(v.id("_storage")),
    launched: v.optional(v.string()),
    opens: v.optional(v.string()),
    order: v.optional(v.number()),
    priority: v.string(),
    seenAt: v.number(),
    createdAt: v.optional(v.number()),
  }),
  orders: defineTable({
    tenant: v.number(),
    number: v.number(),
    status: v.union(v.literal("pending"), v.literal("inProgress"), v.literal("shipped")),
    buyer: v.id("profiles"),
    placedAt: v.string(),
  }),
  orderItems: defineTable({
    order: v.id("orders"),
    product: v.id("products"),
    quantity: v.number(),
  }),
  notes: defineTable({ body: v.string(), written: v.optional(v.number()) }),
  events: defineTable(
    v.union(
      v.object({ kind: v.literal("login"), at: v.number() }),
      v.object({ kind: v.literal("sale"), at: v.number(), amount: v.number() }),
    ),
  ),
  blobs: defineTable(v.any()),
  comments: defineTable({ target: v.union(v.id("products"), v.id("orders")), text: v.string() }),
  members: defineTable({ name: v.string() }),
  reviews: defineTable({ author: v.id("members"), text: v.string() }),
  plans: defineTable({ name: v.string() }),
  subscriptions: defineTable({ planId: v.id("plans"), profileId: v.id("profiles") }),
});
