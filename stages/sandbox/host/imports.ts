/**
 * The endpoints of `npx convex import` and `export`. An import proceeds as in the backend: upload
 * in parts, a confirmation, then all or nothing. Parts are kept in the order in which they arrive,
 * as in a self-hosted deployment, so a part sent twice breaks the file.
 *
 * Different from the backend: it accepts only the deployment's own table numbers, no stored files,
 * no components, and only ZIP; ids are translated (see ids.ts).
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TestConvex } from "convex-test";
import type { GenericSchema, SchemaDefinition } from "convex/server";
import type { Value } from "convex/values";
import { numberOfId, type ImportedIds } from "./ids.ts";
import { describeError } from "./outcome.ts";
import { ImportFailed, readSnapshot, writeSnapshot, type Row } from "./snapshot.ts";
import type { TableNumbers } from "./table_numbers.ts";
import { HttpError, jsonAnswer, readBody, type Answer } from "./web.ts";

export const MODES = ["requireEmpty", "append", "replace"] as const;
export type Mode = (typeof MODES)[number];

/** What imports and exports need of a deployment. */
export interface ImportStore {
  readonly tables: string[];
  readonly numbers: TableNumbers;
  readonly ids: ImportedIds;
  readonly engine: TestConvex<SchemaDefinition<GenericSchema, boolean>>;
  documents(table: string): Promise<Row[]>;
  count(table: string): Promise<number>;
  together<T>(act: () => Promise<T>): Promise<T>;
  nextIds(tables: string[]): string[];
}

/** The state of an import, as `_system/cli/queryImport` returns it. */
export type ImportState =
  | { state: "uploaded" }
  | {
      state: "waiting_for_confirmation";
      message_to_confirm: string;
      require_manual_confirmation: boolean;
    }
  | { state: "in_progress"; progress_message: string; checkpoint_messages: string[] }
  | { state: "completed"; num_rows_written: bigint; timestamp: bigint }
  | { state: "failed"; error_message: string };

interface Import {
  mode: Mode;
  file: Buffer;
  state: ImportState;
}

export interface Export {
  state: "completed";
  start_ts: bigint;
  complete_ts: bigint;
  zip_object_key: string;
}

const PART_BYTES = 5 * 1024 * 1024;
const BATCH = 500;

export class Imports {
  readonly imports = new Map<string, Import>();
  latestExport: Export | null = null;
  private readonly uploads = new Map<string, Buffer[]>();
  private readonly exports = new Map<string, Uint8Array>();

  constructor(private readonly deployment: ImportStore) {}

  serves(path: string): boolean {
    return /^\/api\/(import\/|perform_import$|cancel_import$|export\/)/.test(path);
  }

  async answer(request: IncomingMessage, url: URL, admin: boolean): Promise<Answer> {
    if (!admin) throw new HttpError(403, "BadDeployKey", "This endpoint needs a deploy key");
    const body = (await readBody(request, Infinity)) ?? Buffer.alloc(0);
    const json = (): Record<string, unknown> =>
      JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    switch (url.pathname) {
      case "/api/import/start_upload":
        return answered({ uploadToken: this.startUpload() });
      case "/api/import/upload_part":
        return answered(this.uploadPart(url.searchParams.get("uploadToken") ?? "", body));
      case "/api/import/finish_upload":
        return answered({ importId: this.finishUpload(json()) });
      case "/api/perform_import":
        this.perform(this.requested(json()));
        return jsonAnswer(200, "");
      case "/api/cancel_import":
        this.cancel(this.requested(json()));
        return jsonAnswer(200, "");
      case "/api/export/request/zip":
        await this.export();
        return jsonAnswer(200, "");
    }
    const exported = this.exports.get(/^\/api\/export\/zip\/(\d+)$/.exec(url.pathname)?.[1] ?? "");
    if (!exported) throw new HttpError(404, "NotFound", `${url.pathname} is not served here`);
    return { status: 200, headers: { "Content-Type": "application/zip" }, body: exported };
  }

  private startUpload(): string {
    const token = randomBytes(16).toString("base64");
    this.uploads.set(token, []);
    return token;
  }

