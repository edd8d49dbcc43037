/**
 * The WebSocket on which the CLI follows an import: it subscribes to queries, and is notified when
 * a result changes. Only system queries are answered, for admins.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { convexToJson, type JSONValue } from "convex/values";
import { WebSocketServer, type WebSocket } from "ws";
import type { Deployment } from "./deployment.ts";
import { callSystem } from "./system.ts";

interface Query {
  queryId: number;
  udfPath: string;
  args: JSONValue[];
  sent: string | undefined;
}

interface Message {
  type: string;
  tokenType?: string;
  value?: string;
  newVersion?: number;
  modifications?: ({ type: "Add" | "Remove" } & Query)[];
}

const LOOK_EVERY_MS = 25;

/** Serves /api/<version>/sync on the server of the HTTP API. */
export function serveSync(
  server: Server,
  deployment: Deployment,
  isAdminKey: (key: string) => boolean,
): void {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!/^\/api\/[^/]+\/sync$/.test(request.url ?? "")) {
      socket.destroy();
      return;
    }
    sockets.handleUpgrade(request, socket, head, (open) => {
      new Session(open, deployment, isAdminKey);
    });
  });
}

class Session {
  private readonly queries = new Map<number, Query>();
  private version = { querySet: 0, identity: 0, ts: 0n };
  private admin = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: WebSocket,
    private readonly deployment: Deployment,
    private readonly isAdminKey: (key: string) => boolean,
  ) {
    // One at a time: each transition starts at the version where the last one ended.
    const then = (step: () => Promise<void>) => {
      this.work = this.work.then(step).catch(() => this.socket.close());
    };
    const look = setInterval(() => then(() => this.sendChanges({ ...this.version })), LOOK_EVERY_MS);
    socket.on("close", () => clearInterval(look));
    socket.on("message", (data: Buffer) => {
      then(() => this.receive(JSON.parse(data.toString("utf8")) as Message));
    });
  }

  private async receive(message: Message): Promise<void> {
    const end = { ...this.version };
    if (message.type === "Authenticate") {
      this.admin = message.tokenType === "Admin" && this.isAdminKey(message.value ?? "");
      if (!this.admin) {
        this.send({ type: "AuthError", error: "BadAdminKey", baseVersion: end.identity,
                    authUpdateAttempted: true }); // prettier-ignore
        return;
      }
      end.identity += 1;
    } else if (message.type === "ModifyQuerySet") {
      for (const change of message.modifications ?? []) {
        if (change.type === "Add") this.queries.set(change.queryId, { ...change, sent: undefined });
        else this.queries.delete(change.queryId);
      }
      end.querySet = message.newVersion ?? end.querySet;
    } else {
      return;
    }
    await this.sendChanges(end);
  }

  /** Sends a transition to `end` with the changed results; nothing if nothing has changed. */
  private async sendChanges(end: typeof this.version): Promise<void> {
    const modifications = [];
    for (const query of this.queries.values()) {
      const outcome = await callSystem(this.deployment, query.udfPath, query.args, this.admin);
      const about = { queryId: query.queryId, logLines: [], journal: null };
      const modification =
        "value" in outcome
          ? { type: "QueryUpdated", ...about, value: convexToJson(outcome.value) }
          : { type: "QueryFailed", ...about, errorMessage: outcome.errorMessage };
      const text = JSON.stringify(modification);
      if (text !== query.sent) modifications.push(modification);
      query.sent = text;
    }
    const start = this.version;
    const moved = end.querySet !== start.querySet || end.identity !== start.identity;
    if (!moved && modifications.length === 0) return;
    this.version = { ...end, ts: start.ts + 1n };
    this.send({
      type: "Transition",
      startVersion: encoded(start),
      endVersion: encoded(this.version),
      modifications,
    });
  }

  private send(message: Record<string, unknown>): void {
    this.socket.send(JSON.stringify(message));
  }
}

function encoded({ querySet, identity, ts }: { querySet: number; identity: number; ts: bigint }) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ts);
  return { querySet, identity, ts: bytes.toString("base64") };
}
