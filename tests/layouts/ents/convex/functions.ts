import { entsTableFactory } from "convex-ents";
import { customCtx, customQuery } from "convex-helpers/server/customFunctions";
import { query as baseQuery } from "./_generated/server";
import { entDefinitions } from "./schema";

export const query = customQuery(
  baseQuery,
  customCtx(async (ctx) => ({ table: entsTableFactory(ctx, entDefinitions), db: undefined })),
);
