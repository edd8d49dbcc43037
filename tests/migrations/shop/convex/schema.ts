import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  addresses: defineTable({ street: v.string(), city: v.string() }),
  customers: defineTable({
    email: v.string(),
    lastOrder: v.optional(v.id("orders")),
    createdAt: v.number(),
  }).index("by_email", ["email"]),
  brands: defineTable({ name: v.string(), products: v.number() }),
  products: defineTable({
    title: v.string(),
    brand: v.optional(v.id("brands")),
    labels: v.array(v.string()),
    price: v.number(),
  }),
  orders: defineTable({
    shop: v.string(),
    number: v.int64(),
    customer: v.id("customers"),
    billingAddress: v.id("addresses"),
    shippingAddress: v.optional(v.id("addresses")),
    status: v.union(v.literal("pending"), v.literal("inProgress"), v.literal("shipped")),
    placedAt: v.number(),
    due: v.optional(v.string()),
  }),
  orderLines: defineTable({
    order: v.id("orders"),
    product: v.id("products"),
    quantity: v.number(),
    unitPrice: v.number(),
  }).index("by_order", ["order"]),
  remarks: defineTable({ text: v.string() }),
});
