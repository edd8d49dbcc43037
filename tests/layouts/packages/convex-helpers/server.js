import { defineTable } from "convex/server";
import { v } from "convex/values";

export function Table(name, fields) {
  return { name, table: defineTable(fields), withoutSystemFields: fields, _id: v.id(name) };
}
