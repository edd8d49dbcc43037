// @ts-check
/** Bundles the page into ../assets/page.js and page.css; the same sources give the same bytes. */
import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const assets = fileURLToPath(new URL("../assets/", import.meta.url));

mkdirSync(assets, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "main.tsx", out: "page" },
    { in: "page.css", out: "page" },
  ],
  outdir: assets,
  bundle: true,
  minify: true,
  format: "iife",
  charset: "utf8",
  target: ["chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});
for (const name of ["page.js", "page.css"]) {
  const bytes = statSync(`${assets}${name}`).size;
  console.log(`stages/page/assets/${name}  ${(bytes / 1024).toFixed(0)} KiB`);
}
