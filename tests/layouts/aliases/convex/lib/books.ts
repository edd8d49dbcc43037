import "server-only";
import { v } from "convex/values";
import { isTitle } from "@/lib/titles";

export const titled = (title: string) => {
  if (!isTitle(title)) throw new Error("too long");
  return v.string();
};
