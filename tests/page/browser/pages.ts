/** Pages with every state that a view can show, which a few real runs would not produce. */
import type { Assessment } from "../../../stages/page/web/assessed.ts";
import type {
  ChangeRow, Flow, HistoryRun, Loss, MappedField, Page, RejectGroup, RejectRow, StageCell, Table,
} from "../../../stages/page/web/data.ts";
import type { Shown } from "../../../stages/page/web/shown.ts";

/** Markup that must be shown as text, wherever it is put. */
export const SCRIPT = "<script>window.hacked = true</script><img src=x onerror='window.hacked = true'>";
/** How many rejects the server has: more than it ever sends. */
export const MANY = 1_000_000;
const COMMANDS = "stages --target prod";

const NONE: StageCell = { state: "none", text: "–", why: null };
const done = (text: string): StageCell => ({ state: "complete", text, why: null });

const NO_ROWS: Flow = {
  source: null, filtered: 0, documents: 0, rejected: 0, dropped: 0, loaded: 0, refused: 0,
  conflict: 0, held_back: 0, not_sent: 0, verified: 0, wrong: 0,
};

type Stages = Table["stages"];

function table(name: string, level: number, flow: Partial<Flow>, more: Partial<Table> = {}): Table {
  const all = { ...NO_ROWS, ...flow };
  const number = (rows: number) => rows.toLocaleString("en-US");
  const stages: Stages = {
    extract: done(`${number(all.source ?? 0)} (2 min)`),
    transform: done(number(all.documents)),
    load: done(number(all.loaded)),
    verify: done(number(all.verified)),
  };
  return {
    name, level, source: name.toLowerCase(), grain: "row", stages, flow: all, losses: [], changes: [],
    ...more,
  };
}

const loss = (stage: Loss["stage"], field: string, rule: string, rows: number): Loss => ({
  stage, field, rule, rows,
});

const TABLES: readonly Table[] = [
  table("brands", 0, { source: 12, documents: 12, loaded: 12, verified: 12 }),
  table("customers", 0, {
    source: 48_210, filtered: 210, documents: 47_100, rejected: 880, dropped: 20, loaded: 47_100,
    verified: 47_098, wrong: 2,
  }, {
    losses: [
      loss("transform", "email", "required_null", 640), loss("transform", "born", "infinite_time", 240),
      loss("transform", "", "dropped_on_purpose", 20),
    ],
    changes: [loss("transform", "created_at", "below_millisecond", 47_100)],
  }),
  table("employees", 1, { source: 310, documents: 310, loaded: 310, verified: 0 }, {
    stages: {
      extract: done("310 (2 min)"), transform: done("310"), load: done("310"),
      verify: { state: "stale", text: "310*", why: "verified before the last load" },
    },
  }),
  table("teams", 1, { source: 18, documents: 18, loaded: 18, verified: 18 }),
  table("products", 1, { source: 5_400, documents: 5_388, rejected: 12, loaded: 5_388, verified: 5_388 }, {
    losses: [loss("transform", "price", "inexact_number", 12)],
    changes: [loss("transform", "weight", "rounded", 31)],
  }),
  table("orders", 2, {
    source: 1_204_377, documents: 1_198_002, rejected: 6_375, loaded: 811_400, refused: 3,
    conflict: 4, held_back: 9, not_sent: 386_586,
  }, {
    stages: {
      extract: done("1,204,377 (2 min)"), transform: done("1,198,002"),
      load: { state: "partial", text: "811,400 of 1,198,002, not all", why: null }, verify: NONE,
    },
    losses: [
      loss("transform", "customer_id", "parent_rejected", 6_375), loss("load", "", "conflict", 4),
      loss("load", "note", "refused", 3), loss("load", "brand_id", "held_back", 9),
    ],
  }),
  table("anExceptionallyLongNameOfATable", 3, {}, {
    source: "an_exceptionally_long_name_of_a_table_of_the_source",
    stages: {
      extract: { state: "failed", text: "0!", why: "the connection was closed; run: stages --target prod extract" },
      transform: NONE, load: NONE, verify: NONE,
    },
  }),
  table("remarks", 3, { source: 3_100, documents: 3_100, loaded: 0, not_sent: 3_100 }, { grain: "derived" }),
];

function sum(tables: readonly Table[]): Flow {
  const names = Object.keys(NO_ROWS) as (keyof Flow)[];
  const total = (name: keyof Flow) => tables.reduce((all, each) => all + (each.flow[name] ?? 0), 0);
  return Object.fromEntries(names.map((name) => [name, total(name)])) as unknown as Flow;
}

