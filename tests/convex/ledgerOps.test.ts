import assert from "node:assert/strict";
import { test } from "node:test";
import { internal } from "../../convex/_generated/api";
import type { Doc, Id } from "../../convex/_generated/dataModel";
import {
  LOADERS,
  article,
  convexError,
  everything,
  newEngine,
  newWorkspace,
  type Engine,
} from "./support";

/** A deployment with articles `0`, `1`, … loaded with the digest `d`. */
async function loaded(count: number) {
  const t = newEngine();
  const workspace = await newWorkspace(t);
  const { results } = await t.mutation(internal.migrate.bulkInsertArticles, {
    records: Array.from({ length: count }, (_, at) => ({
      sourceId: String(at),
      digest: "d",
      document: article(workspace, { slug: `slug-${at}` }),
    })),
  });
  return { t, workspace, ids: results.map(({ documentId }) => documentId as Id<"articles">) };
}

async function pages(t: Engine, table: string, numItems: number): Promise<{ _id: string }[][]> {
  const all: { _id: string }[][] = [];
  let cursor: string | null = null;
  for (;;) {
    const read: { page: { _id: string }[]; isDone: boolean; continueCursor: string } =
      await t.query(internal.migrate.readPage, { table, cursor, numItems });
    all.push(read.page);
    if (read.isDone) return all;
    cursor = read.continueCursor;
  }
}

const names = (sourceIds: string[]) => sourceIds.map((sourceId) => ({ sourceId }));

test("readPage goes through a table, oldest first, and through the ledger", async () => {
  const { t, ids } = await loaded(25);
  const articles = await pages(t, "articles", 10);
  assert.deepEqual(
    articles.map((page) => page.length),
    [10, 10, 5],
  );
  assert.deepEqual(
    articles.flat().map(({ _id }) => _id),
    ids,
  );
  assert.equal((await pages(t, "migrationLedger", 7)).flat().length, 25);
  assert.deepEqual(await pages(t, "webinars", 7), [[]]);
});

test("readPage gives the ledger of one table, page by page", async () => {
  const { t } = await loaded(5);
  await t.mutation(internal.migrate.epoch, { claim: "mark" });
  const read = (ledgerOf: string, cursor: string | null) =>
    t.query(internal.migrate.readPage, { table: "migrationLedger", cursor, numItems: 3, ledgerOf });
  const first = await read("articles", null);
  const second = await read("articles", first.continueCursor);
  assert.deepEqual(
    [...first.page, ...second.page].map((row) => (row as Doc<"migrationLedger">).sourceId),
    ["0", "1", "2", "3", "4"],
  );
  assert.deepEqual((await read("webinars", null)).page, []);
});

test("readPage gives fewer documents where they are large", async () => {
  const { t, workspace } = await loaded(0);
  const content = "x".repeat(900_000);
  await t.run(async (ctx) => {
    for (let at = 0; at < 8; at++) await ctx.db.insert("articles", article(workspace, { content }));
  });
  const read = await pages(t, "articles", 100);
  assert.equal(read.flat().length, 8);
  // 4 MiB are passed with the fifth.
  assert.equal(read[0]!.length, 5);
});

test("a table that the plan does not have is UnknownTable everywhere", async () => {
  const { t } = await loaded(0);
  const { readPage, readDocuments, findMissing, adopt, remove } = internal.migrate;
  for (const table of ["nope", "", "toString", "__proto__", "_storage"]) {
    const calls = [
      t.query(readPage, { table, cursor: null, numItems: 1 }),
      t.query(readDocuments, { table, ids: [] }),
      t.query(findMissing, { table, documentIds: [] }),
      t.mutation(adopt, { table, records: [] }),
      t.mutation(remove, { table, records: [] }),
    ];
    for (const call of calls) assert.equal((await convexError(call)).code, "UnknownTable");
  }
  // The ledger is read as a table, and nothing else is done with it; references are only read.
  for (const table of ["migrationLedger", "workspaces"]) {
    const calls = [
      t.mutation(adopt, { table, records: [] }),
      t.mutation(remove, { table, records: [] }),
    ];
    for (const call of calls) assert.equal((await convexError(call)).code, "UnknownTable");
  }
  const ledger = [
    t.query(readDocuments, { table: "migrationLedger", ids: [] }),
    t.query(findMissing, { table: "migrationLedger", documentIds: [] }),
  ];
  for (const call of ledger) assert.equal((await convexError(call)).code, "UnknownTable");
});

