/**
 * Loads a TypeScript module of a project's convex/ folder (under tsx). The project's own `convex`
 * package is used; a folder without one gets the `convex` that is installed beside this file.
 */
import { Module, register } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export type LoadedModule = Record<string, unknown>;

// A project whose package.json does not say "type": "module" is loaded through require, any other
// through import; each of the two has its own way to add a place of last resort.

const fallback = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules");
process.env.NODE_PATH = [process.env.NODE_PATH, fallback].filter(Boolean).join(":");
(Module as unknown as { _initPaths(): void })._initPaths();

const hooks = `
  export async function resolve(specifier, context, next) {
    try {
      return await next(specifier, context);
    } catch (error) {
      if (!/^convex(\\/|$)/.test(specifier)) throw error;
      return await next(specifier, { ...context, parentURL: ${JSON.stringify(import.meta.url)} });
    }
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

/** The module's exports. Throws what the module throws, or Node's error where there is none. */
export async function loadModule(file: string): Promise<LoadedModule> {
  const loaded = (await import(pathToFileURL(file).href)) as LoadedModule;
  // Through require, import() puts the exports of the module into `default`.
  const inner = loaded.default as LoadedModule | undefined;
  return inner?.__esModule ? inner : loaded;
}

/**
 * A module and all that it imports, bundled into one and executed. As in a push, the nearest
 * tsconfig.json decides about path aliases, and packages come from the project's own node_modules.
 * `inputs` are absolute paths of the project's files that went into it.
 *
 * Throws esbuild's failure where a file can't be read or resolved, else what the module throws.
 */
export async function loadBundle(
  file: string,
): Promise<{ exports: LoadedModule; inputs: string[] }> {
  const { build } = await import("esbuild");
  let built;
  try {
    built = await build({
      entryPoints: [file],
      absWorkingDir: dirname(file),
      bundle: true,
      write: false,
      metafile: true,
      format: "cjs",
      platform: "node",
      conditions: ["convex", "module"],
      nodePaths: [fallback],
      sourcemap: "inline",
      logLevel: "silent",
    });
  } catch (error) {
    throw new BundleError(error as BuildFailure, dirname(file));
  }
  const inputs = Object.keys(built.metafile.inputs)
    .map((path) => join(dirname(file), path))
    .filter((path) => !/[\\/]node_modules[\\/]/.test(path))
    .sort();
  const bundle = new Module(file) as Module & { _compile(code: string, file: string): void };
  bundle.filename = file;
  process.setSourceMapsEnabled(true);
  // A name of its own, so that the source map's paths are not those of the bundle.
  bundle._compile(built.outputFiles[0]!.text, join(dirname(file), "schema.bundle.cjs"));
  return { exports: bundle.exports as LoadedModule, inputs };
}

interface BuildFailure {
  errors?: { text: string; location: { file: string; line: number } | null }[];
}

class BundleError extends Error {
  readonly place: string | null;
  constructor(failure: BuildFailure, folder: string) {
    const first = failure.errors?.[0];
    super(first?.text ?? String(failure));
    this.place = first?.location
      ? `${join(folder, first.location.file)}, line ${first.location.line}`
      : null;
  }
}

/** Where in the project's own files an error of `loadBundle` comes from: `file, line n`. */
export function placeOf(error: unknown): string | null {
  if (error instanceof BundleError) return error.place;
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, file, line] of stack.matchAll(/(?:\(|at )((?:\/|[A-Z]:)[^()\n]*?):(\d+):\d+\)?$/gm)) {
    if (!/[\\/]node_modules[\\/]|export_schema\.ts|load_module\.ts|^node:/.test(file!)) {
      return `${file}, line ${line}`;
    }
  }
  return null;
}
