import { v } from "convex/values";

export enum Kind {
  Author = "author",
}

export const author = { name: v.string(), kind: v.optional(v.literal(Kind.Author)) };
