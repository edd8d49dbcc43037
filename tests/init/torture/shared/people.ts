import { v } from "convex/values";

export const role = v.union(v.literal("owner"), v.literal("member"));
export const stamped = { createdAt: v.number(), updatedAt: v.optional(v.string()) };