test("the epoch is what was claimed first", async () => {
  const { t } = await loaded(1);
  const epoch = async (claim?: string) =>
    (await t.mutation(internal.migrate.epoch, claim === undefined ? {} : { claim })).epoch;
  assert.equal(await epoch(), null);
  assert.equal(await epoch("first"), "first");
  assert.equal(await epoch("second"), "first");
  assert.equal(await epoch(), "first");
  const rows = await everything(t, "migrationLedger");
  assert.deepEqual(
    rows.map(({ table, sourceId }) => [table, sourceId]),
    [
      ["articles", "0"],
      ["", "epoch"],
    ],
  );
});

test("the epoch comes with the tables that can be read, and whether they are loaded", async () => {
  const { tables } = await newEngine().mutation(internal.migrate.epoch, {});
  const references = ["ariConversations", "contacts", "organizations", "workspaces"];
  assert.deepEqual(
    Object.entries(tables).sort(),
    [
      ...references.map((table) => [table, false]),
      ...Object.values(LOADERS).map((table) => [table, true]),
    ].sort(),
  );
});

test("adopt writes down documents that are there, and a load finds them", async () => {
  const { t, workspace, ids } = await loaded(2);
  const old = await t.run((ctx) => ctx.db.insert("articles", article(workspace)));
  const adopt = (records: { sourceId: string; digest: string; documentId: string }[]) =>
    t.mutation(internal.migrate.adopt, { table: "articles", records });

  const report = await adopt([
    { sourceId: "old", digest: "a", documentId: old },
    { sourceId: "0", digest: "d", documentId: ids[0]! },
    { sourceId: "1", digest: "d", documentId: ids[0]! },
    { sourceId: "else", digest: "a", documentId: workspace },
    { sourceId: "no id", digest: "a", documentId: "?" },
  ]);

  assert.deepEqual(
    report.results.map(({ sourceId, did }) => [sourceId, did]),
    [
      ["old", "adopted"],
      ["0", "unchanged"],
      ["1", "taken"],
      ["else", "missing"],
      ["no id", "missing"],
    ],
  );
  assert.deepEqual([report.adopted, report.unchanged, report.taken, report.missing], [1, 1, 1, 2]);
  assert.equal((await everything(t, "articles")).length, 3);

  const send = (digest: string, title: string) =>
    t.mutation(internal.migrate.bulkInsertArticles, {
      records: [{ sourceId: "old", digest, document: article(workspace, { title }) }],
    });
  assert.deepEqual((await send("a", "same digest")).results, [
    { sourceId: "old", documentId: old, did: "unchanged" },
  ]);
  assert.equal((await send("b", "newer")).replaced, 1);
});

test("adopt takes over from a document that is gone, and renews a digest", async () => {
  const { t, workspace, ids } = await loaded(1);
  const other = await t.run(async (ctx) => {
    await ctx.db.delete(ids[0]!);
    return await ctx.db.insert("articles", article(workspace));
  });
  for (const digest of ["d", "e"]) {
    const report = await t.mutation(internal.migrate.adopt, {
      table: "articles",
      records: [{ sourceId: "0", digest, documentId: other }],
    });
    assert.equal(report.adopted, 1);
  }
  const rows = await everything(t, "migrationLedger");
  assert.deepEqual(
    rows.map(({ documentId, digest }) => [documentId, digest]),
    [[other, "e"]],
  );
});

