/** The stand-in for Convex' import: what it refuses, and that nothing stays of what it refused. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { strToU8, zipSync } from "fflate";
import { numberOfId } from "../../stages/sandbox/host/ids.ts";
import { TableNumbers } from "../../stages/sandbox/host/table_numbers.ts";
import schema from "../../convex/schema";
import { Host, idOf } from "./support";

// Of the tests of the backend itself; and two that an encoder of our own has made.
const IDS: [number, string][] = [
  [1017, "z43zp6c3e75gkmz1kfwj6mbbx5sw281h"],
  [10001, "j571sbvz5zj1ps44j9f433pf1n6s7egs"],
  [1, "074wwt1x3qmwz35bvscy44eq2yngrt8"],
  [16384, "g2002001081g81860w40j2gb1g6gw3vs74"],
  [4294967295, "zzzzzzrf000g40r40m30e209185gr38e1y1nj"],
];
const NO_IDS = [
  "sssswsgggggggggsgcsssfafffsffks",
  "mz1xn7tymdnktmmzqy5xxhn7tjs2nkkfmtjjr",
  "j571sbvz5zj1ps44j9f433pf1n6s7egt",
  "000000000000000000000010001users",
];
// The first table by name has the number 10001.
const TABLE = "ariAiComparison";
const [, ID] = IDS[1]!;

let host: Host;

before(async () => {
  host = await Host.start();
});
after(async () => {
  assert.equal(await host.stop(), 0);
});
beforeEach(async () => assert.deepEqual(await documents(), []));

async function documents(): Promise<any[]> {
  const args = { table: TABLE, cursor: null, numItems: 100 };
  return (await host.post("/api/query", { path: "migrate:readPage", args })).json.value.page;
}

function zip(...lines: string[]): Uint8Array {
  return zipSync({
    [`${TABLE}/generated_schema.jsonl`]: strToU8('"uniform"\n'),
    [`${TABLE}/documents.jsonl`]: strToU8(lines.map((line) => `${line}\n`).join("")),
  });
}

/** Sends a file, confirms, and returns the state in which the import ends. */
async function imported(file: Uint8Array, into: Host = host): Promise<any> {
  const { uploadToken } = (await into.post("/api/import/start_upload", "")).json;
  const part = await fetch(
    `${into.url}/api/import/upload_part?uploadToken=${encodeURIComponent(uploadToken)}&partNumber=1`,
    { method: "POST", body: file, headers: { Authorization: `Convex ${Host.KEY}` } },
  );
  const about = { tableName: null, componentPath: null, mode: "requireEmpty", format: "zip" };
  const { importId } = (
    await into.post("/api/import/finish_upload", {
      import: about, uploadToken, partTokens: [await part.json()],
    })
  ).json; // prettier-ignore
  for (;;) {
    const path = "_system/cli/queryImport";
    const { state } = (await into.post("/api/query", { path, args: { importId } })).json.value;
    if (["completed", "failed"].includes(state.state)) return state;
    if (state.state === "waiting_for_confirmation") {
      await fetch(`${into.url}/api/perform_import`, {
        method: "POST",
        body: JSON.stringify({ importId }),
        headers: { Authorization: `Convex ${Host.KEY}` },
      });
    }
    await sleep(5);
  }
}

test("table numbers of ids, and what is no id", () => {
  for (const [number, id] of IDS) assert.equal(numberOfId(id), number);
  for (const text of NO_IDS) assert.equal(numberOfId(text), undefined);
});

test("only the admin key may import and export", async () => {
  for (const path of ["/api/import/start_upload", "/api/export/request/zip"]) {
    const { status, json } = await host.post(path, "", { key: null });
    assert.deepEqual([status, json.code], [403, "BadDeployKey"]);
  }
});

test("what an import is refused for leaves nothing behind", async () => {
  const cases: [Uint8Array, RegExp][] = [
    [strToU8("not a ZIP"), /InvalidZip/],
    [zip("[1.0]"), /line 1 is not an object/],
    [zip('{"_id":"nothing"}'), /ImportConflict: nothing is not an id of ariAiComparison/],
    [zip(`{"_id":"${IDS[0]![1]}"}`), /ImportConflict/],
    [zip(`{"_id":"${ID}"}`, `{"_id":"${ID}"}`), /DuplicateId/],
    [zip(`{"_id":"${ID}","_creationTime":0.0}`), /InvalidCreationTimeError/],
    // Without a dot it is an int64.
    [zip(`{"_id":"${ID}","_creationTime":1700000000000}`), /InvalidCreationTimeError/],
    [zip(`{"_id":"${ID}","_creationTime":1.0}`), /does not match the schema/],
    [zip(`{"_id":"${ID}","x":{"$other":"AA=="}}`), /line 1/],
    [zipSync({ "nothere/documents.jsonl": strToU8("") }), /no table nothere/],
  ];
  for (const [file, words] of cases) {
    const state = await imported(file);
    assert.equal(state.state, "failed");
    assert.match(state.error_message, words);
    assert.deepEqual(await documents(), []);
  }
});

test("a part that is too small may only be the last", async () => {
  const { uploadToken } = (await host.post("/api/import/start_upload", "")).json;
  const path = `/api/import/upload_part?uploadToken=${encodeURIComponent(uploadToken)}`;
  assert.equal((await host.post(`${path}&partNumber=1`, "small")).status, 200);
  assert.equal((await host.post(`${path}&partNumber=2`, "more")).status, 400);
});

test("imported ids and creation times outlive a kill", async () => {
  const folder = mkdtempSync(join(tmpdir(), "import-"));
  const documents = join(folder, "documents.jsonl");
  // Of a number of this deployment: the tables are numbered by name, from 10001.
  const numbers = new TableNumbers();
  numbers.add(Object.keys(schema.tables));
  const id = (table: string, last: number) => idOf(numbers.of(table), last);
  const times = '"created_at":1.0,"updated_at":2.0';
  const [acme, org] = [id("workspaces", 1), id("organizations", 2)];
  const file = zipSync(
    Object.fromEntries(
      Object.entries({
        workspaces: `{"_id":"${acme}","_creationTime":1234.5,"name":"","slug":"","owner_id":"",${times}}`,
        organizations: `{"_id":"${org}","clerk_org_id":"","workspace_id":"${acme}","name":"","slug":"",${times}}`,
      }).flatMap(([table, line]) => [
        [`${table}/generated_schema.jsonl`, strToU8('"uniform"\n')],
        [`${table}/documents.jsonl`, strToU8(`${line}\n`)],
      ]),
    ),
  );
  const pages = async (of: Host) =>
    await Promise.all(
      ["workspaces", "organizations"].map(async (table) => {
        const args = { table, cursor: null, numItems: 10 };
        return (await of.post("/api/query", { path: "migrate:readPage", args })).json.value.page;
      }),
    );
  try {
    const first = await Host.start({ documents });
    assert.equal((await imported(file, first)).state, "completed");
    const before = await pages(first);
    assert.deepEqual([before[0][0]._id, before[0][0]._creationTime], [acme, 1234.5]);
    assert.deepEqual([before[1][0]._id, before[1][0].workspace_id], [org, acme]);
    await first.stop("SIGKILL");
    const second = await Host.start({ documents });
    assert.deepEqual(await pages(second), before);
    assert.match((await imported(file, second)).error_message, /TableExists/);
    await second.stop();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
