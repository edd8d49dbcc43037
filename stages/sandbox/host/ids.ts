/**
 * Imported ids. The engine only accepts ids that it created, so an imported document gets one of
 * those, and everything that passes the API is translated: clients see the id and creation time
 * from the import; the project's functions see the engine's.
 */
import type { JSONValue, Value } from "convex/values";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const FILE = "_storage";

interface Outside {
  id: string;
  creationTime: number | undefined;
}

export class ImportedIds {
  /** Called when an id is added or forgotten. */
  onAdd: (id: string, engineId: string, creationTime: number | undefined) => void = () => undefined;
  onForget: (engineId: string) => void = () => undefined;
  private readonly inside = new Map<string, string>();
  private files = 0;
  private readonly outside = new Map<string, Outside>();

  add(id: string, engineId: string, creationTime: number | undefined): void {
    this.inside.set(id, engineId);
    this.outside.set(engineId, { id, creationTime });
    // For a file, remember its number, so that the next one gets a new number.
    if (engineId.endsWith(FILE)) this.files = Math.max(this.files, Number(engineId.slice(1, 24)));
    this.onAdd(id, engineId, creationTime);
  }

  /** The engine's ids of all imported documents, with the imported ids and creation times. */
  entries(): Iterable<[string, Readonly<Outside>]> {
    return this.outside;
  }

  has(id: string): boolean {
    return this.inside.has(id);
  }

  forget(engineId: string): void {
    const known = this.outside.get(engineId);
    // An import in mode replace gives the same id to another document.
    if (known && this.inside.get(known.id) === engineId) this.inside.delete(known.id);
    if (this.outside.delete(engineId)) this.onForget(engineId);
  }

  /** Translates arguments to the engine's ids. */
  inward(json: JSONValue): JSONValue {
    if (typeof json === "string") return this.inside.get(json) ?? this.file(json) ?? json;
    if (Array.isArray(json)) return json.map((item) => this.inward(item));
    if (typeof json !== "object" || json === null) return json;
    const fields = Object.entries(json).flatMap(([name, field]): [string, JSONValue][] =>
      field === undefined ? [] : [[name, this.inward(field)]],
    );
    return Object.fromEntries(fields);
  }

  /** The engine's id for a file's id; as in Convex, the file need not exist. */
  private file(id: string): string | undefined {
    if (numberOfId(id) !== FILES) return undefined;
    this.files += 1;
    const engineId = `9${String(this.files).padStart(23, "0")}${FILE}`;
    this.add(id, engineId, undefined);
    return engineId;
  }

  /** Translates a result to imported ids and creation times. */
  outward(value: Value): Value {
    if (this.outside.size === 0) return value;
    if (typeof value === "string") return this.outside.get(value)?.id ?? value;
    if (Array.isArray(value)) return value.map((item) => this.outward(item));
    if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return value;
    const fields = Object.entries(value).map(([name, field]): [string, Value | undefined] => [
      name,
      field === undefined ? field : this.outward(field as Value),
    ]);
    const translated: Record<string, Value | undefined> = Object.fromEntries(fields);
    const known = this.outside.get(String((value as Record<string, unknown>)._id));
    if (known?.creationTime !== undefined) translated._creationTime = known.creationTime;
    return translated;
  }
}

// The table number of files is the same in all deployments.
const FILES = 540;

/** The table number of a Convex id; undefined if it is not one. */
export function numberOfId(id: string): number | undefined {
  if (id.length < 31 || id.length > 37) return undefined;
  const digits = [...id].map((char) => ALPHABET.indexOf(char));
  if (digits.includes(-1)) return undefined;
  const size = Math.floor((id.length * 5) / 8);
  const bits = digits.reduce((all, digit) => (all << 5n) | BigInt(digit), 0n);
  const spare = BigInt(id.length * 5 - size * 8);
  if ((bits & ((1n << spare) - 1n)) !== 0n) return undefined;
  const bytes = Buffer.from((bits >> spare).toString(16).padStart(size * 2, "0"), "hex");
  let [first, second] = [0, 0];
  for (const byte of bytes.subarray(0, -2)) {
    first = (first + byte) % 256;
    second = (second + first) % 256;
  }
  if (bytes.at(-2) !== first || bytes.at(-1) !== second) return undefined;
  const head = [...bytes.subarray(0, -18)];
  const last = head.length - 1;
  if (head.some((byte, at) => byte >= 128 === (at === last)) || head[last] === 0) return undefined;
  const number = head.reduce((sum, byte, at) => sum + (byte & 127) * 128 ** at, 0);
  return number < 2 ** 32 ? number : undefined;
}
