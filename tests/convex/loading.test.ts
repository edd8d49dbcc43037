import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFunctionReference } from "convex/server";
import type { ValidatorJSON } from "convex/values";
import { internal } from "../../convex/_generated/api";
import type { Id, TableNames } from "../../convex/_generated/dataModel";
import schema from "../../convex/schema";
import {
  LOADERS,
  MODULES,
  article,
  convexError,
  everything,
  newEngine,
  newWorkspace,
  type ArticleFields,
  type Engine,
} from "./support";

async function start(limits?: Parameters<typeof newEngine>[0]) {
  const t = newEngine(limits);
  const workspace = await newWorkspace(t);
  return { t, workspace };
}

function load(
  t: Engine,
  records: { sourceId: string; digest: string; document: ArticleFields }[],
  overwrite?: boolean,
) {
  return t.mutation(internal.migrate.bulkInsertArticles, {
    records,
    ...(overwrite !== undefined && { overwrite }),
  });
}

test("records are inserted with a ledger row each, in the order of the call", async () => {
  const { t, workspace } = await start();
  const keys = ["c", "a", "b"];
  const report = await load(
    t,
    keys.map((key) => ({
      sourceId: key,
      digest: `d-${key}`,
      document: article(workspace, { slug: key }),
    })),
  );

  assert.deepEqual(
    [report.inserted, report.replaced, report.unchanged, report.conflicts],
    [3, 0, 0, 0],
  );
  const articles = await everything(t, "articles");
  assert.deepEqual(
    report.results,
    keys.map((key, at) => ({ sourceId: key, documentId: articles[at]!._id, did: "inserted" })),
  );
  assert.deepEqual(
    articles.map(({ slug }) => slug),
    keys,
  );
  const rows = await everything(t, "migrationLedger");
  assert.deepEqual(
    rows.map(({ table, sourceId, documentId, digest }) => [table, sourceId, documentId, digest]),
    keys.map((key, at) => ["articles", key, articles[at]!._id, `d-${key}`]),
  );
  for (const { stored } of rows) assert.match(stored, /^[0-9a-f]{64}$/);
});

test("the same call again changes nothing", async () => {
  const { t, workspace } = await start();
  const records = [{ sourceId: "1", digest: "d", document: article(workspace) }];
  const first = await load(t, records);
  const before = [await everything(t, "articles"), await everything(t, "migrationLedger")];

  const again = await load(t, records);

  assert.equal(again.unchanged, 1);
  assert.equal(again.results[0]!.documentId, first.results[0]!.documentId);
  assert.deepEqual(
    [await everything(t, "articles"), await everything(t, "migrationLedger")],
    before,
  );
});

test("of two equal calls at once one inserts", async () => {
  const { t, workspace } = await start();
  const records = [{ sourceId: "1", digest: "d", document: article(workspace) }];
  const reports = await Promise.all([load(t, records), load(t, records)]);
  assert.deepEqual(reports.map(({ inserted }) => inserted).sort(), [0, 1]);
  assert.equal((await everything(t, "articles")).length, 1);
});

test("another digest replaces, again and again, and keeps the id", async () => {
  const { t, workspace } = await start();
  const titles = ["one", "two", "three"];
  const reports = [];
  for (const title of titles) {
    const document = article(workspace, { title, ...(title === "one" && { excerpt: "short" }) });
    reports.push(await load(t, [{ sourceId: "1", digest: title, document }]));
  }
  assert.deepEqual(
    reports.map(({ results }) => results[0]!.did),
    ["inserted", "replaced", "replaced"],
  );
  assert.equal(new Set(reports.map(({ results }) => results[0]!.documentId)).size, 1);
  const [document] = await everything(t, "articles");
  assert.equal(document!.title, "three");
  assert.ok(!("excerpt" in document!));
  assert.equal((await everything(t, "migrationLedger"))[0]!.digest, "three");
});

