/**
 * Tables and ordered indexes for the engine's queries, so that a query's cost depends on what it
 * reads, not on the size of the database. By itself, the engine scans all documents for each query,
 * then filters and sorts them.
 *
 * The engine's own code still computes the result: it is only shown fewer documents, those in the
 * query's range, and if a query ends early, no more of them than it needs.
 */
import { jsonToConvex, type JSONValue, type Value } from "convex/values";
import {
  tableOfId,
  type Document,
  type EngineDatabase,
  type Layer,
  type PageRequest,
  type Query,
  type QuerySource,
} from "./engine_database.ts";
import { OrderedIndex, type Found } from "./ordered_index.ts";

// If a filter leaves too few documents for a page or limit, the window grows by this factor.
const GROWTH = 4;

type BeforeCommit = (writes: Layer, commitTs: bigint | null) => void;

/** Documents of one table as the innermost transaction sees them. */
interface Table {
  documents: Map<string, Document>;
  /** By name; built on first use, and kept up to date from then on. */
  indexes: Map<string, OrderedIndex>;
}

/** Limits on the documents that a query is evaluated on. */
interface Limits {
  most: number;
  after: (Value | undefined)[] | null;
}

export class Indexes {
  private readonly tables = new Map<string, Table>();
  private readonly open = new Map<number, { results: Document[]; at: number }>();
  private shown: Document[] | null = null;
  private documentCount = 0;
  /** Called with all writes of a transaction; if it throws, they are rolled back. */
  beforeCommit: BeforeCommit = () => undefined;

  /** From now on, the database is queried through indexes. */
  constructor(private readonly database: EngineDatabase) {
    this.follow(Object.keys(database._documents));
    this.followWrites();
    this.answerQueries();
  }

  /** The documents of a table, including those written by an open transaction. */
  documents(table: string): Document[] {
    return [...(this.tables.get(table)?.documents.values() ?? [])];
  }

  /** The total number of documents. */
  get size(): number {
    return this.documentCount;
  }

  count(table: string): number {
    return this.tables.get(table)?.documents.size ?? 0;
  }

  /** Updates tables and indexes for these ids. */
  follow(ids: Iterable<string>): void {
    for (const id of ids) {
      const table = this.tableNamed(tableOfId(id));
      const before = table.documents.get(id);
      const now = this.database.get(undefined, id) ?? undefined;
      if (before === now) continue;
      for (const index of table.indexes.values()) {
        if (before) index.remove(before);
        if (now) index.add(now);
      }
      if (now) table.documents.set(id, now);
      else table.documents.delete(id);
      this.documentCount += Number(now !== undefined) - Number(before !== undefined);
    }
  }

  private followWrites(): void {
    const { database } = this;
    const commit = database.commit.bind(database);
    const rollback = database.rollbackWrites.bind(database);
    const addWrite = database._addWrite.bind(database);
    const stash = database.stashWrites.bind(database);
    const restore = database.restoreWrites.bind(database);
    const idsOf = (layers: Layer[]) => new Set(layers.flatMap((layer) => Object.keys(layer)));

    database._addWrite = (id, value) => {
      addWrite(id, value);
      this.follow([id]);
    };
    database.commit = (commitTs = null) => {
      const writes = database._writes.at(-1) ?? {};
      if (database._writes.length === 1) this.beforeCommit(writes, commitTs);
      commit(commitTs);
      this.follow(Object.keys(writes));
    };
    database.rollbackWrites = () => {
      const writes = database._writes.at(-1) ?? {};
      rollback();
      this.follow(Object.keys(writes));
    };
    // For a query of the state before the transaction.
    database.stashWrites = () => {
      const stashed = stash();
      this.follow(idsOf(stashed));
      return stashed;
    };
    database.restoreWrites = (stashed) => {
      restore(stashed);
      this.follow(idsOf(stashed));
    };
  }

