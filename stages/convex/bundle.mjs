// @ts-check
/**
 * Loads a module of a convex/ folder as a push does: bundled with all its imports, by the rules of
 * the project's own tsconfig.json and packages, and executed. Used to export schema.ts, and by the
 * sandbox's host.
 *
 * This file is plain JavaScript and imports only Node's own modules: it runs from wherever Python
 * packages are installed. `convex` is the project's own, and esbuild is the one that `convex` itself
 * depends on, resolved from the real folder of `convex`: so it is found if packages are hoisted, in
 * a workspace, and under pnpm, which hides it from the project.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { builtinModules, createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const PACKAGES = /[\\/]node_modules[\\/]/;
// Captures the folder of the innermost package.
const IN_PACKAGE = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+[\\/]).*$/;
const MODULE_URL = "__moduleUrl";

/** @typedef {{file: string, line: number}} Place */
/** @typedef {"no-convex" | "no-esbuild" | "no-package" | "module"} Kind */

/**
 * @typedef {object} Description What is wrong, as JSON.
 * @property {Kind} problem
 * @property {Place | null} place in the project's own files, if it is known
 * @property {string} message
 * @property {string[]} packages those that are not installed
 */

/** A module that can't be loaded. */
export class Problem extends Error {
  /**
   * @param {Kind} problem
   * @param {Place | null} place
   * @param {string} message
   * @param {string[]} packages
   */
  constructor(problem, place, message, packages = []) {
    super(message);
    this.problem = problem;
    this.place = place;
    this.packages = packages;
  }
}

export class Bundler {
  /** @type {Map<string, string>} */
  #prepared = new Map();
  /** @type {Promise<Record<string, any>> | undefined} */
  #shared;

  /**
   * @param {any} esbuild
   * @param {string} convex the real folder of the package
   */
  constructor(esbuild, convex) {
    this.esbuild = esbuild;
    this.convex = convex;
  }

  /**
   * With the packages that modules in `folder` resolve. Throws a Problem if convex or its esbuild is
   * not installed.
   *
   * @param {string} folder
   */
  static async open(folder) {
    const convex = findConvex(folder);
    return new Bundler(await loadEsbuild(convex), convex);
  }

