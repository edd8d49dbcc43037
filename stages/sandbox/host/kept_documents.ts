/**
 * The documents of a deployment in a file, so that they outlive the process: each transaction is
 * written to it before it is committed. Ids, creation times, imported ids and table numbers are
 * kept; stored files and scheduled functions are not.
 */
import { createHash } from "node:crypto";
import { convexToJson, jsonToConvex, type JSONValue, type Value } from "convex/values";
import { tableOfId, type Document, type EngineDatabase, type Layer } from "./engine_database.ts";
import type { ImportedIds } from "./ids.ts";
import type { Indexes } from "./indexes.ts";
import type { TableNumbers } from "./table_numbers.ts";
import { LineLog, NotWritten, readLog, type ReadLine } from "./line_log.ts";
import type { Transactions } from "./transactions.ts";

const FORMAT = 1;
// The file is compacted once it has this many entries more than twice the number of documents.
const SPARE_LINES = 20_000;
const LINE_DOCUMENTS = 100;
// Placeholder for the transaction's own timestamp until it commits.
const COMMIT_TS = '{"$commitTs":null}';

/** This host can't start with the file; the message is for the user of the sandbox. */
export class UnfitDocuments extends Error {}

/** What is kept in the file: filled from it at the start, and followed from then on. */
export interface Kept {
  database: EngineDatabase;
  indexes: Indexes;
  transactions: Transactions;
  ids: ImportedIds;
  numbers: TableNumbers;
  /** Names of the schema's tables. */
  tables: string[];
  /** The exported schema, or "" for none. */
  schema: string;
}

interface Line {
  /** Only in the first line. */
  format?: number;
  /** SHA-256 of the schema that all documents so far conform to. */
  schema?: string;
  tables?: Record<string, number>;
  /** The engine's counters: the next id, and the latest creation time. */
  next?: number;
  created?: number;
  put?: JSONValue[];
  gone?: string[];
  /** The imported id, the engine's id, and the imported creation time. */
  ids?: [string, string, number | null][];
  forgotten?: string[];
}

export class KeptDocuments {
  // The number of documents, ids and removals in the file.
  private lines = 0;

  private constructor(
    private readonly kept: Kept,
    private readonly log: LineLog,
    private readonly spare: number,
  ) {}

  /**
   * Fills a new deployment from the file, and keeps its documents there from then on. If there is
   * no file, `fill` makes the first documents; the file only appears once all are made. Throws
   * UnfitDocuments for a file of another format, and if the documents do not fit the schema.
   */
  static async keep(
    file: string,
    kept: Kept,
    fill: () => Promise<unknown>,
    spare = SPARE_LINES,
  ): Promise<KeptDocuments> {
    const known = KeptDocuments.restore(file, kept, spare);
    if (known) {
      known.follow();
      return known;
    }
    kept.numbers.add(kept.tables);
    const begun = new KeptDocuments(kept, LineLog.create(`${file}.new`), spare);
    begun.append(begun.header());
    begun.follow();
    await fill();
    begun.log.rename(file);
    return begun;
  }

  /**
   * Fills a new deployment from the file, which another process may be writing, without changing
   * the file. Throws as `keep` does.
   */
  static check(file: string, kept: Kept): void {
    const restored = fillFrom(file, kept, (read) => readLog(file, read));
    if (restored && restored.schema !== digestOf(kept.schema)) checkDocuments(kept.database);
  }

  private static restore(file: string, kept: Kept, spare: number): KeptDocuments | null {
    const restored = fillFrom(file, kept, (read) => LineLog.open(file, read));
    if (restored === null) return null;
    const { database, indexes, numbers } = kept;
    const documents = new KeptDocuments(kept, restored.opened, spare);
    documents.lines = restored.size;
    indexes.follow(Object.keys(database._documents));
    numbers.add(kept.tables);
    if (restored.schema !== digestOf(kept.schema)) {
      checkDocuments(database);
      documents.append({ schema: digestOf(kept.schema), tables: numbers.all() });
    }
    return documents;
  }

  /**
   * Runs several transactions of which all are kept or none. Others wait: within the group they
   * would be lost with it, and outside it they might have read what is lost.
   */
  async together<T>(act: () => Promise<T>): Promise<T> {
    return await this.kept.transactions.together(() => this.log.together(act));
  }

  private follow(): void {
    const { indexes, ids } = this.kept;
    indexes.beforeCommit = (writes, commitTs) => this.write(writes, commitTs);
    ids.onAdd = (id, engineId, time) => this.append({ ids: [[id, engineId, time ?? null]] });
    ids.onForget = (engineId) => this.append({ forgotten: [engineId] });
  }

  private write(writes: Layer, commitTs: bigint | null): void {
    const { database } = this.kept;
    const line: Required<Pick<Line, "put" | "gone">> = { put: [], gone: [] };
    for (const [id, document] of Object.entries(writes)) {
      if (!isKept(id)) continue;
      if (document) line.put.push(convexToJson(document));
      else if (id in database._documents) line.gone.push(id);
    }
    if (line.put.length + line.gone.length === 0) return;
    this.append({ ...this.counters(), ...line }, commitTs);
  }

  private append(line: Line, commitTs: bigint | null = null): void {
    const most = 2 * this.kept.indexes.size + this.spare;
    if (!this.log.isGrouping && this.lines > most) this.compact();
    // COMMIT_TS can't occur in a string of a document: quotes are escaped there.
    const text = JSON.stringify(line);
    this.log.append(
      commitTs === null
        ? text
        : text.replaceAll(COMMIT_TS, () => JSON.stringify(convexToJson(commitTs))),
    );
    this.lines += sizeOf(line);
  }

