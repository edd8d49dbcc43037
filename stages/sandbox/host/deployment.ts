/** A deployment: the project's own functions, executed by convex-test. */
import { convexTest, type TestConvex } from "convex-test";
import {
  makeFunctionReference,
  type DefaultFunctionArgs,
  type FunctionReference,
  type GenericSchema,
  type HttpRouter,
  type SchemaDefinition,
} from "convex/server";
import { jsonToConvex, type JSONValue, type Value } from "convex/values";
import { checkEngine } from "./engine_check.ts";
import {
  databaseOf,
  transactionsOf,
  type Document,
  type EngineDatabase,
} from "./engine_database.ts";
import { ImportedIds } from "./ids.ts";
import { Imports } from "./imports.ts";
import { Indexes } from "./indexes.ts";
import { KeptDocuments, type Kept } from "./kept_documents.ts";
import { NotWritten } from "./line_log.ts";
import { checkArguments, guardWrites } from "./limits.ts";
import { Modules, Unloadable, type LoadedModule } from "./modules.ts";
import { describeError, failed, InvalidArguments, type Outcome } from "./outcome.ts";
import { TableNumbers } from "./table_numbers.ts";
import { Transactions } from "./transactions.ts";
import { HttpError } from "./web.ts";

export type Kind = "query" | "mutation" | "action";
export type Schema = SchemaDefinition<GenericSchema, boolean>;

/** A function that the project exports, with the validators of its arguments and result. */
export interface RegisteredFunction {
  path: string;
  kind: Kind;
  internal: boolean;
  args: JSONValue;
  returns: JSONValue;
}

/** Why there are no HTTP actions, and whether that is due to a failure. */
export interface Unrouted {
  unrouted: string;
  failed: boolean;
}

interface Markers {
  isQuery?: true;
  isMutation?: true;
  isAction?: true;
  isInternal?: true;
  exportArgs(): string;
  exportReturns(): string;
}

export class Deployment {
  readonly ids = new ImportedIds();
  readonly imports = new Imports(this);
  readonly numbers = new TableNumbers();
  private readonly database: EngineDatabase;
  private readonly indexes: Indexes;
  private readonly transactions: Transactions;
  private kept: KeptDocuments | null = null;

  private constructor(
    readonly name: string,
    readonly schema: Schema | null,
    /** http.ts, or the reason why there is none. */
    readonly router: HttpRouter | Unrouted,
    readonly engine: TestConvex<Schema>,
    private readonly modules: Modules,
    private readonly registered: Map<string, RegisteredFunction>,
  ) {
    this.database = databaseOf(engine);
    this.indexes = new Indexes(this.database);
    this.transactions = new Transactions(transactionsOf(engine));
  }

  /**
   * Opens a convex folder: loads schema.ts, the `needed` modules, and http.ts. Other modules are
   * loaded when one of their functions is called. Throws Unloadable if schema.ts or a needed module
   * fails to load, and UnknownEngine for an unsupported version of convex-test.
   */
  static async open(name: string, folder: string, needed: string[]): Promise<Deployment> {
    const modules = await Modules.open(folder, ["schema", "http", ...needed]);
    const registered = new Map<string, RegisteredFunction>();
    const [loaded, router] = await Promise.all([
      modules.has("schema") ? modules.load("schema") : {},
      routerOf(modules),
      ...needed
        .filter((path) => modules.has(path))
        .map((path) => register(modules, path, registered)),
    ]);
    await modules.rest();
    const schema = ((loaded as LoadedModule).default ?? null) as Schema | null;
    const loaders = Object.fromEntries(
      [...modules.paths].map((path) => [`./${path}.ts`, () => modules.load(path)]),
    );
    const engine = convexTest({
      ...(schema && { schema }),
      // The engine finds the root of the paths from the folder _generated.
      modules: { ...loaders, "./_generated/api.js": () => Promise.resolve({}) },
      transactionLimits: true,
    });
    await checkEngine();
    guardWrites(schema?.schemaValidation ? new Set(Object.keys(schema.tables)) : null);
    return new Deployment(name, schema, router, engine, modules, registered);
  }

  /**
   * Loads the first documents: those of a file, to which all later writes go, or those that `seed`
   * inserts if the file does not exist yet or `file` is null. Returns their number. Throws as
   * `KeptDocuments.keep` does.
   */
  async begin(file: string | null, seed: () => Promise<unknown>): Promise<number> {
    if (file === null) {
      this.numbers.add(this.tables);
      await seed();
    } else {
      this.kept = await KeptDocuments.keep(file, this.toKeep, seed);
    }
    return this.indexes.size;
  }

  /**
   * Checks whether it could begin with the documents of a file, which another process may be
   * writing. Throws as `begin` does.
   */
  check(file: string | null): void {
    if (file !== null) KeptDocuments.check(file, this.toKeep);
  }

  private get toKeep(): Kept {
    const { database, indexes, transactions, ids, numbers, tables, exported } = this;
    return { database, indexes, transactions, ids, numbers, tables, schema: exported };
  }

  /** The functions of the modules loaded so far. */
  get functions(): RegisteredFunction[] {
    return [...this.registered.values()];
  }

  /** The schema's table names, sorted. */
  get tables(): string[] {
    return Object.keys(this.schema?.tables ?? {}).sort();
  }

  /** The schema as a push sends it; "" for none. */
  get exported(): string {
    // export() is marked internal in the types, though a push uses it.
    const schema = this.schema as { export(): string } | null;
    return schema?.export() ?? "";
  }

  /** The documents of a table, without a limit, read between two transactions. */
  async documents(table: string): Promise<Document[]> {
    return await this.between(() => this.indexes.documents(table));
  }