const field = (name: string, type: string, more: Partial<MappedField> = {}): MappedField => ({
  name, type, optional: type.startsWith("v.optional"), columns: [name], sql: name, converted: false,
  rejected: 0, changes: [], ...more,
});

const CUSTOMERS: readonly MappedField[] = [
  field("email", "v.string()", { columns: ["email"], sql: "lower(trim(email)) AS email", converted: true, rejected: 640 }),
  field("born", "v.optional(v.number())", { sql: "to_ms(born) AS born", converted: true, rejected: 240 }),
  field("created_at", "v.number()", {
    sql: "to_ms(created_at) AS created_at", converted: true,
    changes: [loss("transform", "created_at", "below_millisecond", 47_100)],
  }),
  field("name", "v.string()", {
    columns: ["first_name", "last_name"], sql: "first_name || ' ' || last_name AS name", converted: true,
  }),
  field("note", "v.optional(v.string())"),
  field("teamId", 'v.optional(v.id("teams"))', { columns: [], sql: "" }),
  field("locale", 'v.union(v.literal("id"), v.literal("en"))', { columns: [], sql: "'id' AS locale", converted: true }),
];

const group = (table_: string, field_: string, rule: string, rows: number, more: Partial<RejectGroup> = {}): RejectGroup => ({
  table: table_, stage: "transform", field: field_, rule, rows, edit: `models/${table_}.sql, or the source`,
  because: [], follows_from: [], reasons: [], ...more,
});

const GROUPS: readonly RejectGroup[] = [
  group("anExceptionallyLongNameOfATable", "", "failed", 0, {
    stage: "extract", reasons: ["the connection was closed"], edit: "run it again: stages --target prod extract",
  }),
  group("customers", "email", "required_null", 640, {
    because: [{ table: "orders", rows: 6_375 }], edit: "models/customers.sql, the source, or convex/schema.ts",
    reasons: ["the field is required, the value is null", SCRIPT],
  }),
  group("customers", "born", "infinite_time", 240),
  group("customers", "", "dropped_on_purpose", 20, { edit: "models/customers.drop.sql" }),
  group("products", "price", "inexact_number", 10_000_012),
  group("orders", "note", "refused", 3, { stage: "load", reasons: ["the document has more bytes than Convex takes"] }),
  group("orders", "", "conflict", 4, { stage: "load", edit: "decide, then: stages --target prod load --overwrite" }),
  group("orders", "customer_id", "parent_rejected", 6_375, { follows_from: ["customers"] }),
  group("orders", "brand_id", "held_back", 9, { stage: "load", follows_from: ["brands"] }),
];

const RULES: Page["rules"] = {
  required_null: {
    meaning: "the value is null, and the field takes no null",
    cause: "the source has nulls, or a join of the model found nothing",
    fix: "the model, the source, or convex/schema.ts",
  },
  infinite_time: {
    meaning: "the time is infinite", fix: "the model, or the source",
    cause: "Postgres has infinity and -infinity for dates and timestamps, Convex has not",
  },
  parent_rejected: {
    meaning: "the reference names a row that is rejected itself", fix: "the parent's reject first",
    cause: "the parent's own reject, which the reason names",
  },
  below_millisecond: {
    meaning: "the time has microseconds, and Convex keeps milliseconds",
    cause: "to_ms() drops what is below a millisecond", fix: "nothing, where milliseconds are enough",
  },
};

/** The server's n-th reject; the first has markup in its key and reason. */
export function rejectRow(n: number): RejectRow {
  const rule = n % 4 ? "required_null" : "infinite_time";
  return {
    table: "customers", stage: "transform", source_id: n ? `customer-${n}` : SCRIPT,
    field: rule === "required_null" ? "email" : "born", rule,
    reason: n ? `reason ${n}: the value is null` : SCRIPT,
  };
}

export function changeRow(n: number): ChangeRow {
  return {
    table: "customers", source_id: `customer-${n}`, field: "created_at", rule: "below_millisecond",
    old: n ? `2024-01-10 15:47:43.12345${n % 10}+00` : SCRIPT, new: n ? "1704901663123" : null,
  };
}

function run(n: number): HistoryRun {
  const command = ["extract", "transform", "load", "verify"][n % 4] ?? "load";
  const started = new Date(Date.UTC(2026, 4, 1, 8, n)).toISOString();
  if (n === 14) {
    return { command, target: "prod", started, seconds: null, outcome: "killed", rows: {}, bytes: 0, version: "", message: "" };
  }
  const outcome = n === 6 ? "stopped" : n === 9 ? "fell short" : "done";
  return {
    command, target: "prod", started, seconds: 8 + ((n * 37) % 90) / 2, outcome, version: "0.1.0",
    rows: { customers: 40_000 + n * 311, orders: 1_100_000 - n * 9_000 }, bytes: 48_000_000 + n,
    message: outcome === "done" ? "" : "Convex did not answer for 30 s",
  };
}

