import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  customers: defineTable({
    authUser: v.id("users"),
    name: v.string(),
    joined: v.string(),
  }),
  users: defineTable({ email: v.optional(v.string()), createdAt: v.number() }),
  products: defineTable({
    sku: v.string(),
    title: v.string(),
    price: v.number(),
    stock: v.int64(),
    tags: v.array(v.string()),
    attributes: v.optional(v.any()),
    picture: v.optional(v.bytes()),
  }),
  orders: defineTable({
    customer: v.id("customers"),
    status: v.union(v.literal("open"), v.literal("inProgress"), v.literal("done")),
    paidAt: v.optional(v.number()),
    createdAt: v.string(),
  }),
  orderLines: defineTable({
    order: v.id("orders"),
    product: v.optional(v.id("products")),
    quantity: v.number(),
  }),
  remarks: defineTable({ text: v.string() }),
});
