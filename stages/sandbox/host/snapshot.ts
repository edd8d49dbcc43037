/** Snapshot ZIPs: read for an import, written for an export. */
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { Base64, convexToJson, jsonToConvex, type JSONValue, type Value } from "convex/values";
import { jsonText } from "./values.ts";

export type Row = Record<string, Value>;

const ENTRY = /^(?:.*\/)?([A-Za-z][A-Za-z0-9_]*)\/(documents|generated_schema)\.jsonl$/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A failure whose message becomes the import's error. */
export class ImportFailed extends Error {}

/** Returns table → its documents. Throws ImportFailed for anything that the backend refuses. */
export function readSnapshot(zip: Uint8Array): Map<string, Row[]> {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(zip);
  } catch (error) {
    throw new ImportFailed(`InvalidZip: ${error instanceof Error ? error.message : error}`);
  }
  const texts = new Map<string, string>();
  const typed = new Set<string>();
  for (const [name, bytes] of Object.entries(files)) {
    const [, table, kind] = ENTRY.exec(name) ?? [];
    if (table === undefined) continue;
    if (kind === "documents") texts.set(table, strFromU8(bytes));
    else if (strFromU8(bytes).trim() === '"uniform"') typed.add(table);
    else throw new ImportFailed(`${name}: the sandbox knows only the schema "uniform"`);
  }
  return new Map(
    [...texts].map(([table, text]) => [table, rowsOf(table, text, typed.has(table))]),
  );
}

function rowsOf(table: string, text: string, typed: boolean): Row[] {
  if (text === "") return [];
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line, at) => {
    try {
      const row = jsonToConvex(JSON.parse(typed ? withIntegers(line) : line) as JSONValue);
      if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Row;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      throw new ImportFailed(`${table}: line ${at + 1}: ${words}`);
    }
    throw new ImportFailed(`${table}: line ${at + 1} is not an object`);
  });
}

/** Turns export JSON into encoded JSON: numbers without a dot or exponent are int64. */
function withIntegers(line: string): string {
  return line.replace(TOKEN, (token) => {
    if (token.startsWith('"') || /[.eE]/.test(token)) return token;
    const integer = BigInt(token);
    if (BigInt.asIntN(64, integer) !== integer) return `${token}.0`;
    return JSON.stringify(convexToJson(integer));
  });
}

/** The ZIP of an export: all tables, and their numbers. */
export function writeSnapshot(tables: Map<string, { id: number; rows: Row[] }>): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  const numbers = [...tables].map(([name, { id }]) => JSON.stringify({ name, id }));
  files["_tables/documents.jsonl"] = strToU8(numbers.map((line) => `${line}\n`).join(""));
  for (const [table, { rows }] of tables) {
    files[`${table}/generated_schema.jsonl`] = strToU8('"uniform"\n');
    files[`${table}/documents.jsonl`] = strToU8(rows.map((row) => `${exportJson(row)}\n`).join(""));
  }
  return zipSync(files, { level: 6 });
}

function exportJson(value: Value): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && Number.isFinite(value)) return jsonText(value);
  if (value instanceof ArrayBuffer) {
    return JSON.stringify({ $bytes: Base64.fromByteArray(new Uint8Array(value)) });
  }
  if (Array.isArray(value)) return `[${value.map(exportJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).flatMap(([name, field]) =>
      field === undefined ? [] : [`${JSON.stringify(name)}:${exportJson(field)}`],
    );
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(convexToJson(value));
}