  private uploadPart(token: string, part: Buffer): string {
    const parts = this.uploads.get(token);
    const before = parts?.at(-1);
    if (!parts || (before && before.length < PART_BYTES)) {
      throw new HttpError(400, "BadUpload", "an unknown upload, or a part that is too small");
    }
    parts.push(part);
    return `part ${parts.length}`;
  }

  private finishUpload(request: Record<string, unknown>): string {
    const parts = this.uploads.get(String(request.uploadToken)) ?? [];
    const { mode, format } = request.import as { mode: Mode; format: string };
    const tokens = request.partTokens as unknown[];
    if (tokens.length !== parts.length || format !== "zip" || !MODES.includes(mode)) {
      throw new HttpError(400, "BadUpload", `${tokens.length} of ${parts.length} parts, ${format}`);
    }
    const id = randomBytes(16).toString("hex");
    const upload: Import = { mode, file: Buffer.concat(parts), state: { state: "uploaded" } };
    this.imports.set(id, upload);
    this.uploads.delete(String(request.uploadToken));
    setImmediate(() => void this.attempt(upload, () => this.ask(upload)));
    return id;
  }

  private requested(request: Record<string, unknown>): Import {
    const pending = this.imports.get(String(request.importId));
    if (!pending) throw new HttpError(404, "ImportNotFound", "there is no such import");
    return pending;
  }

  private perform(pending: Import): void {
    if (pending.state.state !== "waiting_for_confirmation") return;
    pending.state = {
      state: "in_progress",
      progress_message: "Importing",
      checkpoint_messages: [],
    };
    const run = () => this.deployment.together(() => this.run(pending));
    setImmediate(() => void this.attempt(pending, run));
  }

  private cancel(pending: Import): void {
    if (pending.state.state === "completed" || pending.state.state === "failed") return;
    pending.state = { state: "failed", error_message: "Import was canceled" };
  }

