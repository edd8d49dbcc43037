/** The deployment's HTTP API: functions by name, in the backend's own shapes and status codes. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { JSONValue } from "convex/values";
import type { Deployment, Kind } from "./deployment.ts";
import type { Outcome } from "./outcome.ts";
import { callSystem } from "./system.ts";
import { formatNamed, isWellFormed, jsonText, toJson } from "./values.ts";
import { HttpError, jsonAnswer, readBody, textAnswer, type Answer } from "./web.ts";

// The backend accepts 16 MiB of arguments, plus a little for the rest of the body.
const BODY_BYTES = 16 * 1024 * 1024 + 2000;
const KINDS: Record<string, Kind> = {
  "/api/query": "query",
  "/api/mutation": "mutation",
  "/api/action": "action",
};

interface Call {
  path: string;
  args: JSONValue;
  format: string | undefined;
}

/** The handler of the API's server. `adminKey` is `name|secret`. */
export function api(
  deployment: Deployment,
  adminKey: string,
): (request: IncomingMessage) => Promise<Answer> {
  return async (request) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const { pathname } = url;
    if (pathname === "/version") return textAnswer("sandbox");
    if (pathname === "/instance_name") return textAnswer(deployment.name);
    if (deployment.imports.serves(pathname)) {
      return await deployment.imports.answer(request, url, isAdmin(request, url, adminKey));
    }

    const expected = Object.hasOwn(KINDS, pathname) ? KINDS[pathname] : undefined;
    const run = /^\/api\/run\/(.+)$/.exec(pathname)?.[1];
    if (!expected && run === undefined && pathname !== "/api/function") {
      throw new HttpError(404, "NotFound", `${pathname} is not served here`);
    }
    const byQuery = expected === "query" && request.method === "GET";
    if (request.method !== "POST" && !byQuery) {
      throw new HttpError(405, "MethodNotAllowed", `${request.method} is not for ${pathname}`);
    }
    const call = byQuery ? callOfQuery(url) : callOfBody(await jsonBody(request), run);
    const admin = isAdmin(request, url, adminKey);
    if (pathname === "/api/function" && !admin) {
      throw new HttpError(403, "BadDeployKey", "This endpoint needs a deploy key");
    }
    const outcome = call.path.startsWith("_system/")
      ? await callSystem(deployment, call.path, call.args, admin)
      : await deployment.call(call.path, call.args, { expected: expected ?? null, admin });
    return answerOf(outcome, call.format);
  };
}

function callOfQuery(url: URL): Call {
  const path = url.searchParams.get("path");
  const args = url.searchParams.get("args");
  if (path === null || args === null) {
    throw new HttpError(400, "BadQueryArgs", "path and args are required");
  }
  return { path, args: parseJson(args), format: url.searchParams.get("format") ?? undefined };
}

function callOfBody(body: JSONValue, run: string | undefined): Call {
  const fields = typeof body === "object" && body !== null && !Array.isArray(body) ? body : {};
  const path = run === undefined ? fields.path : pathOfRun(run);
  const { args, format } = fields;
  if (typeof path !== "string" || args === undefined) {
    const missing = typeof path !== "string" ? "path" : "args";
    throw new HttpError(400, "BadJsonBody", `Failed to deserialize: missing field \`${missing}\``);
  }
  if (format !== undefined && format !== null && typeof format !== "string") {
    throw new HttpError(400, "BadJsonBody", "Failed to deserialize: format is not a string");
  }
  return { path, args, format: format ?? undefined };
}

/** messages/list → messages:list */
function pathOfRun(run: string): string {
  const parts = run.split("/").map(decodeURIComponent);
  const name = parts.pop();
  if (parts.length === 0) {
    throw new HttpError(
      400,
      "MissingIdentifier",
      "Path or function name not provided in path, e.g. /api/run/messages/list",
    );
  }
  return `${parts.join("/")}:${name}`;
}

async function jsonBody(request: IncomingMessage): Promise<JSONValue> {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (!type || !/^application\/([^+]+\+)?json$/.test(type)) {
    throw new HttpError(
      400,
      "BadJsonBody",
      "Expected request with `Content-Type: application/json`",
    );
  }
  const body = await readBody(request, BODY_BYTES);
  if (body === null) throw new HttpError(400, "BadJsonBody", "length limit exceeded");
  return parseJson(body.toString("utf8"));
}

function parseJson(text: string): JSONValue {
  let json: JSONValue;
  try {
    json = JSON.parse(text) as JSONValue;
  } catch {
    throw new HttpError(400, "BadJsonBody", "Failed to parse the request body as JSON");
  }
  // A lone surrogate can only be written as an escape, which is rare, so look for that first.
  if (/\\u[dD][89a-fA-F]/.test(text) && !isWellFormed(json)) {
    throw new HttpError(400, "BadJsonBody", "Failed to parse the request body as JSON: surrogate");
  }
  return json;
}

/** Whether the request has the admin key; throws a 401 for a wrong one. */
function isAdmin(request: IncomingMessage, url: URL, adminKey: string): boolean {
  const header = request.headers.authorization;
  const [scheme = "", token = ""] = header?.split(/ +(.*)/s) ?? [];
  const key = header === undefined ? url.searchParams.get("adminKey") : token;
  if (key === null) return false;
  if (header !== undefined && scheme.toLowerCase() !== "convex") {
    throw new HttpError(
      401,
      "InvalidAuthHeader",
      "The sandbox knows only Authorization: Convex <key>",
    );
  }
  if (!isAdminKey(key, adminKey)) {
    throw new HttpError(401, "BadAdminKey", "The provided admin key was invalid for this instance");
  }
  return true;
}

/** Ignores the kind of deployment that a key may begin with, as the backend does. */
export function isAdminKey(key: string, adminKey: string): boolean {
  return sameText(key.replace(/^(prod|dev):/, ""), adminKey);
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

function answerOf(outcome: Outcome, formatName: string | undefined): Answer {
  // As in the backend, this is only checked after the function has run and a mutation is committed.
  const format = formatNamed(formatName);
  if (format === undefined) {
    throw new HttpError(
      400,
      "BadFormat",
      `format param must be one of [\`json\`]. Got ${formatName}`,
    );
  }
  const body: JSONValue =
    "value" in outcome
      ? { status: "success", value: toJson(outcome.value, format) }
      : {
          status: "error",
          errorMessage: outcome.errorMessage,
          ...(outcome.errorData !== undefined && { errorData: toJson(outcome.errorData, format) }),
        };
  return jsonAnswer(200, jsonText(body));
}
