// @ts-check
/**
 * Executes a schema.ts and prints, as one JSON object, what `schema.export()` says of it:
 *
 *     node export_schema.mjs <absolute path of schema.ts> <folder whose packages it uses>
 *
 *     {"exported": …, "inputs": [absolute path, …]}   the files it was made of, packages left out
 *     {"problem": "no-convex" | "no-esbuild" | "schema", "place": {"file": …, "line": …} | null,
 *      "message": …}
 *
 * The schema is bundled as a push bundles it, and executed, so that whatever it imports and computes
 * is in it. This file is plain JavaScript and imports nothing but Node's own modules: it runs from
 * wherever Python's packages are. `convex` is the project's own, and esbuild is the one that `convex`
 * itself depends on, found from where `convex` really lies: so it is found where packages are
 * hoisted, in a workspace, and under pnpm, which hides it from the project.
 */
import { existsSync, realpathSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = fileURLToPath(import.meta.url);
const PACKAGES = /[\\/]node_modules[\\/]/;

/** @typedef {{file: string, line: number}} Place */

/** A failure, and where in the project's own files it comes from. */
class Problem extends Error {
  /**
   * @param {"no-convex" | "no-esbuild" | "schema"} problem
   * @param {Place | null} place
   * @param {string} message
   */
  constructor(problem, place, message) {
    super(message);
    this.problem = problem;
    this.place = place;
  }
}

/**
 * The real folder of the package `convex` that modules in `folder` get.
 *
 * @param {string} folder
 */
function findConvex(folder) {
  const places = createRequire(join(folder, "here.js")).resolve.paths("convex") ?? [];
  for (const place of places) {
    if (existsSync(join(place, "convex", "package.json")))
      return realpathSync(join(place, "convex"));
  }
  throw new Problem("no-convex", null, "the package convex is not installed");
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
 * @param {string} file
 * @param {string} packages
 */
async function exportSchema(file, packages) {
  const convex = findConvex(packages);
  const esbuild = await loadEsbuild(convex);
  const folder = dirname(file);
  let bundle;
  try {
    bundle = await esbuild.build({
      entryPoints: [file],
      absWorkingDir: folder,
      bundle: true,
      write: false,
      metafile: true,
      format: "cjs",
      platform: "node",
      conditions: ["convex", "module"],
      // For a schema that lies outside of its project, as one does that is not written yet.
      nodePaths: [dirname(convex)],
      sourcemap: "inline",
      logLevel: "silent",
    });
  } catch (error) {
    throw bundleProblem(error, folder);
  }
  const inputs = Object.keys(bundle.metafile.inputs)
    .map((path) => join(folder, path))
    .filter((path) => !PACKAGES.test(path))
    .sort();
  return { exported: exportOf(execute(bundle.outputFiles[0].text, file)), inputs };
}

/**
 * @param {any} error what esbuild rejects with
 * @param {string} folder
 */
function bundleProblem(error, folder) {
  const first = error?.errors?.[0];
  const place = first?.location
    ? { file: join(folder, first.location.file), line: first.location.line }
    : null;
  return new Problem("schema", place, first?.text ?? String(error));
}

/**
 * The exports of a bundle, executed as a module in the folder of `file`.
 *
 * @param {string} code
 * @param {string} file
 * @returns {any}
 */
function execute(code, file) {
  /** @type {any} */
  const module = new Module(file);
  module.filename = file;
  process.setSourceMapsEnabled(true);
  // A name of its own, so that the source map's paths are not those of the bundle.
  module._compile(code, join(dirname(file), "schema.bundle.cjs"));
  return module.exports;
}

/** @param {any} exports */
function exportOf(exports) {
  const schema = exports.default;
  if (typeof schema?.export !== "function") {
    throw new TypeError("its default export is not a schema of defineSchema");
  }
  return JSON.parse(String(schema.export()));
}

/**
 * @param {unknown} error
 * @returns {{problem: string, place: Place | null, message: string}}
 */
function describe(error) {
  if (error instanceof Problem) {
    const { problem, place, message } = error;
    return { problem, place, message };
  }
  const message = error instanceof Error ? error.message || error.name : String(error);
  return { problem: "schema", place: placeOf(error), message };
}

/**
 * The innermost line of the project's own files that an error passed through.
 *
 * @param {unknown} error
 * @returns {Place | null}
 */
function placeOf(error) {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, file = "", line] of stack.matchAll(
    /(?:\(|at )((?:\/|[A-Z]:)[^()\n]*?):(\d+):\d+\)?$/gm,
  )) {
    if (!PACKAGES.test(file) && file !== HERE) return { file, line: Number(line) };
  }
  return null;
}

const write = process.stdout.write.bind(process.stdout);
let finished = false;

/**
 * Prints the result and ends, also when the project's code has left timers or sockets open.
 *
 * @param {object} result
 */
function finish(result) {
  if (finished) return;
  finished = true;
  write(`${JSON.stringify(result)}\n`, () => process.exit("problem" in result ? 1 : 0));
}

// stdout belongs to the result, also when the project's code logs as it loads.
process.stdout.write = process.stderr.write.bind(process.stderr);
process.on("uncaughtException", (error) => finish(describe(error)));
const [, , file, packages] = process.argv;
if (file === undefined || packages === undefined) {
  console.error("usage: export_schema.mjs <schema.ts> <folder whose packages it uses>");
  process.exit(2);
}
try {
  finish(await exportSchema(file, packages));
} catch (error) {
  finish(describe(error));
}