  async count(table: string): Promise<number> {
    return await this.between(() => this.indexes.count(table));
  }

  /** The ids that the engine will give the next documents, for these tables in this order. */
  nextIds(tables: string[]): string[] {
    const next = this.database._nextDocId;
    const ids = tables.map((table) => this.database._generateId(table));
    this.database._nextDocId = next;
    return ids;
  }

  private async between<T>(read: () => T): Promise<T> {
    let result: T | undefined;
    await this.engine.run(async () => {
      result = read();
    });
    return result as T;
  }

  /** Runs transactions that a restart finds all or none of; others wait until they are done. */
  async together<T>(act: () => Promise<T>): Promise<T> {
    return await (this.kept ?? this.transactions).together(act);
  }

  /**
   * Calls a function of the project. `expected` is its kind, or null for any; internal functions
   * answer only to an admin. Every failure is an outcome, as in the Functions API, except a full
   * disk: that is an HttpError, which means that the call can be repeated.
   */
  async call(
    path: string,
    encoded: JSONValue,
    { expected, admin }: { expected: Kind | null; admin: boolean },
  ): Promise<Outcome> {
    let registered: RegisteredFunction | undefined;
    try {
      registered = await this.find(canonical(path));
    } catch (error) {
      if (error instanceof Unloadable) return failed(error.message);
      throw error;
    }
    if (!registered || (registered.internal && !admin)) {
      return failed(
        `Could not find public function for '${canonical(path).replace(/:default$/, "")}'. Did you ` +
          "forget to run `npx convex dev` or `npx convex deploy`?",
      );
    }
    if (expected !== null && registered.kind !== expected) {
      return failed(
        `Trying to execute ${path} as ${titled(expected)}, but it is defined as ${titled(registered.kind)}.`,
      );
    }
    try {
      const args = decodeArguments(registered.path, this.ids.inward(encoded));
      return { value: this.ids.outward(await this.execute(registered, args)) };
    } catch (error) {
      if (error instanceof NotWritten) {
        throw new HttpError(500, "InternalServerError", error.message);
      }
      return describeError(error);
    }
  }

  private async find(path: string): Promise<RegisteredFunction | undefined> {
    const module = path.slice(0, path.lastIndexOf(":"));
    if (!this.registered.has(path) && this.modules.has(module)) {
      await register(this.modules, module, this.registered);
    }
    return this.registered.get(path);
  }

  private async execute({ path, kind }: RegisteredFunction, args: DefaultFunctionArgs) {
    const reference = makeFunctionReference<Kind>(path);
    const value: unknown =
      kind === "query"
        ? await this.engine.query(reference as FunctionReference<"query">, args)
        : kind === "mutation"
          ? await this.engine.mutation(reference as FunctionReference<"mutation">, args)
          : await this.engine.action(reference as FunctionReference<"action">, args);
    return value as Value;
  }
}

/** Turns `dir/mod.js:fn`, `dir/mod:fn` and `dir/mod` (its default export) into `dir/mod:fn`. */
function canonical(path: string): string {
  const [module = "", name = "default"] = path.split(":");
  return `${module.replace(/\.[cm]?[jt]sx?$/, "")}:${name}`;
}

async function routerOf(modules: Modules): Promise<HttpRouter | Unrouted> {
  if (!modules.has("http")) return { unrouted: "no convex/http.ts", failed: false };
  try {
    const router = (await modules.load("http")).default as HttpRouter | undefined;
    return (
      router ?? {
        unrouted: "convex/http.ts has no default export",
        failed: true,
      }
    );
  } catch (error) {
    if (error instanceof Unloadable) return { unrouted: error.message, failed: true };
    throw error;
  }
}

/** Adds the functions that a module exports. */
async function register(
  modules: Modules,
  module: string,
  functions: Map<string, RegisteredFunction>,
): Promise<void> {
  for (const [name, value] of Object.entries(await modules.load(module))) {
    if (typeof value !== "function") continue;
    const marked = value as unknown as Markers;
    const kind: Kind | null = marked.isQuery
      ? "query"
      : marked.isMutation
        ? "mutation"
        : marked.isAction
          ? "action"
          : null;
    if (kind === null) continue;
    functions.set(`${module}:${name}`, {
      path: `${module}:${name}`,
      kind,
      internal: marked.isInternal === true,
      args: JSON.parse(marked.exportArgs()) as JSONValue,
      returns: (JSON.parse(marked.exportReturns()) as JSONValue) ?? {
        type: "any",
      },
    });
  }
}

/** Arguments are encoded JSON in every format: one object, or an array of one object. */
export function decodeArguments(path: string, encoded: JSONValue): DefaultFunctionArgs {
  const only = Array.isArray(encoded) ? (encoded.length === 0 ? {} : encoded[0]) : encoded;
  if (Array.isArray(encoded) && encoded.length > 1) {
    throw new InvalidArguments("a function takes one object of arguments");
  }
  let args: Value;
  try {
    args = jsonToConvex(only as JSONValue);
  } catch (error) {
    throw new InvalidArguments(error instanceof Error ? error.message : String(error));
  }
  if (
    typeof args !== "object" ||
    args === null ||
    Array.isArray(args) ||
    args instanceof ArrayBuffer
  ) {
    throw new InvalidArguments("the arguments of a function are one object");
  }
  checkArguments(path, args);
  return args as DefaultFunctionArgs;
}

export function titled(kind: Kind): "Query" | "Mutation" | "Action" {
  return kind === "query" ? "Query" : kind === "mutation" ? "Mutation" : "Action";
}
