/** Checks that `Indexes` works with this version of the engine. */
import { convexTest } from "convex-test";
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { databaseOf, UnknownEngine, type Engine } from "./engine_database.ts";
import { Indexes } from "./indexes.ts";

const schema = defineSchema({ things: defineTable({ n: v.number() }).index("by_n", ["n"]) });

/**
 * Writes and reads a few documents in a separate engine. Throws UnknownEngine if a result is wrong,
 * or if all documents were scanned for it.
 */
export async function checkEngine(): Promise<void> {
  const engine = convexTest({
    schema,
    modules: { "./_generated/api.js": () => Promise.resolve({}) },
    transactionLimits: true,
  });
  const database = databaseOf(engine as unknown as Engine);
  let walks = 0;
  const walk = database._iterateDocs.bind(database);
  database._iterateDocs = (table, callback) => {
    walks += 1;
    walk(table, callback);
  };
  const indexes = new Indexes(database);
  await engine.run(async (ctx) => {
    for (const n of [2, 0, 3, 1]) await ctx.db.insert("things", { n });
  });
  const undone = engine.run(async (ctx) => {
    await ctx.db.insert("things", { n: 4 });
    throw new Error("undone");
  });
  await undone.catch(() => undefined);
  const greatest = await engine.run(async (ctx) => {
    const above = ctx.db.query("things").withIndex("by_n", (q) => q.gt("n", 1));
    return (await above.order("desc").take(9)).map(({ n }) => n);
  });
  expect("a range", greatest, [3, 2]);
  const pages: unknown[] = [];
  let cursor: string | null = null;
  for (const size of [3, 3]) {
    const {
      page,
      isDone,
      continueCursor,
    }: { page: { n: number }[]; isDone: boolean; continueCursor: string } = await engine.query(
      (ctx) => ctx.db.query("things").withIndex("by_n").paginate({ cursor, numItems: size }),
    );
    pages.push(
      page.map(({ n }) => n),
      isDone,
    );
    cursor = continueCursor;
  }
  expect("pages", pages, [[0, 1, 2], false, [3], true]);
  expect("the documents of a table", indexes.count("things"), 4);
  expect("walks through all documents", walks, 0);
}

function expect(what: string, actual: unknown, expected: unknown): void {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new UnknownEngine(`${what} gave ${one} and not ${other}`);
}
