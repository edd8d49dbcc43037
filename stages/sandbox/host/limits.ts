/**
 * Rules of the real backend that the engine does not enforce, for arguments and for every document
 * that is inserted or replaced. (The engine itself enforces the per-transaction limits; the
 * `convex` package has the rules for field names.)
 *
 * Still missing here: the size of a document after a patch; v.record and int64 literals, which the
 * engine does not match; write throughput, the one-second limit of a function, conflicts of
 * concurrent mutations (the engine runs one at a time); size and nesting of results.
 */
import {
  getConvexSize,
  getDocumentSize,
  jsonToConvex,
  type JSONValue,
  type Value,
} from "convex/values";

const MIB = 1024 * 1024;
const ARGUMENT_BYTES = 16 * MIB;
const DOCUMENT_BYTES = MIB;
const ARRAY_LENGTH = 8192;
const OBJECT_FIELDS = 1024;
const VALUE_NESTING = 64;
const DOCUMENT_NESTING = 16;

interface Syscalls {
  syscall(op: string, args: string): string;
  jsSyscall(op: string, args: Record<string, unknown>): unknown;
  asyncSyscall(op: string, args: string): Promise<string>;
}

/** Throws if the arguments of a call break a rule. */
export function checkArguments(path: string, args: Value): void {
  const bytes = getConvexSize(args);
  if (bytes > ARGUMENT_BYTES) {
    throw new Error(
      `Arguments for ${path} are too large (actual: ${mib(bytes)}, limit: ${mib(ARGUMENT_BYTES)})`,
    );
  }
  checkNesting("Value", nesting(args), VALUE_NESTING);
}

/** Throws if a document, with or without its system fields, breaks a rule. */
export function checkDocument(document: Value): void {
  checkNesting("Document", nesting(document), DOCUMENT_NESTING);
  for (const name of Object.keys(document as object)) {
    if (name.startsWith("_") && name !== "_id" && name !== "_creationTime") {
      throw new Error(`Field '${name}' starts with an underscore, which is only for system fields`);
    }
  }
  const bytes = getDocumentSize(document as Record<string, Value>);
  if (bytes > DOCUMENT_BYTES) {
    throw new Error(`Value is too large (${mib(bytes)} > maximum size ${mib(DOCUMENT_BYTES)})`);
  }
}

/**
 * From now on, checks every insert and replace of this process; an insert into a table that the
 * schema does not declare fails. A failed check fails the transaction. Works at the interface
 * between the `convex` package and its runtime, `globalThis.Convex`.
 */
export function guardWrites(tables: ReadonlySet<string> | null): void {
  const runtime = globalThis as unknown as { Convex: Syscalls };
  const engine = runtime.Convex;
  runtime.Convex = {
    // Looked up on each call: the engine answers for the transaction running at that time.
    syscall: (op, args) => engine.syscall(op, args),
    jsSyscall: (op, args) => engine.jsSyscall(op, args),
    asyncSyscall: async (op, args) => {
      if (op === "1.0/insert" || op === "1.0/replace") {
        const { table, value } = JSON.parse(args) as { table?: string; value: JSONValue };
        if (op === "1.0/insert" && tables && !tables.has(table ?? "")) {
          throw new Error(`Table "${table}" is not in the schema`);
        }
        checkDocument(jsonToConvex(value));
      }
      return await engine.asyncSyscall(op, args);
    },
  };
}

/** Nesting levels of arrays and objects, including the outermost; also checks their lengths. */
function nesting(value: Value): number {
  if (Array.isArray(value)) {
    if (value.length > ARRAY_LENGTH) {
      throw new Error(
        `Array length is too long (${value.length} > maximum length ${ARRAY_LENGTH})`,
      );
    }
    return 1 + deepest(value);
  }
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return 0;
  const fields = Object.values(value).filter((field) => field !== undefined);
  if (fields.length > OBJECT_FIELDS) {
    throw new Error(
      `Object has too many fields (${fields.length} > maximum number ${OBJECT_FIELDS})`,
    );
  }
  return 1 + deepest(fields);
}

function deepest(values: Value[]): number {
  return values.reduce<number>((most, value) => Math.max(most, nesting(value)), 0);
}

function checkNesting(what: string, levels: number, most: number): void {
  if (levels > most) {
    throw new Error(
      `${what} is too nested (nested ${levels} levels deep > maximum nesting ${most})`,
    );
  }
}

function mib(bytes: number): string {
  return `${Number((bytes / MIB).toFixed(2))} MiB`;
}
