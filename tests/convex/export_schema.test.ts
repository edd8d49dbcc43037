import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import schema from "../../convex/schema";
import { ROOT } from "./support";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "export-schema-"));
});
after(() => {
  rmSync(folder, { recursive: true });
});

function exportSchema(convex: string): { status: number | null; stdout: string; stderr: string } {
  const script = join(ROOT, "stages/convex/export_schema.ts");
  return spawnSync(process.execPath, ["--import", "tsx", script, convex], {
    cwd: ROOT,
    encoding: "utf8",
  });
}

function project(name: string, schemaText: string, packageJson?: object): string {
  const convex = join(folder, name, "convex");
  mkdirSync(convex, { recursive: true });
  writeFileSync(join(convex, "schema.ts"), schemaText);
  writeFileSync(join(convex, "shared.ts"), "export const shared = 1n;");
  if (packageJson) writeFileSync(join(folder, name, "package.json"), JSON.stringify(packageJson));
  return convex;
}

const SCHEMA = `
  import { defineSchema, defineTable } from "convex/server";
  import { v } from "convex/values";
  import { shared } from "./shared";
  console.log("noise");
  export default defineSchema({ things: defineTable({ one: v.literal(shared) }) });`;

test("this project's schema is printed, and nothing else", () => {
  const { status, stdout, stderr } = exportSchema(join(ROOT, "convex"));
  assert.deepEqual([status, stderr], [0, ""]);
  assert.deepEqual(stdout, `${(schema as unknown as { export(): string }).export()}\n`);
});

test("a project elsewhere without packages, as script or module", () => {
  for (const [name, packageJson] of [
    ["bare", undefined],
    ["script", { name: "app" }],
    ["module", { name: "app", type: "module" }],
  ] as const) {
    const { status, stdout } = exportSchema(project(name, SCHEMA, packageJson));
    assert.equal(status, 0, name);
    const [table] = JSON.parse(stdout).tables;
    assert.equal(table.tableName, "things");
    assert.deepEqual(table.documentType.value.one.fieldType, {
      type: "literal",
      value: { $integer: "AQAAAAAAAAA=" },
    });
  }
});

test("a project's own convex package comes first", () => {
  for (const type of ["commonjs", "module"]) {
    const convex = project(`own-${type}`, SCHEMA, { type });
    const modules = join(folder, `own-${type}`, "node_modules");
    const own = join(modules, "convex");
    mkdirSync(own, { recursive: true });
    const exports = { "./server": "./server.mjs", "./values": "./values.mjs" };
    if (type === "commonjs") {
      exports["./server"] = "./server.cjs";
      exports["./values"] = "./values.cjs";
    }
    writeFileSync(join(own, "package.json"), JSON.stringify({ name: "convex", exports }));
    writeFileSync(
      join(own, "server.mjs"),
      `export const defineTable = (t) => t; export const defineSchema = () => ({ export: () => "own" });`,
    );
    writeFileSync(join(own, "values.mjs"), "export const v = { literal: () => null };");
    writeFileSync(
      join(own, "server.cjs"),
      `exports.defineTable = (t) => t; exports.defineSchema = () => ({ export: () => "own" });`,
    );
    writeFileSync(join(own, "values.cjs"), "exports.v = { literal: () => null };");
    assert.equal(exportSchema(convex).stdout, "own\n", type);
  }
});

test("what can't be loaded is one line and exit 1", () => {
  const bad: [string, string, RegExp][] = [
    ["throws", `throw new Error("first\\nsecond");`, /first second$/],
    ["syntax", "export default (;", /Unexpected/],
    ["import", `import "./nowhere"; export default {};`, /nowhere/],
    ["package", `import "nopackage"; export default {};`, /nopackage/],
  ];
  for (const [name, text, words] of bad) {
    const { status, stdout, stderr } = exportSchema(project(name, text));
    assert.deepEqual([status, stdout], [1, ""], name);
    assert.match(stderr, /^can't load .*schema\.ts, line \d+: .*\n$/);
    assert.match(stderr.trimEnd(), words);
  }
  const none = exportSchema(project("none", "export const a = 1;"));
  assert.match(none.stderr, /^can't load .*schema\.ts: its default export is not a schema/);
  const { status, stderr } = exportSchema(join(folder, "nothing"));
  assert.equal(status, 1);
  assert.match(stderr, /^can't load .*\n$/);
});

test("path aliases, helpers outside of convex/, and where in them an error is", () => {
  const convex = project(
    "aliased",
    `import { defineSchema, defineTable } from "convex/server";
     import { person } from "@shared/person";
     export default defineSchema({ people: defineTable(person) });`,
  );
  writeFileSync(
    join(convex, "tsconfig.json"),
    `{ "compilerOptions": { "paths": { "@shared/*": ["../src/*"] } } }`,
  );
  mkdirSync(join(convex, "../src"));
  const helper = join(convex, "../src/person.ts");
  const lines = [`import { v } from "convex/values";`, "", "export const person = { of: v.id('people') };"];
  writeFileSync(helper, lines.join("\n"));
  const { status, stdout } = exportSchema(convex);
  assert.equal(status, 0);
  const fields = JSON.parse(stdout).tables[0].documentType.value;
  assert.deepEqual(fields.of.fieldType, { type: "id", tableName: "people" });

  for (const [text, words] of [
    ["export const person = { of: v.idd('people') };", /idd is not a function/],
    ["export const person = {;", /Expected identifier/],
  ] as const) {
    writeFileSync(helper, [...lines.slice(0, 2), text].join("\n"));
    const failed = exportSchema(convex);
    assert.match(failed.stderr, /^can't load .*src\/person\.ts, line 3: /);
    assert.match(failed.stderr, words);
  }
});