  private answerQueries(): void {
    const { database, open } = this;
    const evaluate = database._evaluateQuery.bind(database);
    const paginate = database.paginate.bind(database);
    const iterate = database._iterateDocs.bind(database);

    database._iterateDocs = (table, callback) => {
      if (this.shown) for (const document of this.shown) callback(document);
      else iterate(table, callback);
    };
    database._evaluateQuery = (query) => {
      const limit = query.operators.find((operator) => "limit" in operator)?.limit ?? Infinity;
      for (let most = Math.max(1, limit); ; most *= GROWTH) {
        const { result, cut } = this.show(query.source, { most, after: null }, () =>
          evaluate(query),
        );
        if (!cut || result.length >= limit) return result;
      }
    };
    database.paginate = (request) => {
      if (request.cursor === "_end_cursor") {
        return this.show(request.query.source, { most: 0, after: null }, () => paginate(request))
          .result;
      }
      const after = valuesOfCursor(request);
      // One more than a page, so that the engine sees that it is not the last one.
      for (let most = Math.max(1, request.pageSize) + 1; ; most *= GROWTH) {
        const { result, cut } = this.show(request.query.source, { most, after }, () =>
          paginate(request),
        );
        // A page is only reported as the last one if it reached the end of what was shown.
        if (!cut || !result.isDone) return result;
      }
    };
    // The engine shifts results off the front of an array, which takes time linear in its length.
    database.startQuery = (query) => {
      const results = database._evaluateQuery(query);
      const id = database._nextQueryId;
      database._nextQueryId += 1;
      open.set(id, { results, at: 0 });
      return id;
    };
    database.queryNext = (id) => {
      const query = open.get(id);
      if (query === undefined) throw new Error("Bad queryId");
      const value = query.results[query.at];
      query.at += 1;
      if (value !== undefined) return { value, done: false };
      open.delete(id);
      return { value: null, done: true };
    };
  }

  /** Runs the engine while it sees only some documents of the source. */
  private show<T>(source: QuerySource, limits: Limits, act: () => T): { result: T; cut: boolean } {
    const found = this.find(source, limits);
    this.shown = found && found.documents;
    try {
      return { result: act(), cut: found?.cut ?? false };
    } finally {
      this.shown = null;
    }
  }

  /** Documents that include everything the query needs; null for the whole database. */
  private find(source: QuerySource, { most, after }: Limits): Found | null {
    if (source.type === "Search") return null;
    const [table = "", name = ""] =
      source.type === "FullTableScan"
        ? [source.tableName, "by_creation_time"]
        : source.indexName.split(".");
    const fields = this.fieldsOf(table, name);
    if (fields === null) return null;
    const range = source.type === "FullTableScan" ? [] : source.range;
    if (range.length === 0 && after === null && most === Infinity) {
      return { documents: this.documents(table), cut: false };
    }
    const order = source.order ?? "asc";
    return this.indexOf(table, name, fields).find({ range, after, order, most });
  }

  private indexOf(tableName: string, name: string, fields: string[]): OrderedIndex {
    const table = this.tableNamed(tableName);
    const known = table.indexes.get(name);
    if (known) return known;
    const index = new OrderedIndex(fields, table.documents.values());
    table.indexes.set(name, index);
    return index;
  }

  private tableNamed(name: string): Table {
    const known = this.tables.get(name);
    if (known) return known;
    const table: Table = { documents: new Map(), indexes: new Map() };
    this.tables.set(name, table);
    return table;
  }

  /** The fields by which the engine sorts; null for an index that the schema does not declare. */
  private fieldsOf(table: string, index: string): string[] | null {
    if (index === "by_creation_time") return ["_creationTime", "_id"];
    if (index === "by_id") return ["_id"];
    const declared = this.database._schema?.tables
      .get(table)
      ?.indexes.find(({ indexDescriptor }) => indexDescriptor === index);
    return declared ? [...declared.fields, "_creationTime", "_id"] : null;
  }
}

/** The field values in a cursor of the engine; null if there is none, or it is invalid. */
function valuesOfCursor({ cursor }: PageRequest): (Value | undefined)[] | null {
  if (!cursor) return null;
  try {
    const keys = JSON.parse(cursor) as (string | null)[];
    return keys.map((key) =>
      key === null ? undefined : jsonToConvex(JSON.parse(key) as JSONValue),
    );
  } catch {
    return null;
  }
}
