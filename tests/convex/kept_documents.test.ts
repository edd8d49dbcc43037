/** What a deployment's file keeps for the next process, and what is made of one that was cut short. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { convexTest } from "convex-test";
import {
  defineSchema,
  defineTable,
  type GenericSchema,
  type SchemaDefinition,
} from "convex/server";
import { v } from "convex/values";
import {
  databaseOf,
  transactionsOf,
  type Document,
  type Engine,
} from "../../stages/sandbox/host/engine_database.ts";
import { ImportedIds } from "../../stages/sandbox/host/ids.ts";
import { Indexes } from "../../stages/sandbox/host/indexes.ts";
import { KeptDocuments, UnfitDocuments, type Kept } from "../../stages/sandbox/host/kept_documents.ts";
import { NotWritten } from "../../stages/sandbox/host/line_log.ts";
import { TableNumbers } from "../../stages/sandbox/host/table_numbers.ts";
import { Transactions } from "../../stages/sandbox/host/transactions.ts";
import { idOf } from "./support";

type Schema = SchemaDefinition<GenericSchema, boolean>;

const schema = defineSchema({ people: defineTable({ name: v.any() }), pets: defineTable(v.any()) });
const NAMES = [
  "Ada", null, -0, NaN, 2n ** 63n - 1n, new Uint8Array([0, 255]).buffer, [1, { deep: ["\n", "ü"] }],
]; // prettier-ignore

const folder = mkdtempSync(join(tmpdir(), "kept-documents-"));
const file = join(folder, "documents.jsonl");

after(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(file, { force: true }));

/** A process of its own, as far as the file is concerned. */
class Process {
  readonly ids = new ImportedIds();
  readonly numbers = new TableNumbers();
  readonly transactions: Transactions;
  private constructor(
    readonly engine: Engine,
    readonly indexes: Indexes,
  ) {
    this.transactions = new Transactions(transactionsOf(engine));
  }
  kept!: KeptDocuments;

  static async start({
    schema: ofProcess = schema as unknown as Schema,
    fill = async (_: Process): Promise<unknown> => undefined,
    spare = undefined as number | undefined,
  } = {}): Promise<Process> {
    const { process, about } = Process.open(ofProcess);
    process.kept = await KeptDocuments.keep(file, about, () => fill(process), spare);
    return process;
  }

  /** Whether one could start, beside whoever writes the file. */
  static check(ofProcess: unknown): void {
    KeptDocuments.check(file, Process.open(ofProcess as Schema).about);
  }

  private static open(ofProcess: Schema): { process: Process; about: Kept } {
    const modules = { "./_generated/api.js": () => Promise.resolve({}) };
    const engine = convexTest({ schema: ofProcess, modules, transactionLimits: true });
    const database = databaseOf(engine as Engine);
    const process = new Process(engine as Engine, new Indexes(database));
    const { indexes, transactions, ids, numbers } = process;
    const exported = (ofProcess as unknown as { export(): string }).export();
    const tables = Object.keys(ofProcess.tables);
    const about = { database, indexes, transactions, ids, numbers, tables, schema: exported };
    return { process, about };
  }

  async write(act: (db: any) => Promise<unknown>): Promise<unknown> {
    return await this.engine.run((ctx) => act(ctx.db));
  }

  async insert(...names: unknown[]): Promise<void> {
    await this.write(async (db) => {
      for (const name of names) await db.insert("people", { name });
    });
  }

  get documents(): Document[] {
    return [...this.indexes.documents("people"), ...this.indexes.documents("pets")];
  }

  get names(): unknown[] {
    return this.indexes.documents("people").map(({ name }) => name);
  }
}

/** Does something that nothing of what runs has begun, as another client's request. */
const outside = AsyncLocalStorage.snapshot() as <T>(act: () => T) => T;

/** Its file is on a full disk until what is returned is called. */
function breakDisk({ kept }: Process): () => void {
  const { log } = kept as unknown as { log: { descriptor: number; cut?: () => void } };
  const { descriptor } = log;
  log.descriptor = openSync("/dev/full", "w");
  // Which is no file that could be cut.
  log.cut = () => undefined;
  return () => {
    closeSync(log.descriptor);
    log.descriptor = descriptor;
    delete log.cut;
  };
}

