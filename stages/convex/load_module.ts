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
