// A function of the component, whose tables are not those of the app.
import { queryGeneric } from "convex/server";

export const all = queryGeneric(async (ctx) => await ctx.db.query("counts").collect());
