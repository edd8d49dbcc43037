/**
 * A stand-in for a deployment that keeps nothing: it speaks the HTTP API, and answers `bulkInsert…`
 * as if every document were new. `node --import tsx sink.ts CONFIG`, which is
 * `{"ready": …, "table": …, "latency": 0, "slots": 16}`.
 *
 * No more than `slots` requests are worked on at once, each for `latency` milliseconds.
 * GET /seen tells what came: requests, documents, the most at once, and when the
 * first did and the last was answered.
 */
import { createServer, type IncomingMessage } from "node:http";
import { renameSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";

interface Call {
  path: string;
  args: { records?: { sourceId: string }[] };
}

const { ready, table, latency, slots } = JSON.parse(process.argv[2] ?? "") as {
  ready: string;
  table: string;
  latency: number;
  slots: number;
};
const seen = { requests: 0, documents: 0, most: 0, first: 0, last: 0 };
const waiting: (() => void)[] = [];
let busy = 0;

async function slot(): Promise<void> {
  if (busy >= slots) await new Promise<void>((resolve) => waiting.push(resolve));
  else busy += 1;
  seen.most = Math.max(seen.most, busy);
}

/** The slot goes to who waits for one, or is free. */
function leave(): void {
  const next = waiting.shift();
  if (next) next();
  else busy -= 1;
}

async function answer(request: IncomingMessage): Promise<string> {
  if (request.url === "/seen") return JSON.stringify(seen);
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { path, args } = JSON.parse(Buffer.concat(chunks).toString()) as Call;
  if (args.records === undefined) {
    const value = path.endsWith(":readPage")
      ? { page: [], isDone: true, continueCursor: "" }
      : { epoch: "of the sink", tables: { [table]: true } };
    return JSON.stringify({ status: "success", value, path });
  }
  seen.first ||= Date.now();
  await slot();
  if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency));
  leave();
  const results = args.records.map(
    ({ sourceId }) =>
      `{"sourceId":${JSON.stringify(sourceId)},"documentId":"j57${sourceId.slice(0, 29)}",` +
      '"did":"inserted"}',
  );
  seen.requests += 1;
  seen.documents += results.length;
  seen.last = Date.now();
  return `{"status":"success","value":{"results":[${results.join(",")}]}}`;
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => {
      response.setHeader("Content-Type", "application/json");
      response.end(body);
    },
    () => response.destroy(),
  );
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  writeFileSync(`${ready}.tmp`, String(port));
  renameSync(`${ready}.tmp`, ready);
});
