/** What both servers of the host need of HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | Uint8Array;
}

/** An answer of the form `{"code", "message"}`, thrown on the way to it. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function textAnswer(body: string): Answer {
  return { status: 200, headers: { "Content-Type": "text/plain; charset=utf-8" }, body };
}

export function jsonAnswer(status: number, body: string): Answer {
  return { status, headers: { "Content-Type": "application/json" }, body };
}

/**
 * The request's body, or null where it is longer than `most` bytes. It is read to its end all the
 * same: a client that is still sending would see a broken connection instead of the answer.
 */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= most) chunks.push(chunk);
  }
  return bytes <= most ? Buffer.concat(chunks) : null;
}

/** Serves on a free port of 127.0.0.1. The handler's HttpError is its answer; others are 500. */
export async function serve(
  handle: (request: IncomingMessage) => Promise<Answer>,
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    handle(request)
      .catch(errorAnswer)
      .then((answer) => send(request, response, answer))
      .catch(() => response.destroy());
  });
  // Longer than clients keep an idle connection, so that none is closed as they reuse it.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}` };
}

function errorAnswer(error: unknown): Answer {
  if (error instanceof HttpError) {
    const { status, code, message } = error;
    return jsonAnswer(status, JSON.stringify({ code, message }));
  }
  // Only where it happened: the words may hold values of rows.
  const frames = error instanceof Error ? (error.stack ?? "").match(/^ {4}at .*$/gm) : null;
  process.stderr.write(`internal error\n${(frames ?? []).join("\n")}\n`);
  const message = "Your request couldn't be completed. Try again later.";
  return jsonAnswer(500, JSON.stringify({ code: "InternalServerError", message }));
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  // The rest of a body that was not read to its end can't be distinguished from the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  response.writeHead(answer.status, answer.headers);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}
