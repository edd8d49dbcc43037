/**
 * The few `_system/…` functions of a deployment that `stages` and the CLI call, for admins only.
 * Stand-ins with results of the same shape; the real ones are undocumented and may change.
 */
import type { PaginationOptions } from "convex/server";
import { jsonToConvex, type JSONValue, type Value } from "convex/values";
import { decodeArguments, titled, type Deployment } from "./deployment.ts";
import { describeError, failed, type Outcome } from "./outcome.ts";

type SystemFunction = (deployment: Deployment, args: Record<string, unknown>) => Promise<Value>;

const PAGE_ROWS = 10_000;
const PAGE_BYTES = 5_000_000;

const FUNCTIONS: Record<string, SystemFunction> = {
  "_system/frontend/getSchemas": async ({ exported }) =>
    exported === "" ? {} : { active: exported },

  "_system/frontend/getTableMapping": async ({ tables, numbers }) =>
    Object.fromEntries(tables.map((name) => [String(numbers.of(name)), name])),

  "_system/cli/tables": async ({ tables }) => ({
    page: tables.map((name) => ({ name })),
    isDone: true,
    continueCursor: "_end_cursor",
  }),

  "_system/cli/tableData": async ({ engine }, { table, order, paginationOpts }) =>
    (await engine.query(async (ctx) => {
      const all = ctx.db.query(String(table));
      return await all.order(order === "desc" ? "desc" : "asc").paginate({
        ...(paginationOpts as PaginationOptions),
        maximumRowsRead: PAGE_ROWS,
        maximumBytesRead: PAGE_BYTES,
      });
    })) as unknown as Value,

  "_system/frontend/tableSize": async (deployment, { tableName }) =>
    await deployment.count(String(tableName)),

  "_system/cli/queryImport": async ({ imports }, { importId }) => {
    const state = imports.imports.get(String(importId))?.state;
    return state ? { _id: String(importId), state: state as unknown as Value } : null;
  },

  "_system/cli/queryImport:list": async ({ imports }) =>
    [...imports.imports.values()].map(({ state }) => ({
      state: state as unknown as Value,
    })),

  "_system/cli/exports:getLatest": async ({ imports }) => imports.latestExport as unknown as Value,

  "_system/cli/modules:apiSpec": async ({ functions, router }) => [
    ...functions.map(({ path, kind, internal, args, returns }) => ({
      identifier: path.replace(":", ".js:"),
      functionType: titled(kind),
      visibility: { kind: internal ? "internal" : "public" },
      args: plain(args),
      returns: plain(returns),
    })),
    ...("unrouted" in router ? [] : router.getRoutes()).map(([path, method]) => ({
      functionType: "HttpAction",
      method,
      path,
    })),
  ],

  "_system/cli/queryEnvironmentVariables:get": async (_, { name }) => {
    const value = process.env[String(name)];
    return value === undefined ? null : { name: String(name), value };
  },

  "_system/cli/convexUrl:cloudUrl": async () => process.env.CONVEX_CLOUD_URL ?? null,
};

/** As `Deployment.call`, for system functions. */
export async function callSystem(
  deployment: Deployment,
  path: string,
  encoded: JSONValue,
  admin: boolean,
): Promise<Outcome> {
  if (!admin) return failed("Unauthorized: executing a system function needs the admin key");
  const name = path.replace(/\.js(?=:|$)/, "").replace(/:default$/, "");
  const run = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (!run) return failed(`Could not find system function '${name}'; the sandbox has only a few`);
  try {
    const args = decodeArguments(name, deployment.ids.inward(encoded));
    return { value: deployment.ids.outward(await run(deployment, args)) };
  } catch (error) {
    return describeError(error);
  }
}

/** Converts a validator's JSON to a value; int64 literals are `{"$integer": …}` in both. */
function plain(json: JSONValue): Value {
  return jsonToConvex(json);
}