  /**
   * Bundles several modules of one folder together, to be loaded later, which takes half as long.
   * If one of them fails, none is bundled, and `load` reports why.
   *
   * @param {string} folder
   * @param {string[]} files absolute paths
   */
  async prepare(folder, files) {
    const options = this.#options(
      folder,
      files.filter((file) => !usesNode(file)),
    );
    const building = this.esbuild.build(options).catch(() => null);
    await this.#convexModules();
    const bundle = await building;
    for (const { path, text } of bundle?.outputFiles ?? []) this.#prepared.set(path, text);
  }

  /**
   * The module's exports, and the files that it was made from: for a package, its package.json; none
   * if it was prepared. Throws a Problem if it can't be bundled, and whatever the module itself
   * throws: `describe` accepts both.
   *
   * @param {string} file absolute path
   * @returns {Promise<{exports: Record<string, any>, inputs: string[]}>}
   */
  async load(file) {
    const shared = await this.#convexModules();
    const name = bundleOf(file);
    const prepared = this.#prepared.get(name);
    if (prepared !== undefined) {
      this.#prepared.delete(name);
      try {
        return { exports: execute(prepared, name, shared), inputs: [] };
      } catch {
        // Tried again below with a source map, which shows where in the project's files it fails.
      }
    }
    const folder = dirname(file);
    let bundle;
    try {
      bundle = await this.esbuild.build({ ...this.#options(folder, [file]), ...SOURCE_MAP });
    } catch (error) {
      throw bundleProblem(error, folder);
    }
    const paths = Object.keys(bundle.metafile.inputs)
      .filter((path) => !path.startsWith(`${EMPTY}:`))
      .map((path) => join(folder, path).replace(IN_PACKAGE, "$1package.json"));
    return {
      exports: execute(bundle.outputFiles[0].text, name, shared),
      inputs: [...new Set([...paths, join(this.convex, "package.json")])].sort(),
    };
  }

  /**
   * The modules of `convex` that all bundles share, as they do in Convex: so a ConvexError that one
   * module throws is a ConvexError to another.
   */
  #convexModules() {
    /** @type {Promise<Record<string, any>>} */
    const shared = (this.#shared ??= this.esbuild
      .build({
        stdin: {
          contents: SHARED.map((name) => `export * as ${nameOf(name)} from "${name}";`).join("\n"),
          resolveDir: dirname(this.convex),
        },
        nodePaths: [dirname(this.convex)],
        ...COMMON,
      })
      .then((/** @type {any} */ { outputFiles: [{ text }] }) =>
        execute(text, join(this.convex, `shared${BUNDLE}`), {}),
      ));
    return shared;
  }

  /** Ends esbuild's process; the next `load` starts it again. */
  async close() {
    await this.esbuild.stop?.();
  }

  /**
   * @param {string} folder
   * @param {string[]} files
   */
  #options(folder, files) {
    return {
      ...COMMON,
      entryPoints: files,
      absWorkingDir: folder,
      metafile: true,
      // Beside the module, so that the source map's paths are right.
      outdir: folder,
      outbase: folder,
      outExtension: { ".js": BUNDLE },
      // Packages are resolved as for Convex's own runtime; Node's modules are available anyway.
      platform: files.some(usesNode) ? "node" : "browser",
      external: [...builtinModules, "node:*", ...SHARED],
      define: { "process.env.NODE_ENV": '"production"', "import.meta.url": MODULE_URL },
      banner: {
        js: `const ${MODULE_URL} = require("node:url").pathToFileURL(__filename).href;`,
      },
      plugins: [serverOnly],
      // For a schema outside its project, such as one that is not written into it yet.
      nodePaths: [dirname(this.convex)],
    };
  }
}

