/** The deployment's site: every request goes to the project's own HTTP actions. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Deployment } from "./deployment.ts";
import { HttpError, jsonAnswer, readBody, type Answer } from "./web.ts";

/** The handler of the site's server. */
export function site({
  engine,
  router,
}: Deployment): (request: IncomingMessage) => Promise<Answer> {
  return async (request) => {
    if ("unrouted" in router) {
      throw new HttpError(
        404,
        "NotFound",
        `This deployment has no HTTP actions: ${router.unrouted}`,
      );
    }
    const method = request.method ?? "GET";
    const body = await readBody(request, Infinity);
    try {
      const response = await engine.fetch(request.url ?? "/", {
        method,
        headers: headersOf(request),
        ...(method !== "GET" && method !== "HEAD" && { body }),
      });
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: new Uint8Array(await response.arrayBuffer()),
      };
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const code = `[Request ID: ${randomBytes(8).toString("hex")}] Server Error: Uncaught ${words}`;
      return jsonAnswer(500, JSON.stringify({ code, trace: `Uncaught ${words}` }));
    }
  };
}

function headersOf(request: IncomingMessage): [string, string][] {
  return Object.entries(request.headersDistinct).flatMap(([name, values]) =>
    (values ?? []).map((value): [string, string] => [name, value]),
  );
}