const ASSESSMENT: Assessment = {
  format: 1, source: "shop", transport: "postgres", partial: false, seconds: 2.5, schemas: ["public"],
  statistics_since: null,
  verdicts: { ready: 3, unknown: 0, decisions: 2, work: 1, "not possible": 0 },
  tables: [
    {
      name: "public.customers", verdict: "work", reasons: ["2 triggers", "times may be infinite"], rows: 48_210,
      rows_are: "counted", columns: 9, key: ["id"], bytes: 9_000_000, index_bytes: 1_000_000, analyzed: true,
      idle: false, sampled: 1000, document_bytes: 240, largest_document: 900, indexes: 2,
      stored_bytes: 14_000_000, empty_columns: [],
    },
  ],
  large_columns: [],
  rebuild: [{
    kind: "trigger", heading: "Triggers", count: 2, counterpart: "What they did belongs in the mutations that write.",
    tables: { "public.customers": 2 }, names: ["touch_updated_at", "audit"], verdict: "work",
  }],
  risks: [{
    rule: "infinite_time", basis: "sample", text: "times are infinite", table: "public.customers",
    columns: ["born"], verdict: "decisions", seen: 4, looked: 1000,
  }],
  buckets: null, users: null,
  cost: {
    documents: 1_250_000, document_bytes: 300_000_000, written_bytes: 420_000_000, stored_bytes: 600_000_000,
    calls: 4_200, minutes: { "1 MiB/s": 6.7, "4 MiB/s": 1.7 }, reading_seconds: 12, road: "functions",
    why: ["it takes a few minutes"],
  },
  skipped: ["storage: no rights"],
};

const NOT_CARRIED = `# What is not carried over

Postgres did this by itself. Convex does not, until somebody writes it.

## Triggers

What they did belongs in the mutations that write.

- \`customers\` · \`touch_updated_at\`

  \`\`\`sql
  CREATE TRIGGER touch_updated_at BEFORE UPDATE ON customers ${SCRIPT}
  \`\`\`

## Row-security policies

Each is a check in the functions that read and write. ${SCRIPT}

| table | policy |
|---|---|
| customers | own & <b>only</b> |

[not a link](javascript:alert(1)), but [this is](https://example.com/).
`;

/** A complete page, live or as a file; a file has the first rows of each rule. */
export function fullPage(more: Partial<Page> = {}): Page {
  const values = more.values ?? more.live ?? false;
  const rejects = Array.from({ length: more.live ? 0 : 200 }, (_, n) => rejectRow(n));
  const changes = Array.from({ length: more.live ? 0 : 120 }, (_, n) => changeRow(n));
  return {
    format: 1, made: "2026-05-01T09:30:00Z", live: false, values, version: "0.1.0",
    plan: ".planning/migrations/plan.toml", source: "ggmpbjlxmdkhujyasilm", target: "prod (happy-otter-123)",
    consistency: "exported", verdict: "not everything is loaded", finished: false, next: `${COMMANDS} load`,
    running: null, flow: sum(TABLES), tables: TABLES,
    map: TABLES.map((each) => ({
      table: each.name, source: each.source, model: `models/${each.name}.sql`,
      fields: each.name === "customers" ? CUSTOMERS : [field("name", "v.string()")],
      columns: {
        name: "text", email: "text", born: "date", created_at: "timestamptz", first_name: "text",
        last_name: "text", note: "text", internal_rating: "int4",
      },
      unread: each.name === "customers" ? ["internal_rating"] : [],
      problem: each.name === "remarks" ? "the model can't be taken apart: PIVOT" : null,
    })),
    not_carried: NOT_CARRIED, assessment: ASSESSMENT as unknown as Page["assessment"],
    graph: {
      nodes: [
        ...TABLES.map((each) => ({
          name: each.name, kind: "table" as const, level: each.level, documents: each.flow.documents || null,
        })),
        { name: "workspaces", kind: "reference", level: 0, documents: 10 },
      ],
      edges: [
        edge("orders", "customers", "customer_id", { bound: 811_400, orphans: 0 }),
        edge("orders", "products", "product_id"),
        edge("orders", "brands", "brand_id", { required: false, orphans: 9 }),
        edge("products", "brands", "brand_id"),
        edge("customers", "workspaces", "workspace_id"), edge("orders", "workspaces", "workspace_id"),
        edge("employees", "employees", "manager_id", { required: false, second_pass: true }),
        edge("employees", "teams", "team_id", { second_pass: true }),
        edge("teams", "employees", "lead_id", { required: false, second_pass: true }),
        edge("employees", "brands", "brand_id"),
        edge("anExceptionallyLongNameOfATable", "orders", "order_id"),
        edge("remarks", "orders", "order_id"),
      ],
      cycles: [["employees"], ["employees", "teams"]],
    },
    reject_groups: GROUPS.map((each) => (values ? each : { ...each, reasons: [] })),
    rejects: values ? rejects : rejects.map((row) => ({ ...row, reason: null })),
    change_groups: { customers: [loss("transform", "created_at", "below_millisecond", 47_100)], products: [loss("transform", "weight", "rounded", 31)] },
    changes: values ? changes : changes.map((row) => ({ ...row, old: null, new: null })),
    rules: RULES,
    consistency_of: TABLES.map((each, n) => ({
      source: each.source, transport: "postgres", snapshot: "exported", rows: each.flow.source ?? 0,
      read: each.flow.source === null ? null : "2026-05-01T09:28:00Z", moved: n === 1 ? "48,211 rows, 1 more" : null,
    })),
    verified: TABLES.slice(0, 5).map((each) => ({
      table: each.name,
      counts: { verified: each.flow.verified, missing: each.flow.wrong, changed: 0, unowned: 3 },
      wrong: each.flow.wrong ? ["missing"] : [], stale: each.name === "employees",
    })),
    history: Array.from({ length: 22 }, (_, n) => run(n)),
    settings: [
      { name: "SUPABASE_URL", where: ".env.local", shown: "https://ggmpbjlxmdkhujyasilm.supabase.co", secret: false },
      { name: "SUPABASE_SERVICE_ROLE_KEY", where: "the environment", shown: null, secret: true },
      { name: "CONVEX_SITE_URL", where: null, shown: null, secret: false },
    ],
    rows_of_group: 200, problems: [], ...more,
  };
}

