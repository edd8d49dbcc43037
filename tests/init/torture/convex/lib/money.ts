import { v } from "convex/values";

export const money = v.object({ amount: v.number(), currency: v.string() });