test("remove takes back what was loaded, and keeps what was changed since", async () => {
  const { t, ids } = await loaded(4);
  await t.run(async (ctx) => {
    await ctx.db.patch(ids[1]!, { title: "edited" });
    await ctx.db.delete(ids[2]!);
  });
  const remove = (sourceIds: string[], force?: boolean) =>
    t.mutation(internal.migrate.remove, {
      table: "articles",
      records: names(sourceIds),
      ...(force !== undefined && { force }),
    });

  const report = await remove(["0", "1", "2", "other"]);
  assert.deepEqual(
    report.results.map(({ did }) => did),
    ["removed", "changed", "gone", "unknown"],
  );
  assert.deepEqual([report.removed, report.changed, report.gone, report.unknown], [1, 1, 1, 1]);
  const left = async () => [
    (await everything(t, "articles")).map(({ _id }) => _id),
    (await everything(t, "migrationLedger")).map(({ sourceId }) => sourceId),
  ];
  assert.deepEqual(await left(), [
    [ids[1], ids[3]],
    ["1", "3"],
  ]);

  assert.equal((await remove(["0"])).unknown, 1);
  assert.equal((await remove(["1"], true)).removed, 1);
  assert.deepEqual(await left(), [[ids[3]], ["3"]]);
});

test("findMissing tells which ids are of no document of the table", async () => {
  const { t, workspace, ids } = await loaded(3);
  await t.run((ctx) => ctx.db.delete(ids[1]!));
  const documentIds = [ids[0]!, ids[1]!, workspace, "no id", ids[2]!];
  const { missing } = await t.query(internal.migrate.findMissing, {
    table: "articles",
    documentIds,
  });
  assert.deepEqual(missing, [ids[1], workspace, "no id"]);
  const nope = t.query(internal.migrate.findMissing, { table: "nope", documentIds: [] });
  assert.equal((await convexError(nope)).code, "UnknownTable");
});

test("adopt and remove refuse a source key twice in a call", async () => {
  const { t, ids } = await loaded(1);
  const twice = [names(["0"]), names(["0"])].flat();
  const calls = [
    t.mutation(internal.migrate.remove, { table: "articles", records: twice }),
    t.mutation(internal.migrate.adopt, {
      table: "articles",
      records: twice.map((record) => ({ ...record, digest: "d", documentId: ids[0]! })),
    }),
  ];
  for (const call of calls) assert.equal((await convexError(call)).code, "DuplicateSourceId");
  assert.equal((await everything(t, "articles")).length, 1);
});

test("readDocuments gives documents by id, in order, and null for what is not there", async () => {
  const { t, workspace, ids } = await loaded(3);
  await t.run((ctx) => ctx.db.delete(ids[1]!));
  const read = (table: string, ids: string[]) =>
    t.query(internal.migrate.readDocuments, { table, ids });

  const { documents } = await read("articles", [ids[2]!, ids[1]!, ids[0]!, ids[2]!, "no id"]);
  assert.deepEqual(
    documents.map((document) => document && [document._id, "slug" in document && document.slug]),
    [[ids[2], "slug-2"], null, [ids[0], "slug-0"], [ids[2], "slug-2"], null],
  );
  // An id of another table is of no document of this one.
  assert.deepEqual((await read("articles", [workspace])).documents, [null]);
  assert.equal((await read("workspaces", [workspace])).documents[0]!._id, workspace);
  assert.deepEqual((await read("articles", [])).documents, []);
  assert.equal((await convexError(read("nothing", []))).code, "UnknownTable");
});

test("clearLedger deletes the rows, the mark first, and no document", async () => {
  const { t } = await loaded(5);
  await t.mutation(internal.migrate.epoch, { claim: "mark" });
  const clear = (numItems: number) => t.mutation(internal.migrate.clearLedger, { numItems });

  assert.deepEqual(await clear(1), { deleted: 1, isDone: false });
  const left = await everything(t, "migrationLedger");
  assert.deepEqual(left.map(({ sourceId }) => sourceId).sort(), ["0", "1", "2", "3", "4"]);
  assert.deepEqual(await clear(4), { deleted: 4, isDone: false });
  assert.deepEqual(await clear(4), { deleted: 1, isDone: true });
  assert.deepEqual(await clear(4), { deleted: 0, isDone: true });
  assert.equal((await everything(t, "migrationLedger")).length, 0);
  assert.equal((await everything(t, "articles")).length, 5);
});
