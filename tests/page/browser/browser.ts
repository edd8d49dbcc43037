/** One Chromium for all tests, from the packages in the lock file. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const MODULES = fileURLToPath(new URL("../../../node_modules/", import.meta.url));

/** The folder where the package's Chromium is unpacked: once per version, atomically. */
async function unpacked(): Promise<string> {
  const packaged = join(dirname(dirname(dirname(require.resolve("@sparticuz/chromium")))), "package.json");
  const { version } = JSON.parse(readFileSync(packaged, "utf8")) as { version: string };
  const folder = join(MODULES, ".cache", `chromium-${version}`);
  // The package unpacks into the temporary folder, and unpacks its libraries only on AWS.
  process.env.AWS_EXECUTION_ENV ??= "AWS_Lambda_nodejs20.x";
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const begun = mkdtempSync(`${folder}-`);
    const before = process.env.TMPDIR;
    process.env.TMPDIR = begun;
    try {
      const { default: packed } = await import("@sparticuz/chromium");
      await packed.executablePath();
      renameSync(begun, folder);
    } catch (error) {
      rmSync(begun, { recursive: true, force: true });
      // Another run may have been faster.
      if (!existsSync(folder)) throw error;
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  }
  return folder;
}

/** Starts it. Fails with the names of missing system libraries. `fonts` are more font folders; with
 * only the package's own fonts, widths are the same everywhere. */
export async function launch(fonts: readonly string[] = []): Promise<Browser> {
  const folder = await unpacked();
  const executable = join(folder, "chromium");
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: join(folder, "al2023", "lib"),
    FONTCONFIG_FILE: fontSettings(folder, [join(folder, "fonts"), ...fonts]),
  };
  requireLibraries(executable, env);
  return chromium.launch({
    executablePath: executable,
    env,
    args: ["--no-sandbox", "--no-zygote", "--disable-gpu", "--font-render-hinting=none"],
  });
}

/** The package's own settings name folders on AWS; without any font a page crashes. */
function fontSettings(folder: string, fonts: readonly string[]): string {
  const file = join(mkdtempSync(join(tmpdir(), "stages-fonts-")), "fonts.conf");
  const folders = fonts.map((each) => `<dir>${each}</dir>`).join("");
  const cache = `<cachedir>${join(folder, "font-cache")}</cachedir>`;
  writeFileSync(file, `<?xml version="1.0"?><fontconfig>${folders}${cache}</fontconfig>\n`);
  return file;
}

function requireLibraries(executable: string, env: NodeJS.ProcessEnv): void {
  const listed = execFileSync("ldd", [executable], { env, encoding: "utf8" });
  const missing = [...listed.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length) {
    throw new Error(`Chromium needs system libraries that are missing here: ${missing.join(", ")}`);
  }
}
