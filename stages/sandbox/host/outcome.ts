/** The result of a call, with errors worded as in the backend. */
import { randomBytes } from "node:crypto";
import type { Value } from "convex/values";

/** The result of a call: a value, or the error that clients see. */
export type Outcome = { value: Value } | { errorMessage: string; errorData?: Value };

/** Arguments that no function could accept. */
export class InvalidArguments extends Error {}

export function failed(words: string, errorData?: Value): Outcome {
  const errorMessage = `[Request ID: ${randomBytes(8).toString("hex")}] Server Error\n${words}`;
  return errorData === undefined ? { errorMessage } : { errorMessage, errorData };
}

/** An error worded as in the backend, as far as the engine's errors can be distinguished. */
export function describeError(error: unknown): Outcome {
  if (!(error instanceof Error)) return failed(`Uncaught ${String(error)}`);
  if (Symbol.for("ConvexError") in error) {
    const { data } = error as Error & { data: Value };
    return failed(`Uncaught ConvexError: ${error.message}`, data);
  }
  if (error instanceof InvalidArguments) return failed(`Invalid arguments: ${error.message}`);
  const broken = /^Validator error: (.*)$/s.exec(error.message)?.[1];
  if (broken === undefined) return failed(`Uncaught Error: ${error.message}`);
  // The engine has the same message for arguments and documents; only the stack differs.
  return error.stack?.includes("validateFunctionArgs")
    ? failed(`ArgumentValidationError: ${broken}`)
    : failed(
        "Uncaught Error: Failed to insert or update a document because it does not match the " +
          `schema: ${broken}`,
      );
}
