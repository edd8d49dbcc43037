/** Documents of one table ordered by some of their fields, in Convex's order of values. */
import { createRequire } from "node:module";
import { compareValues, jsonToConvex, type JSONValue, type Value } from "convex/values";
import type { Document, RangeExpression } from "./engine_database.ts";

// A CommonJS module whose class is its `default`.
const { default: BTree } = createRequire(import.meta.url)("sorted-btree") as {
  default: typeof import("sorted-btree").default;
};

type Values = (Value | undefined)[];

/**
 * The position of a document: the values of all fields, and edge 0. Or a position between
 * documents: before (-1) or after (1) all whose first fields have these values.
 */
interface Place {
  values: Values;
  edge: -1 | 0 | 1;
}

/** The part of an index to read, and the direction. `most` limits the number of documents. */
export interface Window {
  range: RangeExpression[];
  /** Field values of the document after which to start, in the direction of `order`. */
  after: Values | null;
  order: "asc" | "desc";
  most: number;
}

/** Documents in order; `cut` if there are more of them than `most`. */
export interface Found {
  documents: Document[];
  cut: boolean;
}

export class OrderedIndex {
  private readonly tree = new BTree<Place, Document>(undefined, comparePlaces);
  private readonly paths: string[][];

  /** `fields` are paths such as `a.b`; the last is `_id`, so that no two documents are equal. */
  constructor(
    private readonly fields: readonly string[],
    documents: Iterable<Document>,
  ) {
    this.paths = fields.map((field) => field.split("."));
    for (const document of documents) this.add(document);
  }

  add(document: Document): void {
    this.tree.set(this.placeOf(document), document);
  }

  remove(document: Document): void {
    this.tree.delete(this.placeOf(document));
  }

  /**
   * All documents in the window, or the first `most`. For a range that an index can't represent,
   * there may be more than the range contains, but never fewer.
   */
  find({ range, after, order, most }: Window): Found {
    let [low, high] = boundsOf(range, this.fields);
    if (after !== null) {
      const values = this.fields.map((_, at) => after[at]);
      if (order === "asc") low = later(low, { values, edge: 1 });
      else high = earlier(high, { values, edge: -1 });
    }
    const documents: Document[] = [];
    const entries =
      order === "asc" ? this.tree.entries(low, []) : this.tree.entriesReversed(high, []);
    for (const [place, document] of entries) {
      if (order === "asc" ? comparePlaces(place, high) > 0 : comparePlaces(place, low) < 0) break;
      if (documents.length === most) return { documents, cut: true };
      documents.push(document);
    }
    return { documents, cut: false };
  }

  private placeOf(document: Document): Place {
    return { values: this.paths.map((path) => valueAt(document, path)), edge: 0 };
  }
}

/** The two ends of a range: first equalities, then bounds on one more field. */
function boundsOf(range: RangeExpression[], fields: readonly string[]): [Place, Place] {
  const equal: Values = [];
  let low: Place | null = null;
  let high: Place | null = null;
  for (const { type, fieldPath, value } of range) {
    // If fields are in another order, the engine itself refuses the query.
    if (fieldPath !== fields[equal.length]) break;
    let bound: Value | undefined;
    try {
      bound = boundOf(value);
    } catch {
      break; // refused as well
    }
    const values = [...equal, bound];
    if (type === "Eq" && !low && !high) equal.push(bound);
    else if (type === "Gt") low = later(low, { values, edge: 1 });
    else if (type === "Gte") low = later(low, { values, edge: -1 });
    else if (type === "Lt") high = earlier(high, { values, edge: -1 });
    else if (type === "Lte") high = earlier(high, { values, edge: 1 });
    else break;
  }
  return [low ?? { values: equal, edge: -1 }, high ?? { values: equal, edge: 1 }];
}

function boundOf(value: JSONValue): Value | undefined {
  const isUndefined = typeof value === "object" && value !== null && "$undefined" in value;
  return isUndefined ? undefined : jsonToConvex(value);
}

function valueAt(document: Document, path: string[]): Value | undefined {
  let value: Value | undefined = document;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    if (value instanceof ArrayBuffer) return undefined;
    value = (value as Record<string, Value | undefined>)[name];
  }
  return value;
}

function later(one: Place | null, other: Place): Place {
  return one !== null && comparePlaces(one, other) > 0 ? one : other;
}

function earlier(one: Place | null, other: Place): Place {
  return one !== null && comparePlaces(one, other) < 0 ? one : other;
}

function comparePlaces(a: Place, b: Place): number {
  const length = Math.min(a.values.length, b.values.length);
  for (let at = 0; at < length; at++) {
    const order = compare(a.values[at], b.values[at]);
    if (order !== 0) return order;
  }
  if (a.values.length < b.values.length) return a.edge;
  if (a.values.length > b.values.length) return -b.edge;
  return a.edge - b.edge;
}

/** As `compareValues`, but without allocating arrays for the most common values. */
function compare(a: Value | undefined, b: Value | undefined): number {
  if (typeof a === "string" && a === b) return 0;
  if (typeof a === "number" && typeof b === "number") {
    if (a < b) return -1;
    if (a > b) return 1;
  }
  return compareValues(a, b);
}
