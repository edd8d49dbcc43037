/**
 * The sandbox's deployment over real HTTP. The shapes, codes and limits are those of a deployment's
 * Functions API (POST /api/query, /api/mutation, /api/function, /api/run) and of its site.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import schema from "../../convex/schema";
import { Host, ROOT, article } from "./support";

const SECRET = "0123456789abcdef0123456789abcdef";
const PUBLIC_FUNCTION =
  /^\[Request ID: [0-9a-f]{16}\] Server Error\nCould not find public function for '/;

let host: Host;
let workspace: string;

before(async () => {
  host = await Host.start({
    env: { MIGRATION_SECRET: SECRET },
    seed: [
      {
        table: "workspaces",
        key: "w:1",
        document: { name: "Acme", slug: "acme", owner_id: "u", created_at: 1, updated_at: 2.5 },
      },
      {
        table: "contacts",
        key: "c",
        document: {
          supabaseId: "ref:",
          workspace_id: "ref:workspaces:w:1",
          phone: "+46",
          lead_score: { $float: "AAAAAAAAAIA=" },
          lead_status: "new",
          created_at: 1,
          updated_at: 2,
        },
      },
    ],
  });
  workspace = (await page("workspaces"))[0]!._id as string;
});
after(async () => {
  assert.equal(await host.stop(), 0);
});

async function page(table: string, format = "convex_encoded_json"): Promise<any[]> {
  const args = { table, cursor: null, numItems: 1000 };
  const { json } = await host.post("/api/query", { path: "migrate:readPage", args, format });
  assert.equal(json.status, "success", JSON.stringify(json));
  return json.value.page;
}

function insert(records: { sourceId: string; document: object }[], key?: string | null) {
  return host.post(
    "/api/mutation",
    {
      path: "migrate:bulkInsertArticles",
      args: { records: records.map((record) => ({ digest: "d", ...record })) },
    },
    key === undefined ? {} : { key },
  );
}

const anArticle = (fields: object = {}) => ({ ...article(workspace as never), ...fields });

test("the seed is there, and its references are ids", async () => {
  const [contact] = await page("contacts");
  assert.equal(contact.workspace_id, workspace);
  assert.equal(contact.supabaseId, "ref:");
  assert.deepEqual(contact.lead_score, { $float: "AAAAAAAAAIA=" });
});

test("formats: clean is the default and loses types, encoded keeps them", async () => {
  const body = { path: "migrate:readPage", args: { table: "contacts", cursor: null, numItems: 1 } };
  const plain = await host.post("/api/query", body);
  assert.match(plain.text, /^\{"status":"success","value":\{/);
  // A float64 has a dot, as the backend writes it.
  assert.match(plain.text, /"lead_score":-0\.0,.*"updated_at":2\.0/);
  const encoded = await host.post("/api/query", { ...body, format: "convex_encoded_json" });
  assert.match(encoded.text, /"lead_score":\{"\$float":"AAAAAAAAAIA="\}/);
});

test("arguments are the object or an array with it", async () => {
  const args = { table: "articles", cursor: null, numItems: 1 };
  for (const form of [args, [args]]) {
    const { json } = await host.post("/api/query", { path: "migrate:readPage", args: form });
    assert.equal(json.status, "success");
  }
  const two = await host.post("/api/query", { path: "migrate:readPage", args: [args, args] });
  assert.match(two.json.errorMessage, /Server Error\nInvalid arguments/);
});

test("paths: with extension, and through /api/function and /api/run", async () => {
  const args = { table: "articles", cursor: null, numItems: 1 };
  const bodies: [string, object][] = [
    ["/api/query", { path: "migrate.js:readPage", args }],
    ["/api/function", { path: "migrate:readPage", args }],
    ["/api/run/migrate/readPage", { args }],
  ];
  for (const [path, body] of bodies) {
    const { status, json } = await host.post(path, body);
    assert.deepEqual([status, json.status], [200, "success"], path);
  }
  assert.equal((await host.post("/api/run/migrate", { args })).json.code, "MissingIdentifier");
});

test("internal functions answer to the key only", async () => {
  const visitor = await insert([{ sourceId: "v", document: anArticle() }], null);
  assert.equal(visitor.status, 200);
  assert.equal(visitor.json.status, "error");
  assert.match(visitor.json.errorMessage, PUBLIC_FUNCTION);
  const missing = await host.post("/api/query", { path: "migrate:nope", args: {} });
  assert.match(missing.json.errorMessage, PUBLIC_FUNCTION);
  assert.ok(!(await page("migrationLedger")).some(({ sourceId }) => sourceId === "v"));

  const wrong = await insert([], `${Host.KEY}0`);
  assert.deepEqual([wrong.status, wrong.json.code], [401, "BadAdminKey"]);
  const typed = await insert([], `dev:${Host.KEY}`);
  assert.equal(typed.json.status, "success");
  const any = await host.post("/api/function", { path: "migrate:epoch", args: {} }, { key: null });
  assert.deepEqual([any.status, any.json.code], [403, "BadDeployKey"]);
});

test("requests that are none are 400", async () => {
  const call = { path: "migrate:epoch", args: {} };
  const bad: [string, object | undefined][] = [
    [JSON.stringify(call), { type: "text/plain" }],
    ["{", {}],
    ["[]", {}],
    ['{"path": "migrate:epoch"}', {}],
    ['{"args": {}}', {}],
    ['{"path": "migrate:epoch", "args": {"claim": "\\ud800"}}', {}],
  ];
  for (const [body, options] of bad) {
    const { status, json } = await host.post("/api/mutation", body, options);
    assert.deepEqual([status, json.code], [400, "BadJsonBody"], body);
    assert.equal(typeof json.message, "string");
  }
  const pair = await host.post("/api/mutation", '{"path":"x:y","args":{"a":"\\ud83c\\udf93"}}');
  assert.equal(pair.status, 200);
});

test("a body above 16 MiB and a little is 400 too", async () => {
  const padding = "x".repeat(16 * 1024 * 1024);
  const just = await host.post("/api/mutation", { path: "x:y", args: { padding } });
  assert.equal(just.status, 200);
  const over = await host.post("/api/mutation", { path: "x:y", args: { a: padding + padding } });
  assert.deepEqual([over.status, over.json.code], [400, "BadJsonBody"]);
  assert.equal((await insert([])).json.status, "success");
});

test("an unknown format is noticed after the mutation has committed", async () => {
  const { status, json } = await host.post("/api/mutation", {
    path: "migrate:bulkInsertArticles",
    args: { records: [{ sourceId: "format", digest: "d", document: anArticle() }] },
    format: "yaml",
  });
  assert.deepEqual([status, json.code], [400, "BadFormat"]);
  assert.ok((await page("migrationLedger")).some(({ sourceId }) => sourceId === "format"));
});

test("function failures are 200 with status error", async () => {
  const invalid = await insert([{ sourceId: "i", document: anArticle({ status: null }) }]);
  assert.equal(invalid.status, 200);
  assert.match(invalid.json.errorMessage, /Server Error\nArgumentValidationError: /);
  assert.ok(!("errorData" in invalid.json));

  const twice = { sourceId: "t", document: anArticle() };
  const thrown = await insert([twice, twice]);
  assert.match(thrown.json.errorMessage, /Server Error\nUncaught ConvexError: /);
  assert.equal(thrown.json.errorData.code, "DuplicateSourceId");

  const kind = await host.post("/api/query", { path: "migrate:epoch", args: {} });
  assert.match(kind.json.errorMessage, /as Query, but it is defined as Mutation/);
  assert.ok(!(await page("articles")).some(({ status }) => status === null));
});

test("rules of the backend that the engine lacks", async () => {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  const destination = (requirements: unknown) =>
    host.post("/api/mutation", {
      path: "migrate:bulkInsertAriDestinations",
      args: {
        records: [
          {
            sourceId: "rule",
            digest: "d",
            document: {
              workspace_id: workspace,
              country: "SE",
              university_name: "KTH",
              is_promoted: true,
              priority: 1,
              requirements,
              created_at: 1,
              updated_at: 1,
            },
          },
        ],
      },
    });
  const wide = Object.fromEntries(Array.from({ length: 1025 }, (_, at) => [`f${at}`, 0]));
  const broken: [unknown, RegExp][] = [
    ["x".repeat(1024 * 1024), /Value is too large \(1 MiB > maximum size 1 MiB\)/],
    [
      Array.from({ length: 8193 }, () => 0),
      /Array length is too long \(8193 > maximum length 8192\)/,
    ],
    [deep(16), /Document is too nested \(nested 17 levels deep > maximum nesting 16\)/],
    [wide, /Object has too many fields \(1025 > maximum number 1024\)/],
    [{ $type: 1, other: 2 }, /Field name \$type starts with a '\$'/],
    [{ nyckelø: 1 }, /non-control ASCII/],
  ];
  for (const [requirements, words] of broken) {
    const { status, json } = await destination(requirements);
    assert.deepEqual([status, json.status], [200, "error"], String(words));
    assert.match(json.errorMessage, words);
  }
  assert.deepEqual(await page("ariDestinations"), []);
  assert.equal((await destination(deep(15))).json.value.inserted, 1);
});

test("the system's functions, for the key only", async () => {
  const system = async (path: string, args: object = {}) =>
    (await host.post("/api/query", { path, args, format: "convex_encoded_json" })).json.value;

  const schemas = await system("_system/frontend/getSchemas", { componentId: null });
  const exported = (schema as unknown as { export(): string }).export();
  assert.deepEqual(schemas, { active: exported });

  const mapping = await system("_system/frontend/getTableMapping", { componentId: null });
  const names = Object.keys(schema.tables).sort();
  assert.deepEqual(
    mapping,
    Object.fromEntries(names.map((name, at) => [String(10001 + at), name])),
  );

  const paginationOpts = { numItems: 100, cursor: null };
  const tables = await system("_system/cli/tables", { paginationOpts });
  assert.deepEqual(
    tables.page.map(({ name }: { name: string }) => name),
    names,
  );
  const data = await system("_system/cli/tableData", {
    table: "workspaces",
    order: "asc",
    paginationOpts,
  });
  assert.deepEqual([data.page.length, data.isDone, data.page[0]._id], [1, true, workspace]);

  const variable = (name: string) => system("_system/cli/queryEnvironmentVariables:get", { name });
  assert.deepEqual(Object.keys((await variable("MIGRATION_SECRET")) as object), ["name", "value"]);
  assert.equal(await variable("NO_SUCH_VARIABLE"), null);

  const spec = (await system("_system/cli/modules:apiSpec")) as any[];
  const one = spec.find(({ identifier }) => identifier === "migrate.js:bulkInsertArticles");
  assert.deepEqual([one.functionType, one.visibility], ["Mutation", { kind: "internal" }]);
  assert.equal(one.args.value.records.fieldType.type, "array");
  assert.equal(one.returns.value.inserted.fieldType.type, "number");
  assert.deepEqual(spec.at(-1), { functionType: "HttpAction", method: "POST", path: "/migrate" });
  assert.equal(spec.length, 20);

  const visitor = await host.post(
    "/api/query",
    { path: "_system/cli/tables", args: {} },
    { key: null },
  );
  assert.match(visitor.json.errorMessage, /Unauthorized/);
});

test("version, instance name, and what is not there", async () => {
  const text = async (path: string) => await (await fetch(host.url + path)).text();
  assert.equal(await text("/instance_name"), "sandbox-test");
  assert.ok((await text("/version")).length > 0);
  assert.equal((await fetch(`${host.url}/api/nope`)).status, 404);
  assert.equal((await fetch(`${host.url}/api/mutation`)).status, 405);
});

test("the site serves the project's HTTP actions", async () => {
  const migrate = (authorization: string) =>
    fetch(`${host.siteUrl}/migrate`, {
      method: "POST",
      headers: { Authorization: authorization },
      body: JSON.stringify({ function: "epoch", args: { claim: "site" } }),
    });
  assert.equal((await migrate("Bearer wrong")).status, 401);
  const answer = await migrate(`Bearer ${SECRET}`);
  assert.equal(answer.status, 200);
  const { status, value } = (await answer.json()) as {
    status: string;
    value: { epoch: string; tables: Record<string, boolean> };
  };
  assert.equal(status, "success");
  assert.deepEqual(Object.keys(value).sort(), ["epoch", "tables"]);
  assert.equal(value.epoch, "site");
  // Of the plan's tables, those that are loaded; the others are only referred to.
  assert.equal(value.tables.articles, true);
  assert.equal(value.tables.workspaces, false);
  assert.equal((await fetch(`${host.siteUrl}/nope`)).status, 404);
});

test("calls at the same time all arrive", async () => {
  const batches = Array.from({ length: 8 }, (_, batch) =>
    insert(
      Array.from({ length: 5 }, (_, at) => ({
        sourceId: `many-${batch}-${at}`,
        document: anArticle(),
      })),
    ),
  );
  for (const { json } of await Promise.all(batches)) assert.equal(json.value.inserted, 5);
});

/** A project elsewhere, whose packages are those of this repository. */
function project(files: Record<string, string>): { folder: string; convex: string } {
  const folder = mkdtempSync(join(tmpdir(), "convex-project-"));
  const convex = join(folder, "convex");
  mkdirSync(convex);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(convex, name), text);
  return { folder, convex };
}

