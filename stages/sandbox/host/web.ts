/** HTTP helpers shared by both servers of the host. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | Uint8Array;
}

/** Thrown to answer with `{"code", "message"}`. */
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
 * The request's body, or null if it is longer than `most` bytes. It is always read to its end: a
 * client that is still sending would see a broken connection instead of the response.
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

/** Serves on a free port of 127.0.0.1. An HttpError becomes the response; other errors are 500. */
export async function serve(
  handle: (request: IncomingMessage) => Promise<Answer>,
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    handle(request)
      .catch(errorAnswer)
      .then((answer) => send(request, response, answer))
      .catch(() => response.destroy());
  });
  // Longer than clients keep idle connections, so that none is closed while being reused.
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
  process.stderr.write(`internal error\n${framesOf(error)}\n`);
  const message = "Your request couldn't be completed. Try again later.";
  return jsonAnswer(500, JSON.stringify({ code: "InternalServerError", message }));
}

/** Only the stack frames: the message may contain values of rows. */
export function framesOf(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? "").match(/^ {4}at .*$/gm) : null;
  return (frames ?? []).join("\n");
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  // Otherwise the unread rest of the body would be taken for the next request.
  if (!request.complete) response.setHeader("Connection", "close");
  response.writeHead(answer.status, answer.headers);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}
