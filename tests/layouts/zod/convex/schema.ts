import { defineSchema, defineTable } from "convex/server";
import { zodOutputToConvex } from "convex-helpers/server/zod4";
import { Author, Book } from "./model";

export default defineSchema({
  authors: defineTable(zodOutputToConvex(Author)),
  books: defineTable(zodOutputToConvex(Book)),
});
