/**
 * Prints what `schema.export()` says of <folder>/schema.ts, and nothing else, on stdout:
 *
 *     node --import tsx stages/convex/export_schema.ts <absolute path of a convex folder>
 *
 * The schema is executed, so that whatever it imports and computes is in it. Exit 1 with one line
 * on stderr when that fails.
 */
import { join } from "node:path";
import { loadModule } from "./load_module.ts";

async function exportSchema(folder: string): Promise<string> {
  const schema = (await loadModule(join(folder, "schema.ts"))).default;
  if (
    typeof schema !== "object" ||
    schema === null ||
    !("export" in schema) ||
    typeof schema.export !== "function"
  ) {
    throw new TypeError("its default export is not a schema of defineSchema");
  }
  return String(schema.export());
}

// stdout belongs to the result, also when the project's code logs as it loads.
console.log = console.info = console.debug = console.error;
const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: export_schema.ts <absolute path of a convex folder>");
  process.exit(1);
}
try {
  process.stdout.write(`${await exportSchema(folder)}\n`);
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  console.error(`can't load ${join(folder, "schema.ts")}: ${words.replaceAll(/\s*\n\s*/g, " ")}`);
  process.exitCode = 1;
}
