/**
 * The host's indexes beside the engine without them: the same random programs of reads and writes on
 * both, and every answer, error, cursor and count of what a transaction has used is the same.
 */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { convexTest } from "convex-test";
import {
  defineSchema,
  defineTable,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
  type FunctionReference,
} from "convex/server";
import { convexToJson, v, type Value } from "convex/values";
import { databaseOf, type Engine } from "../../stages/sandbox/host/engine_database.ts";
import { Indexes } from "../../stages/sandbox/host/indexes.ts";

const PROGRAMS = 25;
const CALLS = 12;

const schema = defineSchema({
  things: defineTable(v.any())
    .index("by_a", ["a"])
    .index("by_ab", ["a", "b"])
    .index("by_abc", ["a", "b", "c.d"]),
  others: defineTable(v.any()).index("by_b", ["b"]),
});
const INDEXES: Record<string, [string, string[]][]> = {
  things: [
    ["by_a", ["a"]],
    ["by_ab", ["a", "b"]],
    ["by_abc", ["a", "b", "c.d"]],
    ["by_creation_time", ["_creationTime"]],
    ["by_id", ["_id"]],
    ["by_nothing", ["a"]],
  ],
  others: [
    ["by_b", ["b"]],
    ["by_creation_time", ["_creationTime"]],
  ],
};
// Every type, and neighbours within each; undefined is a field that is missing.
const VALUES: (Value | undefined)[] = [
  undefined, undefined, null, -3n, 0n, 2n ** 63n - 1n, -Infinity, -1.5, -0, 0, 1, 1, 2, NaN, false,
  true, "", "a", "a", "ab", "ä", "\uffff", "\u{10000}", new ArrayBuffer(0),
  new Uint8Array([1, 200]).buffer, [], [1], [1, null], {}, { d: 1 }, { d: "a", e: 2 },
]; // prettier-ignore

/** Numbers that stand for a choice, so that a program can be an argument of a function. */
type Step = { do: string; table: string; at: number[]; steps: Step[] };

class Random {
  constructor(private state: number) {}

  /** A whole number below `most`. */
  below(most: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * most);
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  steps(depth: number): Step[] {
    return Array.from({ length: 1 + this.below(8) }, () => {
      const kinds = ["insert", "insert", "patch", "replace", "delete", "get", "query"];
      const more = ["query", "query", "page", "first", "nested", "failing", "before"];
      const kind = this.of([...kinds, ...more]);
      const nested = ["nested", "failing"].includes(kind) && depth < 2;
      return {
        do: nested || !["nested", "failing"].includes(kind) ? kind : "query",
        table: this.of(["things", "things", "others"]),
        at: Array.from({ length: 24 }, () => this.below(1 << 20)),
        steps: nested ? this.steps(depth + 1) : [],
      };
    });
  }
}

/** Reads one number after the other of a step. */
function reader({ at }: Step) {
  let next = 0;
  const number = (): number => at[next++ % at.length] as number;
  const of = <T>(items: readonly T[]): T => items[number() % items.length] as T;
  return { number, of };
}

function fieldsOf(of: <T>(items: readonly T[]) => T): Record<string, Value | undefined> {
  // Few different ones of `a`, so that there is something to put in order behind it.
  const d = of(VALUES);
  return { a: of(["x", "x", of(VALUES)]), b: of(VALUES), c: of([d, d === undefined ? {} : { d }]) };
}

/** The query that a step stands for, in the words of the `convex` package. */
function queryOf(db: any, step: Step, documents: any[]) {
  const { number, of } = reader(step);
  let query = db.query(step.table);
  if (number() % 8 > 0) {
    const [index, fields] = of(INDEXES[step.table]!);
    query = query.withIndex(index, (q: any) => {
      const used = number() % (fields.length + 1);
      const bound = (field: string) =>
        documents.length && number() % 4 > 0
          ? field.split(".").reduce((value, name) => value?.[name], of(documents))
          : of(VALUES);
      let range = q;
      for (const field of fields.slice(0, used)) range = range.eq(field, bound(field));
      const field = fields[used];
      if (field !== undefined && number() % 3 > 0) {
        if (number() % 2) range = range[of(["gt", "gte"])](field, bound(field));
        if (number() % 2) range = range[of(["lt", "lte"])](field, bound(field));
      }
      return range;
    });
  }
  if (number() % 2) query = query.order(of(["asc", "desc"]));
  if (number() % 3 === 0) {
    const value = of(VALUES);
    query = query.filter((q: any) =>
      q[of(["eq", "neq", "gt", "lte"])](q.field("b"), value ?? null),
    );
  }
  return { query, number, of };
}

