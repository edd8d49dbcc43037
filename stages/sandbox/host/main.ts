/**
 * A Convex deployment on this machine: the project's real functions behind the HTTP API and the
 * site of a deployment.
 *
 *     node --import tsx stages/sandbox/host/main.ts CONFIG [--check]
 *
 * CONFIG is the path of a JSON file with the shape of `Config`. Once it serves, the addresses are
 * in the file that `ready` names: {"url", "siteUrl", "unrouted"}; `unrouted` is why there are no
 * HTTP actions if convex/http.ts fails, otherwise null. It runs until SIGTERM or SIGINT. With
 * --check it serves nothing and changes no file: it exits with 0 if it could serve.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { api, isAdminKey } from "./api.ts";
import { Deployment } from "./deployment.ts";
import { UnfitDocuments } from "./kept_documents.ts";
import { Unloadable } from "./modules.ts";
import { seed } from "./seed.ts";
import { site } from "./site.ts";
import { serveSync } from "./sync.ts";
import { framesOf, serve } from "./web.ts";

interface Config {
  /** Name of the instance. */
  name: string;
  /** Absolute path of the project's convex folder. */
  convex: string;
  /** Its modules that a migration calls, loaded at the start. */
  modules: string[];
  adminKey: string;
  /** The deployment's environment variables. */
  env: Record<string, string>;
  /** A file with the first documents; see seed.ts. */
  seed: string | null;
  /** The file that keeps the documents; without one they are in memory only. */
  documents?: string | null;
  ready: string;
}

// Variables that Node and tsx themselves read.
const OWN_VARIABLES = new Set(["PATH", "HOME", "TMPDIR", "NODE_PATH", "NODE_OPTIONS"]);

/** Lets functions see only their deployment's variables, not those of this process's parent. */
function setVariables(env: Record<string, string>): void {
  for (const name of Object.keys(process.env)) {
    if (!OWN_VARIABLES.has(name)) delete process.env[name];
  }
  Object.assign(process.env, env);
}

async function main(configFile: string, checks: boolean): Promise<void> {
  const config = JSON.parse(readFileSync(configFile, "utf8")) as Config;
  setVariables(config.env ?? {});
  // Some packages start work when loaded that fails here, and that nothing awaits.
  process.on("unhandledRejection", (error) => {
    say(`a promise of the project's code failed, which nothing waits for\n${framesOf(error)}`);
  });
  const deployment = await Deployment.open(config.name, config.convex, config.modules);
  if (checks) {
    deployment.check(config.documents ?? null);
    process.exit(0);
  }
  const documents = await deployment.begin(config.documents ?? null, async () => {
    if (config.seed !== null) await seed(deployment, config.seed);
  });

  const { server, url } = await serve(api(deployment, config.adminKey));
  serveSync(server, deployment, (key) => isAdminKey(key, config.adminKey));
  const { server: siteServer, url: siteUrl } = await serve(site(deployment));
  Object.assign(process.env, {
    CONVEX_CLOUD_URL: url,
    CONVEX_SITE_URL: siteUrl,
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      for (const open of [server, siteServer]) {
        open.close();
        open.closeAllConnections();
      }
      process.exit(0);
    });
  }
  const { router } = deployment;
  const unrouted = "unrouted" in router && router.failed ? router.unrouted : null;
  if (unrouted !== null) say(`HTTP actions are not served: ${unrouted}`);
  const temporary = `${config.ready}.tmp`;
  writeFileSync(temporary, JSON.stringify({ url, siteUrl, unrouted }), {
    mode: 0o600,
  });
  renameSync(temporary, config.ready);
  say(
    `${config.name}: ${deployment.functions.length} functions, ${documents} documents, at ${url}`,
  );
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}

/** Why the host failed; the sandbox recognizes UnfitDocuments and Unloadable by the prefix. */
function failure(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  if (error instanceof UnfitDocuments) return `unfit documents: ${words}`;
  if (!(error instanceof Unloadable)) return `the Convex host can't start: ${words}`;
  return `unloadable module: ${JSON.stringify({ file: error.file, ...error.description })}`;
}

const [configFile, option] = process.argv.slice(2);
if (configFile === undefined || ![undefined, "--check"].includes(option)) {
  say("usage: main.ts CONFIG [--check]");
  process.exit(2);
}
// Discard what functions log, since it may contain values of rows.
for (const method of ["log", "info", "debug", "warn", "error"] as const) {
  console[method] = () => undefined;
}
try {
  await main(configFile, option !== undefined);
} catch (error) {
  say(failure(error).replaceAll(/\s*\n\s*/g, " "));
  process.exit(1);
}
