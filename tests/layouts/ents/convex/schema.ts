import { v } from "convex/values";
import { defineEnt, defineEntSchema, getEntDefinitions } from "convex-ents";

const schema = defineEntSchema({
  authors: defineEnt({ name: v.string() }).edges("books", { ref: true }),
  books: defineEnt({ title: v.string() }).edge("author"),
});

export default schema;

export const entDefinitions = getEntDefinitions(schema);
