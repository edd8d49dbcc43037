import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import schema from "../../convex/schema";
import { ROOT } from "./support";

const MODULES = join(ROOT, "node_modules");

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "export-schema-"));
});
after(() => {
  rmSync(folder, { recursive: true });
});

/** What the exporter says, run as plain JavaScript from a folder that has no packages. */
function exportSchema(convex: string, file = "schema.ts") {
  const script = join(folder, "export_schema.mjs");
  for (const name of ["export_schema.mjs", "bundle.mjs"]) {
    cpSync(join(ROOT, "stages/convex", name), join(folder, name));
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, join(convex, file), convex],
    { encoding: "utf8" },
  );
  return { status, stderr, ...JSON.parse(stdout) };
}

/** A link to a package of this repository, as npm's hoisting, a workspace or pnpm place it. */
function link(name: string, modules: string): void {
  mkdirSync(dirname(join(modules, name)), { recursive: true });
  symlinkSync(join(MODULES, name), join(modules, name));
}

function project(name: string, schemaText: string, packageJson?: object): string {
  const convex = join(folder, name, "convex");
  mkdirSync(convex, { recursive: true });
  writeFileSync(join(convex, "schema.ts"), schemaText);
  writeFileSync(join(convex, "shared.ts"), "export const shared = 1n;");
  if (packageJson) writeFileSync(join(folder, name, "package.json"), JSON.stringify(packageJson));
  link("convex", join(folder, name, "node_modules"));
  return convex;
}

const SCHEMA = `
  import { defineSchema, defineTable } from "convex/server";
  import { v } from "convex/values";
  import { shared } from "./shared";
  console.log("noise");
  export default defineSchema({ things: defineTable({ one: v.literal(shared) }) });`;

test("this project's schema is printed, and nothing else", () => {
  const { status, stderr, exported } = exportSchema(join(ROOT, "convex"));
  assert.deepEqual([status, stderr], [0, ""]);
  assert.deepEqual(exported, JSON.parse((schema as unknown as { export(): string }).export()));
});

test("a project elsewhere, as script or module, in TypeScript or JavaScript", () => {
  for (const [name, packageJson] of [
    ["bare", undefined],
    ["script", { name: "app" }],
    ["module", { name: "app", type: "module" }],
  ] as const) {
    const convex = project(name, SCHEMA, packageJson);
    writeFileSync(join(convex, "schema.js"), SCHEMA);
    for (const file of ["schema.ts", "schema.js"]) {
      const { status, stderr, exported, inputs } = exportSchema(convex, file);
      assert.deepEqual([status, stderr], [0, "noise\n"], name);
      const own = inputs.filter((path: string) => !path.includes("node_modules"));
      assert.deepEqual(own, [join(convex, file), join(convex, "shared.ts")]);
      // An upgrade may export another schema.
      assert.deepEqual(inputs.filter((path: string) => !own.includes(path)), [
        join(MODULES, "convex/package.json"),
      ]);
      const [table] = exported.tables;
      assert.equal(table.tableName, "things");
      assert.deepEqual(table.documentType.value.one.fieldType, {
        type: "literal",
        value: { $integer: "AQAAAAAAAAA=" },
      });
    }
  }
});

/** Stand-ins of the packages convex and esbuild, the latter beside the former or not at all. */
function ownConvex(modules: string, esbuild: boolean): void {
  const own = join(modules, "convex");
  mkdirSync(own, { recursive: true });
  const exports = { "./server": "./server.js", "./values": "./values.js" };
  writeFileSync(join(own, "package.json"), JSON.stringify({ name: "convex", exports }));
  writeFileSync(
    join(own, "server.js"),
    `export const defineTable = (t) => t; export const defineSchema = () => ({ export: () => '"own"' });`,
  );
  writeFileSync(join(own, "values.js"), "export const v = { literal: () => null };");
  if (esbuild) link("esbuild", modules);
}

test("the project's own convex, wherever it is installed, and the esbuild beside it", () => {
  // The nearest one wins.
  const own = project("own", SCHEMA);
  rmSync(join(folder, "own/node_modules"), { recursive: true });
  ownConvex(join(folder, "own/node_modules"), true);
  assert.equal(exportSchema(own).exported, "own");

  // Hoisted to the root of a monorepo.
  const nested = project("mono/packages/backend", SCHEMA);
  rmSync(join(folder, "mono/packages/backend/node_modules"), { recursive: true });
  ownConvex(join(folder, "mono/node_modules"), true);
  assert.equal(exportSchema(nested).exported, "own");

  // pnpm: the project sees a link to convex, and only convex' real folder sees esbuild.
  const strict = project("pnpm", SCHEMA);
  const store = join(folder, "pnpm/node_modules/.pnpm/convex@1/node_modules");
  ownConvex(store, true);
  rmSync(join(folder, "pnpm/node_modules/convex"));
  symlinkSync(join(store, "convex"), join(folder, "pnpm/node_modules/convex"));
  assert.equal(exportSchema(strict).exported, "own");
});

test("a project without convex, and a convex without esbuild, are named", () => {
  const without = project("without", SCHEMA);
  rmSync(join(folder, "without/node_modules"), { recursive: true });
  const none = exportSchema(without);
  assert.deepEqual([none.status, none.problem], [1, "no-convex"]);
  ownConvex(join(folder, "without/node_modules"), false);
  const bare = exportSchema(without);
  assert.deepEqual([bare.status, bare.problem], [1, "no-esbuild"]);
  assert.match(bare.message, /without\/node_modules\/convex has no esbuild/);
});

test("timers, output and failures of the project's own code don't stay in the way", () => {
  const timer = project("timer", `${SCHEMA}\nsetInterval(() => {}, 1000); process.stdout.write("x");`);
  assert.equal(exportSchema(timer).status, 0);
  const late = project("late", `process.nextTick(() => { throw new Error("late"); });\n${SCHEMA}`);
  assert.equal(exportSchema(late).exported.tables.length, 1);
});

test("what can't be loaded has a place and a message", () => {
  const bad: [string, string, RegExp][] = [
    ["throws", `throw new Error("first\\nsecond");`, /^first\nsecond$/],
    ["syntax", "export default (;", /Unexpected/],
    ["import", `import "./nowhere"; export default {};`, /nowhere/],
    ["package", `import "nopackage"; export default {};`, /nopackage/],
  ];
  for (const [name, text, words] of bad) {
    const convex = project(name, text);
    const { status, problem, place, message } = exportSchema(convex);
    assert.deepEqual([status, problem, place], [1, name === "package" ? "no-package" : "module", { file: `${convex}/schema.ts`, line: 1 }], name);
    assert.match(message, words);
  }
  const none = exportSchema(project("none", "export const a = 1;"));
  assert.deepEqual([none.status, none.place], [1, null]);
  assert.match(none.message, /^its default export is not a schema/);
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
  const { status, exported } = exportSchema(convex);
  assert.equal(status, 0);
  const fields = exported.tables[0].documentType.value;
  assert.deepEqual(fields.of.fieldType, { type: "id", tableName: "people" });

  for (const [text, words] of [
    ["export const person = { of: v.idd('people') };", /idd is not a function/],
    ["export const person = {;", /Expected identifier/],
  ] as const) {
    writeFileSync(helper, [...lines.slice(0, 2), text].join("\n"));
    const failed = exportSchema(convex);
    assert.deepEqual(failed.place, { file: join(folder, "aliased/src/person.ts"), line: 3 });
    assert.match(failed.message, words);
  }
});
