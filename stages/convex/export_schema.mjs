// @ts-check
/**
 * Executes a schema.ts and prints the result of `schema.export()` as one JSON object:
 *
 *     node export_schema.mjs <absolute path of schema.ts> <folder whose packages it uses>
 *
 *     {"exported": …, "inputs": [absolute path, …]}   the files it was made from
 *     {"problem": …, "place": …, "message": …, "packages": …}   see Description in bundle.mjs
 *
 * The schema is loaded as a push loads it, so that it includes whatever it imports and computes.
 */
import { Bundler, describe } from "./bundle.mjs";

/**
 * @param {string} file
 * @param {string} packages
 */
async function exportSchema(file, packages) {
  const bundler = await Bundler.open(packages);
  const { exports, inputs } = await bundler.load(file);
  return { exported: exportOf(exports), inputs };
}

/** @param {any} exports */
function exportOf(exports) {
  const schema = exports.default;
  if (typeof schema?.export !== "function") {
    throw new TypeError("its default export is not a schema of defineSchema");
  }
  return JSON.parse(String(schema.export()));
}

const write = process.stdout.write.bind(process.stdout);
let finished = false;

/**
 * Prints the result and exits, even if the project's code has left timers or sockets open.
 *
 * @param {object} result
 */
function finish(result) {
  if (finished) return;
  finished = true;
  write(`${JSON.stringify(result)}\n`, () => process.exit("problem" in result ? 1 : 0));
}

// stdout is reserved for the result, even if the project's code logs while it loads.
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
