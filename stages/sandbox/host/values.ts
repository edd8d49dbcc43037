/** Convex values as text in HTTP responses. */
import { Base64, convexToJson, type JSONValue, type Value } from "convex/values";

/** How results are written: `json` loses types, `convex_encoded_json` keeps them. */
export type Format = "json" | "convex_encoded_json";

const FORMATS: Record<string, Format> = {
  json: "json",
  convex_clean_json: "json",
  convex_encoded_json: "convex_encoded_json",
  convex_json: "convex_encoded_json",
};

/** The format that a request names, or undefined if there is no such format. */
export function formatNamed(name: string | undefined): Format | undefined {
  return name === undefined ? "json" : Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
}

/** A value as JSON in one of the formats; all JSON numbers are float64. */
export function toJson(value: Value, format: Format): JSONValue {
  return format === "convex_encoded_json" ? convexToJson(value) : clean(value);
}

function clean(value: Value): JSONValue {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof ArrayBuffer) return Base64.fromByteArray(new Uint8Array(value));
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, field]) =>
        field === undefined ? [] : [[key, clean(field)]],
      ),
    );
  }
  return value;
}

/**
 * JSON as the backend writes it: a float64 always has a dot or an exponent, so that clients in
 * languages that distinguish 1 from 1.0 get the same as from the backend.
 */
export function jsonText(json: JSONValue): string {
  if (typeof json === "number") {
    const text = Object.is(json, -0) ? "-0" : JSON.stringify(json);
    return /[.e]/.test(text) ? text : `${text}.0`;
  }
  if (Array.isArray(json)) return `[${json.map(jsonText).join(",")}]`;
  if (typeof json === "object" && json !== null) {
    const fields = Object.entries(json).flatMap(([key, field]) =>
      field === undefined ? [] : [`${JSON.stringify(key)}:${jsonText(field)}`],
    );
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(json);
}

/** Whether no string in it has a lone surrogate, which the backend can't parse. */
export function isWellFormed(json: JSONValue): boolean {
  if (typeof json === "string") return json.isWellFormed();
  if (Array.isArray(json)) return json.every(isWellFormed);
  if (typeof json === "object" && json !== null) {
    return Object.entries(json).every(
      ([key, field]) => key.isWellFormed() && (field === undefined || isWellFormed(field)),
    );
  }
  return true;
}
