import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { LOADERS, article, everything, newEngine, newWorkspace, type Engine } from "./support";

const SECRET = "0123456789abcdef0123456789abcdef";

beforeEach(() => {
  process.env.MIGRATION_SECRET = SECRET;
});
afterEach(() => {
  delete process.env.MIGRATION_SECRET;
});

async function post(
  t: Engine,
  body: unknown,
  authorization: string | null = `Bearer ${SECRET}`,
): Promise<{ status: number; json: any }> {
  const response = await t.fetch("/migrate", {
    method: "POST",
    headers: authorization === null ? {} : { Authorization: authorization },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}

const EPOCH = { function: "epoch", args: { claim: "mine" } };

test("the channel is closed while the secret is unset or short", async () => {
  const t = newEngine();
  for (const secret of [undefined, "", SECRET.slice(1)]) {
    if (secret === undefined) delete process.env.MIGRATION_SECRET;
    else process.env.MIGRATION_SECRET = secret;
    const { status, json } = await post(t, EPOCH, `Bearer ${secret ?? ""}`);
    assert.deepEqual([status, json.code], [401, "Unauthorized"]);
    assert.match(json.message, /MIGRATION_SECRET/);
  }
  assert.deepEqual(await everything(t, "migrationLedger"), []);
});

test("it opens to the secret only, and does not show others whether one is set", async () => {
  const t = newEngine();
  const wrong = [
    null,
    "",
    SECRET,
    `Basic ${SECRET}`,
    "Bearer",
    `Bearer ${SECRET}0`,
    `Bearer ${SECRET.slice(1)}`,
    `Bearer ${SECRET.toUpperCase()}`,
  ];
  const answers = new Set<string>();
  for (const secret of [SECRET, "short", undefined]) {
    if (secret === undefined) delete process.env.MIGRATION_SECRET;
    else process.env.MIGRATION_SECRET = secret;
    for (const header of wrong) answers.add(JSON.stringify(await post(t, EPOCH, header)));
  }
  assert.equal(answers.size, 1);
  const [answer] = answers;
  assert.match(answer!, /"status":401.*"code":"Unauthorized"/);
  assert.ok(!answer!.includes(SECRET));
  assert.deepEqual(await everything(t, "migrationLedger"), []);
  process.env.MIGRATION_SECRET = SECRET;
  assert.equal((await post(t, EPOCH, `bearer ${SECRET}`)).status, 200);
});

test("what can't be called is 400 with a reason", async () => {
  const t = newEngine();
  const bad: [unknown, string, RegExp][] = [
    ["{", "BadJsonBody", /not JSON/],
    ["", "BadJsonBody", /not JSON/],
    ["[]", "BadCall", /body/],
    ["null", "BadCall", /body/],
    [{}, "BadCall", /"function"/],
    [{ function: 1 }, "BadCall", /"function"/],
    [{ function: "epoch", args: [] }, "BadCall", /"args"/],
    [{ function: "epoch", args: { $integer: "AQAAAAAAAAA=" } }, "BadCall", /"args"/],
    [{ function: "epoch", args: { claim: { $integer: "AQ==" } } }, "BadArguments", /8/],
    [{ function: "epoch", args: { $x: 1, y: 2 } }, "BadArguments", /\$x/],
    [{ function: "nope" }, "UnknownFunction", /bulkInsertArticles/],
    [{ function: "toString" }, "UnknownFunction", /toString/],
    [{ function: "ledger:lookUp" }, "UnknownFunction", /ledger:lookUp/],
    [{ function: "migrate:migrate:epoch" }, "UnknownFunction", /migrate:epoch/],
  ];
  for (const [body, code, words] of bad) {
    const { status, json } = await post(t, body);
    assert.deepEqual([status, json.code], [400, code], JSON.stringify(body));
    assert.match(json.message, words);
  }
});

test("every function of migrate.ts can be called, by both forms of its name", async () => {
  const t = newEngine();
  const calls: Record<string, object> = {
    readPage: { table: "articles", cursor: null, numItems: 10 },
    findMissing: { table: "articles", documentIds: [] },
    epoch: {},
    adopt: { table: "articles", records: [] },
    remove: { table: "articles", records: [] },
    readDocuments: { table: "articles", ids: [] },
    clearLedger: { numItems: 1 },
  };
  for (const name of Object.keys(LOADERS)) calls[name] = { records: [] };
  for (const [name, args] of Object.entries(calls)) {
    for (const path of [name, `migrate:${name}`]) {
      const { status, json } = await post(t, { function: path, args });
      assert.deepEqual([status, json.status], [200, "success"], path);
    }
  }
  const { json } = await post(t, { function: "?" });
  assert.deepEqual(json.message.split(": ")[1].split(", "), Object.keys(calls).sort());
});

test("arguments and results are in the lossless encoding", async () => {
  const t = newEngine();
  const workspace = await newWorkspace(t);
  const document = { ...article(workspace), published_at: { $float: "AAAAAAAA8H8=" } };
  const sent = await post(t, {
    function: "bulkInsertArticles",
    args: { records: [{ sourceId: "1", digest: "d", document }] },
  });
  assert.equal(sent.json.value.inserted, 1);
  assert.equal((await everything(t, "articles"))[0]!.published_at, Infinity);
  const read = await post(t, {
    function: "readPage",
    args: { table: "articles", cursor: null, numItems: 1 },
  });
  assert.deepEqual(read.json.value.page[0].published_at, { $float: "AAAAAAAA8H8=" });
  assert.equal(read.json.value.page[0].title, document.title);
});

test("a function that fails is an answer with status error", async () => {
  const t = newEngine();
  const invalid = await post(t, { function: "epoch", args: { claim: 1 } });
  assert.deepEqual([invalid.status, invalid.json.status], [200, "error"]);
  assert.match(invalid.json.errorMessage, /Expected `string`/);
  assert.ok(!("errorData" in invalid.json));

  const unknown = await post(t, {
    function: "readPage",
    args: { table: "nope", cursor: null, numItems: 1 },
  });
  assert.deepEqual([unknown.status, unknown.json.status], [200, "error"]);
  assert.equal(unknown.json.errorData.code, "UnknownTable");
});

test("other methods and paths are not routed", async () => {
  const t = newEngine();
  assert.equal((await t.fetch("/migrate", { method: "GET" })).status, 404);
  assert.equal((await t.fetch("/other", { method: "POST" })).status, 404);
});
