/** A deployment in memory: the project's own functions, executed by convex-test. */
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
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
import { loadModule, type LoadedModule } from "./load_module.ts";
import { ImportedIds } from "./ids.ts";
import { Imports } from "./imports.ts";
import { checkArguments, guardWrites } from "./limits.ts";
import { describeError, failed, InvalidArguments, type Outcome } from "./outcome.ts";

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

  private constructor(
    readonly name: string,
    readonly schema: Schema | null,
    readonly functions: ReadonlyMap<string, RegisteredFunction>,
    readonly router: HttpRouter | null,
    readonly engine: TestConvex<Schema>,
  ) {}

  /** Loads every module of a convex folder. Throws what one of them throws as it loads. */
  static async open(name: string, folder: string): Promise<Deployment> {
    const modules = new Map<string, LoadedModule>();
    for (const file of moduleFiles(folder)) {
      const path = relative(folder, file).replace(/\.[^.]+$/, "");
      modules.set(path, await loadModule(file));
    }
    const schema = (modules.get("schema")?.default ?? null) as Schema | null;
    const router = (modules.get("http")?.default ?? null) as HttpRouter | null;
    const loaders = Object.fromEntries(
      [...modules].map(([path, loaded]) => [`./${path}.ts`, () => Promise.resolve(loaded)]),
    );
    const engine = convexTest({
      ...(schema && { schema }),
      // The engine finds the root of the paths by the folder _generated.
      modules: { ...loaders, "./_generated/api.js": () => Promise.resolve({}) },
      transactionLimits: true,
    });
    guardWrites(schema && new Set(Object.keys(schema.tables)));
    return new Deployment(name, schema, registeredFunctions(modules), router, engine);
  }

  /** Table names in the order in which the backend numbers them. */
  get tables(): string[] {
    return Object.keys(this.schema?.tables ?? {}).sort();
  }

  /**
   * Calls a function of the project. `expected` is its kind, or null for any; internal functions
   * answer only to an admin. Never throws: every failure is an outcome, as in the Functions API.
   */
  async call(
    path: string,
    encoded: JSONValue,
    { expected, admin }: { expected: Kind | null; admin: boolean },
  ): Promise<Outcome> {
    const registered = this.functions.get(canonical(path));
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
      return describeError(error);
    }
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

/** `dir/mod.js:fn`, `dir/mod:fn` and `dir/mod` (its default export) as `dir/mod:fn`. */
function canonical(path: string): string {
  const [module = "", name = "default"] = path.split(":");
  return `${module.replace(/\.[cm]?[jt]sx?$/, "")}:${name}`;
}

/** The modules of a convex folder by the rules of a push: `a.test.ts` and its like are none. */
function moduleFiles(folder: string): string[] {
  if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^[^.#][^.]*\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/(^|[\\/])(_generated|node_modules)[\\/]/.test(relative(folder, file)))
    .sort();
}

function registeredFunctions(modules: Map<string, LoadedModule>): Map<string, RegisteredFunction> {
  const functions = new Map<string, RegisteredFunction>();
  for (const [module, exported] of modules) {
    for (const [name, value] of Object.entries(exported)) {
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
        returns: (JSON.parse(marked.exportReturns()) as JSONValue) ?? { type: "any" },
      });
    }
  }
  return functions;
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