function lines(): any[] {
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("documents of every type, their ids and creation times outlive the process", async () => {
  const first = await Process.start();
  await first.insert(...NAMES);
  const failed = first.write(async (db) => {
    await db.insert("people", { name: "nobody" });
    throw new Error("undone");
  });
  await assert.rejects(failed, /undone/);
  await first.write(async (db) => {
    const all = await db.query("people").collect();
    await db.patch(all[0]._id, { name: "Grace" });
    await db.delete(all[1]._id);
    // Of a transaction that has to know its own timestamp.
    await db.insert("pets", { since: db.vars.commitTs });
  });
  const second = await Process.start();
  assert.deepEqual(second.documents, first.documents);
  assert.equal(typeof second.indexes.documents("pets")[0]!.since, "bigint");
  assert.deepEqual(second.numbers.all(), { people: 10001, pets: 10002 });
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("an id that is free again is not given again, and time goes on", async (t) => {
  t.mock.method(Date, "now", () => 1_700_000_000_000);
  const first = await Process.start();
  await first.insert("Ada");
  const [{ _id, _creationTime }] = first.documents as [Document];
  await first.write((db) => db.delete(_id));
  const second = await Process.start();
  assert.equal(second.indexes.size, 0);
  await second.insert("Grace");
  const [grace] = second.documents as [Document];
  assert.ok(grace._id > _id && grace._creationTime > _creationTime);
});

test("the first documents are all there or none, and are made once", async () => {
  const fill = async (process: Process) => {
    await process.insert("Ada");
    throw new Error("killed");
  };
  await assert.rejects(Process.start({ fill }), /killed/);
  const whole = { fill: (process: Process) => process.insert("Grace") };
  for (let times = 0; times < 2; times++) {
    assert.deepEqual((await Process.start(whole)).names, ["Grace"]);
  }
});

test("imported ids come back, and what was forgotten does not", async () => {
  const first = await Process.start();
  first.ids.add("j571", "1people", 1234.5);
  first.ids.add("j572", "2people", undefined);
  first.ids.forget("2people");
  const files = [idOf(540, 1), idOf(540, 2)] as const;
  const inner = first.ids.inward(files[0]);
  const second = await Process.start();
  assert.deepEqual([...second.ids.entries()], [...first.ids.entries()]);
  assert.equal(second.ids.inward("j571"), "1people");
  assert.equal(second.ids.inward("j572"), "j572");
  assert.equal(second.ids.inward(files[0]), inner);
  assert.match(String(second.ids.inward(files[1])), /^9\d{22}2_storage$/);
});

test("a line, or a group, that was not written to its end never was", async () => {
  const first = await Process.start();
  await first.insert("Ada");
  const whole = readFileSync(file);
  const ends: string[] = [];
  await first.kept.together(async () => {
    await first.insert("Grace");
    await first.insert("Joan");
  });
  assert.deepEqual((await Process.start()).names, ["Ada", "Grace", "Joan"]);
  const grown = readFileSync(file);
  for (let size = whole.length; size < grown.length; size++) {
    writeFileSync(file, grown.subarray(0, size));
    if (size % 9 && size < grown.length - 9) continue;
    const { names } = await Process.start();
    assert.deepEqual(names, ["Ada"], `${size} of ${grown.length} bytes`);
    ends.push(String(statSync(file).size));
  }
  assert.deepEqual(new Set(ends), new Set([String(whole.length)]));
  // What is written next is read next.
  await (await Process.start()).insert("Mary");
  assert.deepEqual((await Process.start()).names, ["Ada", "Mary"]);
});

test("what is answered while a group is open is not in it", async () => {
  const process = await Process.start();
  let cut = readFileSync(file);
  const answered: unknown[] = [];
  const insert = async (name: string) => {
    await process.insert(name);
    answered.push(name);
  };
  // One is under way as the group begins, one waits for its turn, one comes later.
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  const under = process.write(async (db) => {
    await db.insert("people", { name: "under way" });
    await held;
  });
  const waiting = insert("waiting");
  let later: Promise<void> | undefined;
  const group = process.kept.together(async () => {
    later = insertOutside("later");
    for (let n = 0; n < 3; n++) await process.insert(`group ${n}`);
    await process.insert("x".repeat(2 ** 20)); // too much to wait in memory
    cut = readFileSync(file);
    // What a killed process has answered is in its file.
    assert.deepEqual(answered, []);
  });
  finish();
  await Promise.all([under, group]);
  await Promise.all([waiting, later]);
  const { names } = await Process.start();
  assert.deepEqual(names.slice(-2).sort(), ["later", "waiting"]);
  writeFileSync(file, cut);
  assert.deepEqual((await Process.start()).names, ["under way"]);

  /** As another client: in none of the group's own calls. */
  function insertOutside(name: string): Promise<void> {
    return outside(() => insert(name));
  }
});

test("a transaction that can't be written down fails, and the next one need not", async () => {
  const process = await Process.start();
  await process.insert("Ada");
  const recover = breakDisk(process);
  await assert.rejects(process.insert("Grace"), (error) => {
    assert.ok(error instanceof NotWritten);
    assert.match(error.message, /documents\.jsonl can't be written: ENOSPC/);
    return true;
  });
  assert.deepEqual(process.names, ["Ada"]);
  recover();
  await process.insert("Joan");
  assert.deepEqual((await Process.start()).names, ["Ada", "Joan"]);
});

test("a group that can't be ended is ended by the next line", async () => {
  const process = await Process.start();
  let recover = () => undefined as void;
  const group = process.kept.together(async () => {
    await process.insert("Ada");
    recover = breakDisk(process);
  });
  await assert.rejects(group, NotWritten);
  recover();
  await process.insert("Grace");
  assert.deepEqual((await Process.start()).names, ["Ada", "Grace"]);
});

test("what was written over is thrown out in the end", async () => {
  const first = await Process.start({ spare: 10 });
  await first.insert("Ada", "Grace");
  first.ids.add("j571", "1people", 1.5);
  for (let n = 0; n < 30; n++) {
    await first.write(async (db) => db.patch((await db.query("people").first())._id, { name: n }));
  }
  assert.ok(lines().length < 20, String(lines().length));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const second = await Process.start();
  assert.deepEqual(second.documents, first.documents);
  assert.deepEqual([...second.ids.entries()], [...first.ids.entries()]);
});

test("a table that is new takes a free number, and one that is gone keeps its own", async () => {
  await (await Process.start()).insert("Ada");
  const other = defineSchema({ animals: defineTable(v.any()), people: defineTable(v.any()) });
  const second = await Process.start({ schema: other as unknown as Schema });
  const numbers = { people: 10001, pets: 10002, animals: 10003 };
  assert.deepEqual(second.numbers.all(), numbers);
  assert.deepEqual(second.names, ["Ada"]);
  assert.deepEqual((await Process.start()).numbers.all(), numbers);
});

test("documents that the schema does not take any more are named, without a value", async () => {
  const first = await Process.start();
  await first.insert("secret", "other secret", 7);
  await first.write((db) => db.insert("pets", { kind: "cat" }));
  const other = defineSchema({
    people: defineTable({ name: v.number() }),
    pets: defineTable({ kind: v.string() }),
  });
  const [{ _id }] = first.documents as [Document];
  await assert.rejects(Process.start({ schema: other as unknown as Schema }), (error) => {
    assert.ok(error instanceof UnfitDocuments);
    assert.equal(
      error.message,
      "documents of the sandbox do not fit schema.ts any more, in people (2, such as " +
        `${_id}: Expected \`number\`)`,
    );
    return true;
  });
  assert.equal((await Process.start()).names.length, 3);
});

test("whether another process could start is known without a change", async () => {
  const process = await Process.start();
  await process.insert("Ada");
  appendFileSync(file, '{"put":[{"_id":');
  const before = readFileSync(file);
  Process.check(schema);
  const other = defineSchema({ people: defineTable({ name: v.number() }) });
  assert.throws(() => Process.check(other), /do not fit schema.ts any more, in people \(1, /);
  assert.deepEqual(readFileSync(file), before);
  rmSync(file);
  Process.check(other);
});

test("a file of another format, and one that is damaged, are not begun with", async () => {
  const first = await Process.start();
  await first.insert("Ada");
  const kept = readFileSync(file, "utf8");
  const newer = `${kept.replace('"format":1', '"format":2')}{"not to its end`;
  writeFileSync(file, newer);
  await assert.rejects(Process.start(), /has format 2, and this version of stages reads 1/);
  assert.equal(readFileSync(file, "utf8"), newer);
  writeFileSync(file, "");
  await assert.rejects(Process.start(), /is damaged: it has no line/);
  writeFileSync(file, kept.replace('"put"', '"put'));
  await assert.rejects(Process.start(), /documents\.jsonl is damaged in line 2/);
  for (const damaged of [
    "null",
    "7",
    "[]",
    '{"put":[null]}',
    '{"put":[{"n":1}]}',
    '{"put":5}',
    '{"gone":[1]}',
    '{"ids":[null]}',
    '{"tables":null,"next":"1"}',
    '{"put":[{"_id":"1people","n":{"$integer":1}}]}',
  ]) {
    writeFileSync(file, `${kept}{"begin":true}\n${damaged}\n{"end":true}\n`);
    await assert.rejects(Process.start(), (error) => {
      assert.ok(error instanceof UnfitDocuments, `${damaged}: ${String(error)}`);
      assert.equal(error.message, `${file} is damaged in line 4`);
      return true;
    });
  }
  writeFileSync(file, `null\n${kept}`);
  await assert.rejects(Process.start(), /is damaged in line 1/);
  writeFileSync(file, kept);
  appendFileSync(file, "{}\n");
  assert.deepEqual((await Process.start()).names, ["Ada"]);
});
