import { zid } from "convex-helpers/server/zod4";
import * as z from "zod";

export const Author = z.object({ name: z.string() });
export const Book = z.object({
  title: z.string(),
  pages: z.number().optional(),
  status: z.enum(["draft", "printed"]).optional(),
  authorId: zid("authors"),
});
