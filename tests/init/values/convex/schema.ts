import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const text = v.optional(v.string());
const number = v.optional(v.number());
const numbers = v.array(v.number());

export default defineSchema({
  notes: defineTable({ labels: v.array(v.string()), scores: v.optional(numbers) }),
  slots: defineTable({
    starts: v.array(v.union(v.number(), v.null())), days: numbers, isos: v.array(v.string()), plain: numbers,
  }),
  posts: defineTable({
    tags: v.optional(v.array(v.string())), scores: v.optional(numbers), flags: v.optional(v.array(v.boolean())),
  }),
  guilds: defineTable({ ids: numbers, anyids: v.any(), prices: numbers, jids: numbers }),
  singles: defineTable({ one: v.number(), obj: v.object({ n: v.number() }) }),
  odd: defineTable({
    opens: text, opens_ms: number, lasts: text, lasts_s: number, fee: text, fee_n: number, flag: text,
    flag_b: v.optional(v.boolean()), mask: text, code: text, sign: text, span: text, addr: text, mac: text,
    tsv: text, pt: text, snap: text,
  }),
  mine: defineTable({
    grid: v.optional(v.array(numbers)), words: v.optional(v.array(v.array(v.string()))),
    sums: v.optional(v.array(v.int64())), big: v.optional(v.int64()), bigs: v.optional(v.array(v.int64())),
    word: number, n: number, paid: number, flag: v.optional(v.boolean()),
    both_of: v.optional(v.object({ a: v.number() })), span: number, fee: number, at: number,
    doc: v.optional(v.any()), docs: v.optional(v.array(v.any())), name: v.optional(v.any()),
    moments: v.optional(numbers), nums: v.optional(numbers), obj: v.optional(v.object({ n: numbers })),
  }),
});
