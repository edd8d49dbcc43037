/**
 * A Convex deployment on this machine: the project's real functions behind the HTTP API and the
 * site of a deployment, with its state in memory only.
 *
 *     node --import tsx stages/sandbox/host/main.ts CONFIG
 *
 * CONFIG is the path of a JSON file of the form of `Config`. Once it serves, both addresses are in
 * the file that `ready` names: {"url", "siteUrl"}. It runs until SIGTERM or SIGINT.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { api, isAdminKey } from "./api.ts";
import { Deployment } from "./deployment.ts";
import { seed } from "./seed.ts";
import { site } from "./site.ts";
import { serveSync } from "./sync.ts";
import { serve } from "./web.ts";

interface Config {
  /** Name of the instance. */
  name: string;
  /** Absolute path of the project's convex folder. */
  convex: string;
  adminKey: string;
  /** The deployment's environment variables. */
  env: Record<string, string>;
  /** A file of documents to begin with; see seed.ts. */
  seed: string | null;
  ready: string;
}

// What Node and tsx themselves read.
const OWN_VARIABLES = new Set(["PATH", "HOME", "TMPDIR", "NODE_PATH", "NODE_OPTIONS"]);

/** Functions see the variables of their deployment, and nothing of who started this process. */
function setVariables(env: Record<string, string>): void {
  for (const name of Object.keys(process.env)) {
    if (!OWN_VARIABLES.has(name)) delete process.env[name];
  }
  Object.assign(process.env, env);
}

async function main(configFile: string): Promise<void> {
  const config = JSON.parse(readFileSync(configFile, "utf8")) as Config;
  setVariables(config.env ?? {});
  const deployment = await Deployment.open(config.name, config.convex);
  const documents = config.seed ? await seed(deployment, config.seed) : 0;

  const { server, url } = await serve(api(deployment, config.adminKey));
  serveSync(server, deployment, (key) => isAdminKey(key, config.adminKey));
  const { server: siteServer, url: siteUrl } = await serve(site(deployment));
  Object.assign(process.env, { CONVEX_CLOUD_URL: url, CONVEX_SITE_URL: siteUrl });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      for (const open of [server, siteServer]) {
        open.close();
        open.closeAllConnections();
      }
      process.exit(0);
    });
  }
  const temporary = `${config.ready}.tmp`;
  writeFileSync(temporary, JSON.stringify({ url, siteUrl }), { mode: 0o600 });
  renameSync(temporary, config.ready);
  say(`${config.name}: ${deployment.functions.size} functions, ${documents} documents, at ${url}`);
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}

const configFile = process.argv[2];
if (configFile === undefined) {
  say("usage: main.ts CONFIG");
  process.exit(2);
}
// What functions log goes nowhere, since it may hold values of rows.
for (const method of ["log", "info", "debug", "warn", "error"] as const) {
  console[method] = () => undefined;
}
try {
  await main(configFile);
} catch (error) {
  const words = error instanceof Error ? error.message : String(error);
  say(`the Convex host can't start: ${words.replaceAll(/\s*\n\s*/g, " ")}`);
  process.exit(1);
}