  private async attempt(pending: Import, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const outcome = describeError(error);
      const words = "errorMessage" in outcome ? outcome.errorMessage.split("\n").at(-1) : "";
      const message = error instanceof ImportFailed ? error.message : `Hit an error: ${words}`;
      pending.state = { state: "failed", error_message: message };
    }
  }

  /** Asks for confirmation of what would be written and deleted. */
  private async ask(pending: Import): Promise<void> {
    const tables = readSnapshot(pending.file);
    let deleted = 0;
    const lines = [];
    for (const [table, rows] of tables) {
      if (!this.deployment.tables.includes(table)) {
        throw new ImportFailed(`the sandbox has no table ${table}`);
      }
      const existing = await this.deployment.count(table);
      if (pending.mode === "requireEmpty" && existing > 0) {
        throw new ImportFailed(
          `TableExists: Import fails because the table "${table}" already contains data`,
        );
      }
      const leaving = pending.mode === "replace" ? existing : 0;
      deleted += leaving;
      lines.push(`${table}: create ${rows.length}, delete ${leaving} of ${existing}`);
    }
    if (pending.state.state !== "uploaded") return;
    pending.state = {
      state: "waiting_for_confirmation",
      message_to_confirm: `Import changes ${lines.length} tables\n${lines.join("\n")}`,
      require_manual_confirmation: deleted > 0,
    };
  }

  private async run(pending: Import): Promise<void> {
    const tables = readSnapshot(pending.file);
    this.check(tables, pending.mode);
    const before = new Map<string, Row[]>();
    if (pending.mode === "replace") {
      for (const table of tables.keys()) before.set(table, await this.deployment.documents(table));
    }
    const done: string[] = [];
    const written = await this.insert(tables, (table, rows) => {
      done.push(`Imported ${rows} documents to table "${table}"`);
      pending.state = {
        state: "in_progress",
        progress_message: "Importing",
        checkpoint_messages: [...done],
      };
    });
    // Everything is inserted; now remove the previous documents, as if both were one step.
    for (const rows of before.values()) await this.remove(rows.map((row) => String(row._id)));
    pending.state = {
      state: "completed",
      num_rows_written: BigInt(written),
      timestamp: BigInt(Date.now()) * 1_000_000n,
    };
  }

  /** Checks ids and creation times as the backend does. */
  private check(tables: Map<string, Row[]>, mode: Mode): void {
    const ids = new Set<unknown>();
    for (const [table, rows] of tables) {
      const number = this.deployment.numbers.of(table);
      for (const { _id, _creationTime } of rows) {
        if (typeof _id !== "string" || numberOfId(_id) !== number) {
          throw new ImportFailed(`ImportConflict: ${_id} is not an id of ${table} (${number})`);
        }
        if (ids.has(_id)) throw new ImportFailed(`DuplicateId: ${_id}`);
        if (mode === "append" && this.deployment.ids.has(_id)) {
          throw new ImportFailed(`DocumentExists: ${_id}`);
        }
        ids.add(_id);
        const time = _creationTime;
        if (time !== undefined && !(typeof time === "number" && time > 0 && time < 2 ** 53)) {
          throw new ImportFailed(`InvalidCreationTimeError: ${time}`);
        }
      }
    }
  }

  /** Inserts all rows, with the engine's ids for imported ones; on failure, removes them again. */
  private async insert(
    tables: Map<string, Row[]>,
    onTable: (table: string, rows: number) => void,
  ): Promise<number> {
    const documents = [...tables].flatMap(([table, rows]) => rows.map((row) => ({ table, row })));
    if (documents.length === 0) return 0;
    // Documents may refer to each other in any order, and the engine only accepts its own ids.
    const next = this.deployment.nextIds(documents.map(({ table }) => table));
    const ids = new Map(documents.map(({ row }, at) => [String(row._id), next[at] as string]));
    const inside = (value: Value): Value => {
      if (typeof value === "string") {
        return ids.get(value) ?? (this.deployment.ids.inward(value) as string);
      }
      if (Array.isArray(value)) return value.map(inside);
      if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return value;
      return Object.fromEntries(
        Object.entries(value).map(([name, field]) => [name, inside(field as Value)]),
      );
    };
    const inserted: string[] = [];
    try {
      for (const [table, rows] of tables) {
        for (let at = 0; at < rows.length; at += BATCH) {
          await this.deployment.engine.run(async (ctx) => {
            for (const { _id, _creationTime, ...fields } of rows.slice(at, at + BATCH)) {
              const id: string = await ctx.db.insert(table, inside(fields as Value) as never);
              if (id !== ids.get(String(_id))) {
                throw new ImportFailed("the sandbox was written to while it imported");
              }
              inserted.push(id);
            }
          });
        }
        onTable(table, rows.length);
      }
    } catch (error) {
      await this.remove(inserted);
      throw error;
    }
    for (const { row } of documents) {
      const time = row._creationTime;
      const engineId = ids.get(String(row._id)) as string;
      this.deployment.ids.add(
        String(row._id),
        engineId,
        typeof time === "number" ? time : undefined,
      );
    }
    return documents.length;
  }

  private async remove(engineIds: string[]): Promise<void> {
    for (let at = 0; at < engineIds.length; at += BATCH) {
      const some = engineIds.slice(at, at + BATCH);
      await this.deployment.engine.run(async (ctx) => {
        for (const id of some) if (await ctx.db.get(id as never)) await ctx.db.delete(id as never);
      });
      for (const id of some) this.deployment.ids.forget(id);
    }
  }

  private async export(): Promise<void> {
    const started = BigInt(Date.now()) * 1_000_000n;
    const tables = new Map<string, { id: number; rows: Row[] }>();
    const { ids, numbers } = this.deployment;
    for (const table of this.deployment.tables) {
      const documents = await this.deployment.documents(table);
      const rows = documents.map((row) => ids.outward(row) as Row);
      tables.set(table, { id: numbers.of(table), rows });
    }
    this.exports.set(String(started), writeSnapshot(tables));
    this.latestExport = {
      state: "completed",
      start_ts: started,
      complete_ts: started + 1n,
      zip_object_key: String(started),
    };
  }
}

function answered(value: unknown): Answer {
  return jsonAnswer(200, JSON.stringify(value));
}
