/** What the tests share: the engine with this project's functions, sample documents, a host. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { convexTest, type TestConvex } from "convex-test";
import type { WithoutSystemFields } from "convex/server";
import { ConvexError } from "convex/values";
import type { Doc, Id, TableNames } from "../../convex/_generated/dataModel";
import * as channel from "../../convex/channel";
import * as http from "../../convex/http";
import * as migrate from "../../convex/migrate";
import schema from "../../convex/schema";
import * as stagesTables from "../../convex/stagesTables";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Every module of convex/ but the schema. */
export const MODULES = { channel, http, migrate, stagesTables };

/** The twelve functions of the migration and the table of each. */
export const LOADERS = {
  bulkInsertAriDestinations: "ariDestinations",
  bulkInsertAriPayments: "ariPayments",
  bulkInsertAriAppointments: "ariAppointments",
  bulkInsertAriAiComparison: "ariAiComparison",
  bulkInsertAriFlowStages: "ariFlowStages",
  bulkInsertAriKnowledgeCategories: "ariKnowledgeCategories",
  bulkInsertAriKnowledgeEntries: "ariKnowledgeEntries",
  bulkInsertAriScoringConfig: "ariScoringConfig",
  bulkInsertConsultantSlots: "consultantSlots",
  bulkInsertArticles: "articles",
  bulkInsertWebinars: "webinars",
  bulkInsertWebinarRegistrations: "webinarRegistrations",
} as const satisfies Record<string, TableNames>;

export type Engine = TestConvex<typeof schema>;

export function newEngine(
  transactionLimits: { documentsWritten?: number } | boolean = true,
): Engine {
  const modules = Object.entries(MODULES).map(([name, module]) => [
    `./convex/${name}.ts`,
    () => Promise.resolve(module),
  ]);
  return convexTest({
    schema,
    modules: {
      "./convex/_generated/api.js": () => Promise.resolve({}),
      ...(Object.fromEntries(modules) as Record<string, () => Promise<unknown>>),
    },
    transactionLimits,
  });
}

export async function newWorkspace(t: Engine): Promise<Id<"workspaces">> {
  return await t.run((ctx) =>
    ctx.db.insert("workspaces", {
      name: "Acme",
      slug: "acme",
      owner_id: "user_1",
      created_at: 1,
      updated_at: 2,
    }),
  );
}

export type ArticleFields = WithoutSystemFields<Doc<"articles">>;

export function article(
  workspace_id: Id<"workspaces">,
  fields: Partial<ArticleFields> = {},
): ArticleFields {
  return {
    workspace_id,
    title: "Étude à Malmö 🎓",
    slug: "etude",
    status: "draft",
    created_at: 1_700_000_000_000,
    updated_at: 1_700_000_000_000.5,
    ...fields,
  };
}

export async function everything<T extends TableNames>(t: Engine, table: T): Promise<Doc<T>[]> {
  return await t.run((ctx) => ctx.db.query(table).collect());
}

/** The data of the ConvexError that a call ends in. */
export async function convexError(call: Promise<unknown>): Promise<Record<string, unknown>> {
  const thrown = await call.then(
    () => assert.fail("the call succeeded"),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof ConvexError, String(thrown));
  return thrown.data as Record<string, unknown>;
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** An id of a table's number whose last byte before the checksum is `last`. */
export function idOf(number: number, last: number): string {
  const bytes = [(number & 127) | 128, number >> 7, ...new Array<number>(15).fill(0), last];
  let [first, second] = [0, 0];
  for (const byte of bytes) {
    first = (first + byte) % 256;
    second = (second + first) % 256;
  }
  const text = Buffer.from([...bytes, first, second]).toString("hex");
  let bits = BigInt(`0x${text}`);
  let id = "";
  for (let at = 0; at < 32; at++, bits >>= 5n) id = ALPHABET[Number(bits & 31n)] + id;
  return id;
}

const START_MS = 60_000;

export interface HostOptions {
  convex?: string;
  env?: Record<string, string>;
  seed?: unknown[];
  /** The file that keeps its documents. */
  documents?: string;
}

/** A host in a process of its own, on a temporary folder. */
export class Host {
  static readonly KEY = "sandbox-test|0a1b2c3d";

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
    readonly siteUrl: string,
  ) {}

  static async start({
    convex = join(ROOT, "convex"),
    env = {},
    seed,
    documents,
  }: HostOptions = {}) {
    const folder = mkdtempSync(join(tmpdir(), "convex-host-"));
    const at = (name: string) => join(folder, name);
    if (seed) writeFileSync(at("seed.jsonl"), seed.map((line) => JSON.stringify(line)).join("\n"));
    const config = {
      name: "sandbox-test",
      convex,
      modules: ["migrate", "stages"],
      adminKey: Host.KEY,
      env,
      seed: seed ? at("seed.jsonl") : null,
      documents,
      ready: at("ready.json"),
    };
    writeFileSync(at("config.json"), JSON.stringify(config), { mode: 0o600 });
    const main = join(ROOT, "stages/sandbox/host/main.ts");
    const child = spawn(process.execPath, ["--import", "tsx", main, at("config.json")], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let words = "";
    child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
    // Whatever becomes of the tests, the host goes with them.
    process.once("exit", () => child.kill("SIGKILL"));
    const deadline = Date.now() + START_MS;
    while (!existsSync(config.ready)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL");
        rmSync(folder, { recursive: true });
        throw new Error(`the host ended with ${child.exitCode}: ${words.trim()}`);
      }
      await sleep(20);
    }
    const { url, siteUrl } = JSON.parse(readFileSync(config.ready, "utf8")) as Host;
    return new Host(child, folder, url, siteUrl);
  }

  /** Ends the host; returns its exit code. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    const code = await ended;
    rmSync(this.folder, { recursive: true });
    return code;
  }

  /** POST to the API; `key` null is a visitor. */
  async post(
    path: string,
    body: unknown,
    { key = Host.KEY, type = "application/json" }: { key?: string | null; type?: string } = {},
  ): Promise<{ status: number; text: string; json: any }> {
    const response = await fetch(this.url + path, {
      method: "POST",
      headers: {
        "Content-Type": type,
        ...(key !== null && { Authorization: `Convex ${key}` }),
      },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, text, json: JSON.parse(text) };
  }
}