test("another project: public functions, a failing HTTP action, its variables only", async () => {
  const { folder, convex } = project({
    "schema.ts": `
      import { defineSchema, defineTable } from "convex/server";
      import { v } from "convex/values";
      export default defineSchema({ notes: defineTable({ n: v.int64(), b: v.bytes() }) });`,
    "notes.ts": `
      import { mutationGeneric, queryGeneric, actionGeneric } from "convex/server";
      import { v } from "convex/values";
      export const add = mutationGeneric({
        args: { n: v.int64(), b: v.bytes() },
        handler: async (ctx, args) => { await ctx.db.insert("notes", args); return args.n + 1n; },
      });
      export const stray = mutationGeneric(async (ctx) => { await ctx.db.insert("nope", {}); });
      export const bad = mutationGeneric(async (ctx) => { await ctx.db.insert("notes", { n: 1 }); });
      export default queryGeneric(async (ctx) => await ctx.db.query("notes").first());
      export const variables = actionGeneric(async () => [process.env.MINE, process.env.USER ?? null]);`,
    "http.ts": `
      import { httpRouter, httpActionGeneric } from "convex/server";
      const http = httpRouter();
      http.route({ path: "/boom", method: "GET", handler: httpActionGeneric(async () => {
        throw new Error("boom");
      }) });
      export default http;`,
    "notes.test.ts": `throw new Error("a test is no module");`,
  });
  const other = await Host.start({ convex, env: { MINE: "yes" } });
  try {
    const visitor = { key: null };
    const args = { n: { $integer: "AQAAAAAAAAA=" }, b: { $bytes: "ABCD" } };
    const added = await other.post("/api/mutation", { path: "notes:add", args }, visitor);
    assert.deepEqual(added.json, { status: "success", value: "2" });
    const clean = await other.post("/api/query", { path: "notes", args: {} }, visitor);
    assert.deepEqual([clean.json.value.n, clean.json.value.b], ["1", "ABCD"]);
    const format = "convex_encoded_json";
    const encoded = await other.post("/api/query", { path: "notes", args: {}, format }, visitor);
    assert.deepEqual([encoded.json.value.n, encoded.json.value.b], [args.n, args.b]);

    const stray = await other.post("/api/mutation", { path: "notes:stray", args: {} });
    assert.match(stray.json.errorMessage, /Table "nope" is not in the schema/);
    const bad = await other.post("/api/mutation", { path: "notes:bad", args: {} });
    assert.match(bad.json.errorMessage, /does not match the schema/);
    const variables = await other.post("/api/action", { path: "notes:variables", args: {} });
    assert.deepEqual(variables.json.value, ["yes", null]);

    const boom = await fetch(`${other.siteUrl}/boom`);
    assert.equal(boom.status, 500);
    const json = (await boom.json()) as { code: string; trace: string };
    assert.match(json.code, /^\[Request ID: .*\] Server Error: Uncaught boom$/);
    assert.equal(typeof json.trace, "string");
  } finally {
    assert.equal(await other.stop(), 0);
    rmSync(folder, { recursive: true });
  }
});

test("a host that can't start says why and ends", async () => {
  const { folder, convex } = project({ "stages.ts": `throw new Error("at load");` });
  try {
    await assert.rejects(Host.start({ convex }), /ended with 1: .*unloadable module: .*at load/);
    const seed = [{ table: "workspaces", key: "1", document: { name: "ref:a:b" } }];
    await assert.rejects(Host.start({ seed }), /refers to no earlier line/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