test("what the application changed is a conflict, until overwrite", async () => {
  const { t, workspace } = await start();
  const { results } = await load(t, [
    { sourceId: "1", digest: "old", document: article(workspace) },
  ]);
  const id = results[0]!.documentId as Id<"articles">;
  await t.run((ctx) => ctx.db.patch(id, { title: "edited" }));
  const changed = [{ sourceId: "1", digest: "new", document: article(workspace, { title: "N" }) }];
  const ledger = await everything(t, "migrationLedger");

  const refused = await load(t, changed);
  assert.equal(refused.conflicts, 1);
  assert.deepEqual(refused.results, [{ sourceId: "1", documentId: id, did: "conflict" }]);
  assert.equal((await everything(t, "articles"))[0]!.title, "edited");
  assert.deepEqual(await everything(t, "migrationLedger"), ledger);

  const forced = await load(t, changed, true);
  assert.equal(forced.replaced, 1);
  assert.equal((await everything(t, "articles"))[0]!.title, "N");
  assert.equal((await load(t, changed)).unchanged, 1);
});

test("a change of nothing but the order of keys is no conflict", async () => {
  const { t, workspace } = await start();
  const document = {
    workspace_id: workspace,
    country: "Sverige",
    university_name: "KTH",
    is_promoted: false,
    priority: -0,
    created_at: 1,
    updated_at: 2,
  };
  const send = (digest: string, requirements: unknown) =>
    t.mutation(internal.migrate.bulkInsertAriDestinations, {
      records: [{ sourceId: "1", digest, document: { ...document, requirements } }],
    });
  const { results } = await send("a", { gpa: 3.5, tests: [null, { ielts: NaN }] });
  const id = results[0]!.documentId as Id<"ariDestinations">;
  await t.run((ctx) =>
    ctx.db.replace(id, { requirements: { tests: [null, { ielts: NaN }], gpa: 3.5 }, ...document }),
  );
  assert.equal((await send("b", {})).replaced, 1);
});

test("a document that is gone is inserted again", async () => {
  const { t, workspace } = await start();
  const records = [{ sourceId: "1", digest: "d", document: article(workspace) }];
  const first = await load(t, records);
  await t.run((ctx) => ctx.db.delete(first.results[0]!.documentId as Id<"articles">));

  const second = await load(t, records);

  assert.equal(second.inserted, 1);
  assert.notEqual(second.results[0]!.documentId, first.results[0]!.documentId);
  const rows = await everything(t, "migrationLedger");
  assert.deepEqual(
    rows.map(({ documentId }) => documentId),
    [second.results[0]!.documentId],
  );
});

test("a source key twice in a call is refused, and nothing is kept", async () => {
  const { t, workspace } = await start();
  const record = { sourceId: "1", digest: "d", document: article(workspace) };
  const data = await convexError(load(t, [{ ...record, sourceId: "0" }, record, record]));
  assert.deepEqual([data.code, data.table, data.sourceId], ["DuplicateSourceId", "articles", "1"]);
  assert.deepEqual(await everything(t, "articles"), []);
  assert.deepEqual(await everything(t, "migrationLedger"), []);
});

test("equal source keys of two tables are two records", async () => {
  const { t, workspace } = await start();
  await load(t, [{ sourceId: "1", digest: "d", document: article(workspace) }]);
  const other = await t.mutation(internal.migrate.bulkInsertAriKnowledgeCategories, {
    records: [
      {
        sourceId: "1",
        digest: "d",
        document: {
          workspace_id: workspace,
          name: "Visa",
          display_order: 0,
          created_at: 1,
          updated_at: 2,
        },
      },
    ],
  });
  assert.equal(other.inserted, 1);
});

test("one bad document, and nothing of the batch is kept", async () => {
  const { t, workspace } = await start();
  const good = { sourceId: "1", digest: "d", document: article(workspace) };
  const bad = {
    sourceId: "2",
    digest: "d",
    document: { ...article(workspace), excerpt: null } as unknown as ArticleFields,
  };
  await assert.rejects(load(t, [good, bad]), /Validator error: Expected `string`, got `null`/);
  assert.deepEqual(await everything(t, "articles"), []);
});

test("a transaction that fails among its writes keeps none of them", async () => {
  // Each record is two writes, so that the limit falls after the second record's document.
  const { t, workspace } = await start({ documentsWritten: 3 });
  const records = ["1", "2", "3"].map((sourceId) => ({
    sourceId,
    digest: "d",
    document: article(workspace),
  }));
  await assert.rejects(load(t, records), /Wrote too many documents/);
  assert.deepEqual(await everything(t, "articles"), []);
  assert.deepEqual(await everything(t, "migrationLedger"), []);
  assert.equal((await load(t, records.slice(0, 1))).inserted, 1);
});

