/**
 * `POST /migrate {"function": "bulkInsertArticles", "args": {…}}`: the second channel to the loading
 * functions, for callers without an admin key; http.ts routes to it. It requires
 * `Authorization: Bearer <MIGRATION_SECRET>`, and is closed while that variable of the deployment is
 * unset or too short. Arguments and results are in Convex's lossless JSON encoding; responses have
 * the form of the Functions API:
 *
 *     200 {"status": "success", "value": …}
 *     200 {"status": "error", "errorMessage": …, "errorData": …}   the function failed
 *     400 {"code", "message"}   what was sent can't be called
 *     401 {"code", "message"}   closed, or not the secret: the answer is the same
 */
import {
  makeFunctionReference,
  type DefaultFunctionArgs,
  type FunctionReference,
  type PublicHttpAction,
} from "convex/server";
import { ConvexError, convexToJson, jsonToConvex, type JSONValue, type Value } from "convex/values";
import { env, httpAction, type ActionCtx } from "./_generated/server";

const SECRET_LENGTH = 32;

/** The name of every function that can be called → its kind. */
type Functions = ReadonlyMap<string, "query" | "mutation">;

/** A response that is not 200, thrown where its reason is known. */
class Refusal extends Error {
  constructor(
    readonly status: 400 | 401,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The HTTP action to the functions of one module: `registered` are its exports, and nothing else
 * can be called.
 */
export function httpChannel(module: string, registered: Record<string, object>): PublicHttpAction {
  const functions: Functions = new Map(
    Object.entries(registered).map(([name, registeredFunction]) => [
      name,
      "isQuery" in registeredFunction ? "query" : "mutation",
    ]),
  );
  return httpAction(async (ctx, request): Promise<Response> => {
    try {
      await authorize(request);
      const { name, args } = readCall(await request.text(), module, functions);
      return Response.json(await call(ctx, `${module}:${name}`, functions.get(name), args));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, code, message } = error;
      return Response.json({ code, message }, { status });
    }
  });
}

/** One answer to all who lack the secret, so that it does not show whether one is set. */
async function authorize(request: Request): Promise<void> {
  const secret = env.MIGRATION_SECRET ?? "";
  const header = request.headers.get("Authorization") ?? "";
  const bearer = /^Bearer +(.+)$/i.exec(header)?.[1] ?? "";
  const same = await sameText(bearer, secret);
  if (!same || secret.length < SECRET_LENGTH) {
    throw new Refusal(
      401,
      "Unauthorized",
      "send Authorization: Bearer <MIGRATION_SECRET>, as the deployment has it, of at least " +
        `${SECRET_LENGTH} characters`,
    );
  }
}

/** Equality in a time that depends on neither text: their hashes are compared to the end. */
async function sameText(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([sha256(one), sha256(other)]);
  return a.reduce((difference, byte, at) => difference | (byte ^ b[at]!), 0) === 0;
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function readCall(
  body: string,
  module: string,
  functions: Functions,
): { name: string; args: DefaultFunctionArgs } {
  const { function: path, args } = objectOf(parsed(body), "the body");
  if (typeof path !== "string") {
    throw new Refusal(400, "BadCall", '"function" must be the name of a function');
  }
  const name = path.startsWith(`${module}:`) ? path.slice(module.length + 1) : path;
  if (!functions.has(name)) {
    const names = [...functions.keys()].sort().join(", ");
    throw new Refusal(400, "UnknownFunction", `"${name}" is not one of: ${names}`);
  }
  return { name, args: decoded(objectOf(args ?? {}, '"args"')) };
}

function parsed(body: string): JSONValue {
  try {
    return JSON.parse(body) as JSONValue;
  } catch {
    throw new Refusal(400, "BadJsonBody", "the body is not JSON");
  }
}

function objectOf(value: JSONValue, what: string): Record<string, JSONValue | undefined> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(400, "BadCall", `${what} must be a JSON object`);
  }
  return value;
}

function decoded(args: Record<string, JSONValue | undefined>): DefaultFunctionArgs {
  let value: Value;
  try {
    value = jsonToConvex(args as JSONValue);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Refusal(400, "BadArguments", `"args" is not a Convex value: ${words}`);
  }
  // {"$integer": …} and its kind are objects in JSON, but not as values.
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) {
    throw new Refusal(400, "BadCall", '"args" must be a JSON object');
  }
  return value as DefaultFunctionArgs;
}

async function call(
  ctx: ActionCtx,
  path: string,
  kind: "query" | "mutation" | undefined,
  args: DefaultFunctionArgs,
): Promise<JSONValue> {
  try {
    const value: Value =
      kind === "query"
        ? await ctx.runQuery(internalReference<"query">(path), args)
        : await ctx.runMutation(internalReference<"mutation">(path), args);
    return { status: "success", value: convexToJson(value) };
  } catch (error) {
    // As in the Functions API, an error of the function is a result.
    const failure = {
      status: "error",
      errorMessage: error instanceof Error ? error.message : String(error),
    };
    if (!(error instanceof ConvexError)) return failure;
    return { ...failure, errorData: convexToJson(error.data as Value) };
  }
}

function internalReference<Kind extends "query" | "mutation">(
  path: string,
): FunctionReference<Kind, "internal"> {
  return makeFunctionReference<Kind>(path) as unknown as FunctionReference<Kind, "internal">;
}