  private compact(): void {
    const { database, ids } = this.kept;
    const documents = Object.values(database._documents).filter(({ _id }) => isKept(_id));
    const header = this.header();
    function* all(): Generator<string> {
      yield JSON.stringify(header);
      for (let at = 0; at < documents.length; at += LINE_DOCUMENTS) {
        const put = documents.slice(at, at + LINE_DOCUMENTS).map((each) => convexToJson(each));
        yield JSON.stringify({ put } satisfies Line);
      }
      for (const [engineId, { id, creationTime }] of ids.entries()) {
        yield JSON.stringify({ ids: [[id, engineId, creationTime ?? null]] } satisfies Line);
      }
    }
    try {
      this.log.rewrite(all());
    } catch (error) {
      // No space for both files; the old one stays until it has doubled again.
      if (!(error instanceof NotWritten)) throw error;
    }
    this.lines = documents.length;
  }

  private header(): Line {
    const { schema, numbers } = this.kept;
    return {
      format: FORMAT,
      schema: digestOf(schema),
      tables: numbers.all(),
      ...this.counters(),
    };
  }

  private counters(): Line {
    const { _nextDocId, _lastCreationTime } = this.kept.database;
    return { next: _nextDocId, created: _lastCreationTime };
  }
}

/**
 * Fills `kept` from the lines that `open` reads. Returns what it opened, the digest of the schema
 * that the documents fit, and the number of documents, ids and removals; null if there is no file.
 */
function fillFrom<T>(
  file: string,
  kept: Kept,
  open: (read: ReadLine) => T | null,
): { opened: T; schema: string | undefined; size: number } | null {
  const { database, ids, numbers } = kept;
  let size = 0;
  let schema: string | undefined;
  let count = 0;
  const take = (line: Line): void => {
    if (count === 0 && line.format !== FORMAT) {
      throw new UnfitDocuments(
        `${file} has format ${String(line.format)}, and this version of stages reads ${FORMAT}`,
      );
    }
    schema = line.schema ?? schema;
    for (const [table, of] of Object.entries(line.tables ?? {})) numbers.set(table, of);
    database._nextDocId = line.next ?? database._nextDocId;
    database._lastCreationTime = line.created ?? database._lastCreationTime;
    for (const json of line.put ?? []) {
      const document = jsonToConvex(json) as Document;
      database._documents[document._id] = document;
    }
    for (const id of line.gone ?? []) delete database._documents[id];
    for (const [id, engineId, time] of line.ids ?? []) ids.add(id, engineId, time ?? undefined);
    for (const engineId of line.forgotten ?? []) ids.forget(engineId);
    size += sizeOf(line);
  };
  const opened = open((json, number) => {
    try {
      take(lineOf(json));
    } catch (error) {
      if (error instanceof UnfitDocuments) throw error;
      // Without the error's message, which may quote a value.
      throw new UnfitDocuments(`${file} is damaged in line ${number}`);
    }
    count += 1;
  });
  if (opened === null) return null;
  if (count === 0) throw new UnfitDocuments(`${file} is damaged: it has no line`);
  return { opened, schema, size };
}

/** Parses a line of the file. Throws if it is invalid; invalid values inside fail later. */
function lineOf(json: string): Line {
  const line = JSON.parse(json) as Line;
  const isObject = (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const isText = (value: unknown): boolean => typeof value === "string";
  const isNumber = (value: unknown): boolean => typeof value === "number";
  const fits =
    isObject(line) &&
    [line.next, line.created].every((each) => each === undefined || isNumber(each)) &&
    isText(line.schema ?? "") &&
    isObject(line.tables ?? {}) &&
    Object.values(line.tables ?? {}).every(isNumber) &&
    (line.put ?? []).every((each) => isObject(each) && isText((each as { _id?: unknown })._id)) &&
    [...(line.gone ?? []), ...(line.forgotten ?? [])].every(isText) &&
    (line.ids ?? []).every(([id, engineId]) => isText(id) && isText(engineId));
  if (!fits) throw new TypeError("no line of documents");
  return line;
}

function isKept(id: string): boolean {
  return !tableOfId(id).startsWith("_");
}

function sizeOf({ put, gone, ids, forgotten }: Line): number {
  return [put, gone, ids, forgotten].reduce((sum, items) => sum + (items?.length ?? 0), 0);
}

function digestOf(schema: string): string {
  return createHash("sha256").update(schema).digest("hex");
}

/** Throws UnfitDocuments, naming the tables, if documents do not fit the schema. */
function checkDocuments(database: EngineDatabase): void {
  const misfits = new Map<string, { count: number; words: string }>();
  for (const { _id, _creationTime, ...fields } of Object.values(database._documents)) {
    const table = tableOfId(_id);
    try {
      database._validate(table, fields as Record<string, Value>);
    } catch (error) {
      const known = misfits.get(table) ?? { count: 0, words: `${_id}: ${wordsOf(error)}` };
      misfits.set(table, { ...known, count: known.count + 1 });
    }
  }
  if (misfits.size === 0) return;
  const tables = [...misfits].map(
    ([table, { count, words }]) => `${table} (${count}, such as ${words})`,
  );
  throw new UnfitDocuments(
    `documents of the sandbox do not fit schema.ts any more, in ${tables.join(", ")}`,
  );
}

/** The engine's message about a document, without the value, which may be personal data. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/^Validator error: /, "").replace(/, got `.*$/s, "");
}