test("a call without records does nothing", async () => {
  const { t } = await start();
  assert.deepEqual(await load(t, []), {
    inserted: 0,
    replaced: 0,
    unchanged: 0,
    conflicts: 0,
    results: [],
  });
});

/** A document with nothing but what the table requires; `ids` has a document of each parent. */
function minimal(table: TableNames, ids: Partial<Record<string, string>>): object {
  const type = (schema.tables[table].validator as unknown as { json: ValidatorJSON }).json;
  assert.ok(type.type === "object");
  return Object.fromEntries(
    Object.entries(type.value)
      .filter(([, field]) => !field.optional)
      .map(([name, { fieldType }]) => {
        switch (fieldType.type) {
          case "id":
            return [name, ids[fieldType.tableName]];
          case "string":
            return [name, "text"];
          case "number":
            return [name, 1];
          case "boolean":
            return [name, true];
          default:
            return assert.fail(`${table}.${name} is a required ${fieldType.type}`);
        }
      }),
  );
}

test("each of the twelve loads into its own table", async () => {
  const { t, workspace } = await start();
  const ids: Partial<Record<string, string>> = { workspaces: workspace };
  for (const parent of ["contacts", "ariConversations"] as const) {
    ids[parent] = await t.run((ctx) => ctx.db.insert(parent, minimal(parent, ids) as never));
  }
  for (const [name, table] of [
    ...Object.entries(LOADERS).filter(([, table]) => table !== "webinarRegistrations"),
    ["bulkInsertWebinarRegistrations", "webinarRegistrations"] as const,
  ]) {
    const report = (await t.mutation(makeFunctionReference<"mutation">(`migrate:${name}`), {
      records: [{ sourceId: "1", digest: "d", document: minimal(table, ids) }],
    })) as { inserted: number; results: { documentId: string }[] };
    assert.equal(report.inserted, 1, name);
    const [document] = await everything(t, table);
    assert.equal(document!._id, report.results[0]!.documentId, name);
    ids[table] = document!._id;
  }
  assert.equal((await everything(t, "migrationLedger")).length, 12);
});

test("a record with a pending digest leaves an existing document alone, whatever its digest", async () => {
  const { t, workspace } = await start();
  const record = (sourceId: string, digest: string, title: string) => ({
    sourceId,
    digest,
    document: article(workspace, { title }),
  });
  const load = internal.migrate.bulkInsertArticles;
  await t.mutation(load, { records: [record("0", "d", "whole")] });
  const report = await t.mutation(load, {
    records: [record("0", "pending:e", "half"), record("1", "pending:f", "half")],
  });
  assert.deepEqual(
    report.results.map(({ did }) => did),
    ["unchanged", "inserted"],
  );
  const titles = (await everything(t, "articles")).map(({ title }) => title);
  assert.deepEqual(titles, ["whole", "half"]);
  const digests = (await everything(t, "migrationLedger")).map(({ digest }) => digest);
  assert.deepEqual(digests, ["d", "pending:f"]);
  // Complete it is the same document, so that nothing is written; or another one.
  const same = await t.mutation(load, { records: [record("1", "f", "half")] });
  assert.deepEqual([same.replaced, same.unchanged], [0, 1]);
  const completed = await t.mutation(load, { records: [record("1", "g", "whole")] });
  assert.equal(completed.replaced, 1);
});

test("the functions of convex/ are the seventeen of migrate.ts, all internal", () => {
  const names: string[] = [];
  for (const [module, exported] of Object.entries(MODULES)) {
    for (const [name, value] of Object.entries(exported)) {
      const marks = value as { isQuery?: true; isMutation?: true; isAction?: true };
      if (!marks.isQuery && !marks.isMutation && !marks.isAction) continue;
      names.push(`${module}:${name}`);
      const visible = value as { isPublic?: true; isInternal?: true };
      assert.deepEqual([visible.isPublic, visible.isInternal], [undefined, true], name);
    }
  }
  const ledgerOps = [
    "adopt", "clearLedger", "epoch", "findMissing", "readDocuments", "readPage", "remove",
  ];
  const expected = [...Object.keys(LOADERS), ...ledgerOps];
  assert.deepEqual(names.sort(), expected.map((name) => `migrate:${name}`).sort());
});