function edge(source: string, target: string, field_: string, more: Partial<Page["graph"]["edges"][number]> = {}) {
  return { source, target, field: field_, required: true, second_pass: false, bound: null, orphans: 0, ...more };
}

/** A page before anything was done. */
export function emptyPage(more: Partial<Page> = {}): Page {
  return fullPage({
    source: null, target: null, consistency: "none", verdict: "not everything is extracted",
    next: `${COMMANDS} extract`, flow: NO_ROWS,
    tables: TABLES.map((each) => ({
      ...each, flow: NO_ROWS, losses: [], changes: [],
      stages: { extract: NONE, transform: NONE, load: NONE, verify: NONE },
    })),
    map: [], not_carried: "", assessment: null, graph: { nodes: [], edges: [], cycles: [] },
    reject_groups: [], rejects: [], change_groups: {}, changes: [], consistency_of: [], verified: [],
    history: [], settings: [], ...more,
  });
}

/** The result of `stages show` for a row that is a document, or is rejected. */
export function shownRow(table_: string, key: string, convex: boolean): Shown & { differs: readonly string[] } {
  const rejected = key.startsWith("rejected");
  const document = { email: "a@example.com", created_at: 1704901663123, note: SCRIPT };
  return {
    kind: "table", table: table_, source: table_, source_id: key, convex_id: rejected ? null : "k5789",
    model: `models/${table_}.sql`, stale: null,
    row: [
      { column: "id", type: "uuid", value: key }, { column: "email", type: "text", value: rejected ? null : "a@example.com" },
      { column: "note", type: "text", value: SCRIPT },
    ],
    fields: [
      { name: "email", lines: [{ first: 3, last: 3, text: "lower(email) AS email" }], columns: ["email"], given: null },
      { name: "note", lines: [{ first: 4, last: 5, text: "CASE WHEN note = '' THEN null\n     ELSE note END AS note" }], columns: ["note"], given: SCRIPT },
    ],
    document: rejected ? null : document, bound: rejected ? null : document,
    changes: [{ field: "created_at", rule: "below_millisecond", old: "15:47:43.123457", new: "1704901663123" }],
    rejects: rejected
      ? [{ stage: "transform", field: "email", rule: "required_null", reason: "the field is required, the value is null", edit: "models/customers.sql" }]
      : [],
    references: [
      { field: "workspace_id", table: "workspaces", source_id: "ws-1", convex_id: "j123", state: "document" },
      { field: "brand_id", table: "brands", source_id: "rejected-2", convex_id: null, state: "rejected" },
    ],
    referrers: [{ table: "orders", field: "customer_id", rows: 12, first: ["order-1", "order-2"], rejected: 3 }],
    loaded: rejected ? null : "inserted", now: convex ? { ...document, email: "b@example.com" } : null,
    not_asked: convex ? null : "only files were read", differs: convex ? ["email"] : [],
  };
}
