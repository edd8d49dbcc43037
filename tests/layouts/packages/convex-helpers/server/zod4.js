import { v } from "convex/values";
import * as z from "zod";

const TABLE = Symbol("table");

export const zid = (table) => Object.assign(z.string(), { [TABLE]: table });

export function zodOutputToConvex(type) {
  if (type[TABLE]) return v.id(type[TABLE]);
  switch (type.kind) {
    case "optional":
      return v.optional(zodOutputToConvex(type.of));
    case "enum":
      return v.union(...type.of.map((value) => v.literal(value)));
    case "object":
      return v.object(
        Object.fromEntries(
          Object.entries(type.of).map(([name, each]) => [name, zodOutputToConvex(each)]),
        ),
      );
    default:
      return v[type.kind]();
  }
}
