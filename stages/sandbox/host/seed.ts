/** Inserts the documents of a seed file into a deployment. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { jsonToConvex, type JSONValue, type Value } from "convex/values";
import type { Deployment } from "./deployment.ts";

interface SeedLine {
  table: string;
  key: string;
  document: Record<string, JSONValue>;
}

// Well within the limits of a transaction.
const BATCH = 500;

/**
 * Inserts the lines of a file, each `{"table", "key", "document"}`, in order. A top-level field
 * that is exactly `ref:<table>:<key>` becomes the id of an earlier line's document. Returns the
 * number of documents. Throws if a reference matches no earlier line, or Convex refuses a document.
 */
export async function seed({ engine }: Deployment, file: string): Promise<number> {
  const ids = new Map<string, string>();
  let batch: SeedLine[] = [];
  const flush = async () => {
    const lines = batch;
    batch = [];
    await engine.run(async (ctx) => {
      for (const line of lines) {
        const id = await ctx.db.insert(line.table, documentOf(line, ids) as never);
        ids.set(`${line.table}:${line.key}`, id);
      }
    });
  };
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Infinity,
  })) {
    if (text.trim() === "") continue;
    batch.push(JSON.parse(text) as SeedLine);
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return ids.size;
}

function documentOf({ table, key, document }: SeedLine, ids: Map<string, string>): Value {
  const resolved = Object.entries(document).map(([field, value]): [string, JSONValue] => {
    if (typeof value !== "string" || !/^ref:[^:]+:/.test(value)) return [field, value];
    const id = ids.get(value.slice("ref:".length));
    if (id === undefined) {
      throw new Error(`${table} ${key}: ${field} refers to no earlier line of the seed`);
    }
    return [field, id];
  });
  return jsonToConvex(Object.fromEntries(resolved));
}