const SHARED = ["convex/server", "convex/values"];
const COMMON = {
  bundle: true,
  write: false,
  // Convex has no top-level await, and neither has this format.
  format: "cjs",
  conditions: ["convex", "module"],
  jsx: "automatic",
  logLevel: "silent",
};
const SOURCE_MAP = { sourcemap: "inline", sourcesContent: false };
// A distinct name, so that the source map's paths differ from the bundle's.
const BUNDLE = ".bundle.cjs";
const USE_NODE = /^(?:\s|;|\/\/.*|\/\*[^]*?\*\/|["']use strict["'])*["']use node["']/;
const EMPTY = "empty";

/** @param {string} file */
function usesNode(file) {
  return USE_NODE.test(readFileSync(file, "utf8"));
}

/** @param {string} file */
function bundleOf(file) {
  return file.replace(/\.[^.]*$/, BUNDLE);
}

/** A push treats `server-only` as empty: what runs in Convex runs on a server. */
const serverOnly = {
  name: "server-only",
  setup(/** @type {any} */ build) {
    build.onResolve({ filter: /^server-only$/ }, () => ({
      path: "server-only",
      namespace: EMPTY,
    }));
    build.onLoad({ filter: /.*/, namespace: EMPTY }, () => ({ contents: "" }));
  },
};

/**
 * The real folder of the package `convex` that modules in `folder` resolve.
 *
 * @param {string} folder
 */
function findConvex(folder) {
  const found = findPackage("convex", folder);
  if (found !== null) return realpathSync(found);
  throw new Problem("no-convex", null, "the package convex is not installed", ["convex"]);
}

/** @param {string} convex */
async function loadEsbuild(convex) {
  let file;
  try {
    file = createRequire(join(convex, "package.json")).resolve("esbuild");
  } catch {
    throw new Problem("no-esbuild", null, `${convex} has no esbuild beside it`);
  }
  const loaded = await import(pathToFileURL(file).href);
  return loaded.default ?? loaded;
}

/**
 * @param {string} name
 * @param {string} folder
 * @returns {string | null} the folder of the package that modules in `folder` resolve
 */
function findPackage(name, folder) {
  const places = createRequire(join(folder, "here.js")).resolve.paths(name) ?? [];
  const found = places.find((place) => existsSync(join(place, name, "package.json")));
  return found === undefined ? null : join(found, name);
}

/**
 * @param {any} error what esbuild rejects with
 * @param {string} folder
 */
function bundleProblem(error, folder) {
  /** @type {any[]} */
  const errors = error?.errors ?? [];
  const lacking = errors.map((each) => missingPackage(each, folder));
  const missing = [...new Set(lacking.filter((name) => name !== null))].sort();
  // The other errors may well be caused by the missing packages.
  const first = errors[missing.length > 0 ? lacking.findIndex((name) => name !== null) : 0];
  const place = first?.location
    ? { file: join(folder, first.location.file), line: first.location.line }
    : null;
  if (missing.length > 0) {
    const [one] = missing;
    const words =
      missing.length === 1
        ? `the package ${one} is not installed`
        : `these packages are not installed: ${missing.join(", ")}`;
    return new Problem("no-package", place, words, missing);
  }
  /** @type {string[]} */
  const notes = (first?.notes ?? []).map((/** @type {any} */ note) => note.text);
  const why = notes.find((text) => /not exported|tsconfig|package\.json/.test(text));
  const text = first?.text ?? String(error);
  return new Problem("module", place, why ? `${text}. ${why}` : text);
}

/**
 * The package that one of esbuild's errors is about, if it is not installed.
 *
 * @param {any} error
 * @param {string} folder
 * @returns {string | null}
 */
function missingPackage(error, folder) {
  const path = /^Could not resolve "([^"]+)"/.exec(error.text)?.[1] ?? "";
  const name = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9][\w.~-]*(?=\/|$)/i.exec(path)?.[0];
  if (name === undefined || !error.location) return null;
  return findPackage(name, dirname(join(folder, error.location.file))) === null ? name : null;
}

/** @param {string} name */
function nameOf(name) {
  return name.replace("/", "_");
}

/**
 * The exports of a bundle, executed as a module.
 *
 * @param {string} code
 * @param {string} file the path that it would have
 * @param {Record<string, any>} shared the modules of `convex`
 * @returns {any}
 */
function execute(code, file, shared) {
  /** @type {any} */
  const module = new Module(file);
  module.filename = file;
  const require = createRequire(file);
  module.require = (/** @type {string} */ name) => shared[nameOf(name)] ?? require(name);
  process.setSourceMapsEnabled(true);
  module._compile(code, file);
  return module.exports;
}

/**
 * What `load` throws, as JSON.
 *
 * @param {unknown} error
 * @returns {Description}
 */
export function describe(error) {
  if (error instanceof Problem) {
    const { problem, place, message, packages } = error;
    return { problem, place, message, packages };
  }
  const words = error instanceof Error ? error.message || error.name : String(error);
  // Removes a bundle's own names for imports: `v.text`, not `import_values2.v.text`.
  const message = words.replaceAll(/\bimport_\w+\./g, "");
  return { problem: "module", place: placeOf(error), message, packages: [] };
}

/**
 * The innermost line of the project's own files that an error passed through.
 *
 * @param {unknown} error
 * @returns {Place | null}
 */
function placeOf(error) {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  // Frames of this program's own files are file:// URLs.
  for (const [, file = "", line] of stack.matchAll(
    /(?:\(|at )((?:\/|[A-Z]:)[^()\n]*?):(\d+):\d+\)?$/gm,
  )) {
    if (!PACKAGES.test(file)) return { file, line: Number(line) };
  }
  return null;
}