async function act(ctx: any, step: Step): Promise<unknown> {
  const known = await ctx.db.query(step.table).collect();
  const { number, of } = reader(step);
  const some = known.length ? of<any>(known)._id : "00000000000000000000000000000things";
  const call = (name: string, run: string) =>
    ctx[run](makeFunctionReference(`programs:${name}`), { steps: step.steps, page: null });
  switch (step.do) {
    case "insert":
      for (let more = number() % 5; more > 0; more--) await ctx.db.insert(step.table, fieldsOf(of));
      return await ctx.db.insert(step.table, fieldsOf(of));
    case "patch":
      return await ctx.db.patch(some, fieldsOf(of));
    case "replace":
      return await ctx.db.replace(some, fieldsOf(of));
    case "delete":
      return await ctx.db.delete(some);
    case "get":
      return await ctx.db.get(some);
    case "first": {
      const { query } = queryOf(ctx.db, step, known);
      for await (const document of query) return document;
      return null;
    }
    case "page": {
      const { query, number, of } = queryOf(ctx.db, step, known);
      const most = of([{}, {}, { maximumBytesRead: 200 }, { maximumRowsRead: 3 }]);
      return await query.paginate({ cursor: null, numItems: number() % 5, ...most });
    }
    case "nested":
      return await call("change", "runMutation");
    case "failing":
      return await call("fail", "runMutation");
    case "before":
      return await ctx.runQuery(
        makeFunctionReference("programs:look"),
        {
          steps: [
            { ...step, do: "query" },
            { ...step, do: "page" },
          ],
          page: null,
        },
        { useStaleSnapshot: true },
      );
    default: {
      const { query, number } = queryOf(ctx.db, step, known);
      const end = number() % 4;
      if (end === 0) return await query.first();
      if (end === 1) return await query.unique();
      return end === 2 ? await query.take(number() % 6) : await query.collect();
    }
  }
}

/** What each step gave or threw, and what of the transaction's limits it has used. */
async function run(ctx: any, { steps }: { steps: Step[] }): Promise<unknown> {
  const outcomes = [];
  for (const step of steps) {
    try {
      outcomes.push({ gave: (await act(ctx, step)) ?? null });
    } catch (error) {
      outcomes.push({ threw: (error as Error).message });
    }
  }
  return { outcomes, used: await ctx.meta.getTransactionMetrics() };
}

const programs = {
  change: mutationGeneric({ handler: run }),
  look: queryGeneric({ handler: run }),
  fail: mutationGeneric({
    handler: async (ctx, args: any) => {
      const { outcomes } = (await run(ctx, args)) as { outcomes: unknown[] };
      throw new Error(`after ${outcomes.length} steps`);
    },
  }),
  /** One page of the query of a step. */
  page: queryGeneric({
    handler: async (ctx, { steps: [step], page }: any) => {
      const known = await ctx.db.query(step.table).collect();
      return await queryOf(ctx.db, step, known).query.paginate(page);
    },
  }),
};

function newEngine(): Engine {
  return convexTest({
    schema,
    modules: {
      "./_generated/api.js": () => Promise.resolve({}),
      "./programs.ts": () => Promise.resolve(programs),
    },
    transactionLimits: true,
  }) as unknown as Engine;
}

async function call(engine: Engine, name: string, args: object): Promise<any> {
  const reference = makeFunctionReference(`programs:${name}`) as unknown;
  try {
    return name === "look" || name === "page"
      ? await engine.query(reference as FunctionReference<"query">, args as never)
      : await engine.mutation(reference as FunctionReference<"mutation">, args as never);
  } catch (error) {
    return { threw: (error as Error).message };
  }
}

function text(value: unknown): string {
  return JSON.stringify(convexToJson(value as Value), null, 1);
}

test("random programs give the same with indexes and without", async () => {
  // Creation times are part of answers and of cursors.
  const clock = mock.method(Date, "now", () => 1_700_000_000_000);
  try {
    const seen = new Set<string>();
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const random = new Random(seed);
      const [plain, indexed] = [newEngine(), newEngine()];
      const indexes = new Indexes(databaseOf(indexed));
      const both = async (name: string, args: object): Promise<any> => {
        const expected = await call(plain, name, args);
        assert.equal(text(await call(indexed, name, args)), text(expected), `seed ${seed}`);
        return expected;
      };
      for (let at = 0; at < CALLS; at++) {
      const name = random.of(["change", "change", "change", "fail", "look"]);
        const result = await both(name, { steps: random.steps(0), page: null });
        for (const { threw } of result.outcomes ?? []) seen.add(String(threw).split(/[`"0-9]/)[0]!);
        const kept = databaseOf(plain)._documents;
        assert.deepEqual(databaseOf(indexed)._documents, kept);
        assert.equal(indexes.count("things") + indexes.count("others"), Object.keys(kept).length);
      }
      for (let at = 0; at < 4; at++) {
        const steps = [{ ...random.steps(2)[0]!, do: "page" }];
        const most = random.of([{}, { maximumBytesRead: 300 }, { maximumRowsRead: 2 }]);
        let cursor: string | null = null;
        let ends: (string | null)[] = [null];
        for (let pages = 0; pages < 60; pages++) {
          const page = { cursor, numItems: 1 + random.below(4), ...most };
          const answer = await both("page", { steps, page });
          if (answer.threw !== undefined) break;
          ends.push((cursor = answer.continueCursor));
          if (answer.isDone) break;
        }
        // A page that ends where another one did; also beyond the last, and before it begins.
        const page = { cursor: random.of(ends), endCursor: random.of(ends), numItems: 2 };
        await both("page", { steps, page });
      }
    }
    // The programs came to what they are to compare.
    assert.ok(seen.size > 6, [...seen].join("\n"));
  } finally {
    clock.mock.restore();
  }
});
