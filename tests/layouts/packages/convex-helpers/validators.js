import { v } from "convex/values";

export const literals = (...values) => v.union(...values.map((value) => v.literal(value)));
export const nullable = (validator) => v.union(validator, v.null());
