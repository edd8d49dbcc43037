/**
 * Which values Convex' own validation takes: stdin has [{validator, values}] as exported validators
 * and encoded JSON, stdout a list of booleans for each. Run by tests/convex/test_validators.py.
 */
import { readFileSync } from "node:fs";
import { convexTest } from "convex-test";
import { defineSchema, defineTable } from "convex/server";
import { jsonToConvex, v, type GenericValidator, type JSONValue } from "convex/values";

type Json = { type: string; [key: string]: any };
type Case = { validator: Json; values: JSONValue[] };

function built(json: Json): GenericValidator {
  switch (json.type) {
    case "id":
      return v.id(json.tableName);
    case "literal":
      return v.literal(jsonToConvex(json.value) as string);
    case "array":
      return v.array(built(json.value) as never);
    case "record":
      return v.record(built(json.keys) as never, built(json.values.fieldType) as never);
    case "object":
      return v.object(
        Object.fromEntries(
          Object.entries(json.value as Record<string, { fieldType: Json; optional: boolean }>).map(
            ([name, field]) => {
              const inner = built(field.fieldType) as never;
              return [name, field.optional ? v.optional(inner) : inner];
            },
          ),
        ),
      );
    case "union":
      return v.union(...json.value.map(built));
    case "number":
      return v.number();
    case "bigint":
      return v.int64();
    default:
      return (v as unknown as Record<string, () => GenericValidator>)[json.type]!();
  }
}

const cases: Case[] = JSON.parse(readFileSync(0, "utf8"));
const schema = defineSchema(
  Object.fromEntries(
    cases.map(({ validator }, n) => [`t${n}`, defineTable({ value: built(validator) as never })]),
  ),
);
const t = convexTest({ schema, modules: { "./convex/_generated/api.js": async () => ({}) } });
const taken = await t.run(async (ctx) => {
  const verdicts: boolean[][] = [];
  for (const [n, { values }] of cases.entries()) {
    const row: boolean[] = [];
    for (const value of values) {
      try {
        await ctx.db.insert(`t${n}`, { value: jsonToConvex(value) } as never);
        row.push(true);
      } catch {
        row.push(false);
      }
    }
    verdicts.push(row);
  }
  return verdicts;
});
console.log(JSON.stringify(taken));
