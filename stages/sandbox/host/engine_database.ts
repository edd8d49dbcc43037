/**
 * The database inside convex-test, as far as this host uses it. The engine does not export it;
 * these declarations follow the source of 0.0.60, and `databaseOf` refuses any other shape.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { TestConvex } from "convex-test";
import type { GenericSchema, SchemaDefinition } from "convex/server";
import type { JSONValue, Value } from "convex/values";

export type Engine = TestConvex<SchemaDefinition<GenericSchema, boolean>>;
export type Document = Record<string, Value> & { _id: string; _creationTime: number };
/** The writes of one level of nested transactions: document id → document, null if deleted. */
export type Layer = Record<string, Document | null>;

export interface RangeExpression {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: JSONValue;
}

export type QuerySource =
  | { type: "FullTableScan"; tableName: string; order: Order }
  | { type: "IndexRange"; indexName: string; range: RangeExpression[]; order: Order }
  | { type: "Search"; indexName: string };
export type Order = "asc" | "desc" | null;

export interface Query {
  source: QuerySource;
  operators: ({ limit: number } | { filter: JSONValue })[];
}

export interface PageRequest {
  query: Query;
  cursor: string | null;
  endCursor?: string | null;
  pageSize: number;
}

export interface EngineDatabase {
  /** Committed documents by id. */
  _documents: Record<string, Document>;
  /** Pending writes, the innermost transaction's last. */
  _writes: Layer[];
  _nextQueryId: number;
  _nextDocId: number;
  _lastCreationTime: number;
  _schema: {
    tables: Map<string, { indexes: { indexDescriptor: string; fields: string[] }[] }>;
  } | null;
  /** The document as the innermost transaction sees it. */
  get(table: string | undefined, id: string): Document | null;
  commit(commitTs?: bigint | null): void;
  rollbackWrites(): void;
  stashWrites(): Layer[];
  restoreWrites(stashed: Layer[]): void;
  startQuery(query: Query): number;
  queryNext(queryId: number): { value: Document | null; done: boolean };
  paginate(request: PageRequest): { isDone: boolean };
  /** Returns the id of the next document of this table, and increments _nextDocId. */
  _generateId(table: string): string;
  _addWrite(id: string, value: Document | null): void;
  _evaluateQuery(query: Query): Document[];
  /** Calls back for each document of a table: queries read all documents through this. */
  _iterateDocs(table: string, callback: (document: Document) => void): void;
  /** Throws if a document, without its system fields, does not fit the schema. */
  _validate(table: string, document: Record<string, Value>): void;
}

/** Begins and ends the engine's transactions, one at a time. */
export interface EngineTransactions {
  /** Resolved when the transaction under way ends; null if there is none. */
  _waitOnCurrentFunction: Promise<void> | null;
  begin(isNested: boolean, limits?: unknown): Promise<void>;
}

const METHODS = [
  "get", "commit", "rollbackWrites", "stashWrites", "restoreWrites", "startQuery", "queryNext",
  "paginate", "_generateId", "_addWrite", "_evaluateQuery", "_iterateDocs", "_validate",
] as const satisfies (keyof EngineDatabase)[]; // prettier-ignore

/** The engine's internals are not those of the supported version. */
export class UnknownEngine extends Error {
  constructor(what: string) {
    super(`convex-test is not the version that the sandbox was written for: ${what}`);
  }
}

/** The one database of an engine without components. Throws UnknownEngine. */
export function databaseOf(engine: Engine): EngineDatabase {
  const database = stateOf(engine)?.components?.[""]?.db;
  if (!database) throw new UnknownEngine("its database was not found");
  for (const method of METHODS) {
    if (typeof database[method] !== "function") throw new UnknownEngine(`no ${method}`);
  }
  for (const number of ["_nextQueryId", "_nextDocId", "_lastCreationTime"] as const) {
    if (typeof database[number] !== "number") throw new UnknownEngine(`no ${number}`);
  }
  if (!Array.isArray(database._writes) || typeof database._documents !== "object") {
    throw new UnknownEngine("it keeps its documents in another way");
  }
  return database;
}

/** The transaction manager of an engine. Throws UnknownEngine. */
export function transactionsOf(engine: Engine): EngineTransactions {
  const manager = stateOf(engine)?.transactionManager;
  if (typeof manager?.begin !== "function" || manager._waitOnCurrentFunction !== null) {
    throw new UnknownEngine("what begins its transactions was not found");
  }
  return manager;
}

interface EngineState {
  transactionManager?: EngineTransactions;
  components?: Record<string, { db: EngineDatabase } | undefined>;
}

/**
 * The state with which the engine enters its AsyncLocalStorage when one of its methods is called;
 * the storage itself is private. The method called here is the one that does nothing.
 */
function stateOf(engine: Engine): EngineState | undefined {
  const states: unknown[] = [];
  const run = AsyncLocalStorage.prototype.run;
  AsyncLocalStorage.prototype.run = function (this: unknown, ...args: unknown[]) {
    states.push(args[0]);
    return Reflect.apply(run, this, args) as never;
  } as typeof run;
  try {
    void engine.finishInProgressScheduledFunctions();
  } finally {
    AsyncLocalStorage.prototype.run = run;
  }
  return states.find(
    (state): state is EngineState =>
      typeof state === "object" && state !== null && "components" in state,
  );
}

/** The table of an engine's id, which ends with the table's name. */
export function tableOfId(id: string): string {
  return id.replace(/^[0-9]+/, "");
}
