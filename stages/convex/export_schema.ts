/**
 * Prints what `schema.export()` says of <folder>/schema.ts, and nothing else, on stdout:
 *
 *     node --import tsx stages/convex/export_schema.ts <absolute path of a convex folder>
 *
 * With `--with-inputs` it prints {"exported", "inputs"}: the files that the schema was made of too,
 * those of node_modules left out. The schema is bundled as a push bundles it, and executed, so that
 * whatever it imports and computes is in it. Exit 1 with one line on stderr when that fails.
 */
import { join } from "node:path";
import { loadBundle, placeOf } from "./load_module.ts";

async function exportSchema(file: string): Promise<{ exported: string; inputs: string[] }> {
  const { exports, inputs } = await loadBundle(file);
  const schema = exports.default;
  if (
    typeof schema !== "object" ||
    schema === null ||
    !("export" in schema) ||
    typeof schema.export !== "function"
  ) {
    throw new TypeError("its default export is not a schema of defineSchema");
  }
  return { exported: String(schema.export()), inputs };
}

// stdout belongs to the result, also when the project's code logs as it loads.
console.log = console.info = console.debug = console.error;
const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: export_schema.ts <absolute path of a convex folder> [--with-inputs]");
  process.exit(1);
}
try {
  const { exported, inputs } = await exportSchema(join(folder, "schema.ts"));
  const output = process.argv.includes("--with-inputs")
    ? JSON.stringify({ exported: JSON.parse(exported), inputs })
    : exported;
  process.stdout.write(`${output}\n`);
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  const place = placeOf(error) ?? join(folder, "schema.ts");
  console.error(`can't load ${place}: ${words.replaceAll(/\s*\n\s*/g, " ")}`);
  process.exitCode = 1;
}
