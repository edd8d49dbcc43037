/** Loads a module of a project's convex/ folder, under tsx, with the project's own packages. */
import { pathToFileURL } from "node:url";

export type LoadedModule = Record<string, unknown>;

/** The module's exports. Throws what the module throws, or Node's error where there is none. */
export async function loadModule(file: string): Promise<LoadedModule> {
  const loaded = (await import(pathToFileURL(file).href)) as LoadedModule;
  // A project whose package.json does not say "type": "module" is loaded through require, and then
  // import() puts the exports of the module into `default`.
  const inner = loaded.default as LoadedModule | undefined;
  return inner?.__esModule ? inner : loaded;
}
