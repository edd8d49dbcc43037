/** Rows that can be filtered and searched: by the server if the page is live, else among those in
 * the file. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { completed, CommandLine, Sentence } from "./command.tsx";
import type { ChangeRow, Page, RejectRow } from "./data.ts";
import { count, counted } from "./format.ts";
import { type RowsOf, useAsked } from "./live.ts";
import { replace, type Route, to } from "./route.ts";
import { Choose, Grid } from "./ui.tsx";

const AT_ONCE = 50;
const TYPING_MS = 250;
const FILTERS = ["table", "stage", "field", "rule", "search"] as const;

type AnyRow = RejectRow | ChangeRow;
type Filters = Readonly<Record<(typeof FILTERS)[number], string>>;

/** What the page's address asks for. */
function filtersOf(route: Route): Filters {
  const { table = "", stage = "", field = "", rule = "", search = "" } = route.query;
  return { table, stage, field, rule, search };
}

interface RowsProps<T extends AnyRow> {
  readonly page: Page;
  readonly route: Route;
  readonly view: "rejects" | "changes";
  /** What one row is called, such as `reject`. */
  readonly word: string;
  /** The rows in the file. */
  readonly rows: readonly T[];
  /** How many rows match the filters in all, even if the file does not hold them. */
  readonly counted: (filters: Filters) => number;
  readonly tables: readonly string[];
  readonly fields: readonly string[];
  readonly rules: readonly string[];
  /** What to show next to the rule of a row, if anything. */
  readonly mark?: (row: T) => ComponentChildren;
  /** The columns after table, key, field and rule: the head and the value of each. */
  readonly more: readonly (readonly [string, (row: T) => ComponentChildren])[];
}

const HEADS = ["Table", "Source key", "Field", "Rule"];

export function Rows<T extends AnyRow>(props: RowsProps<T>) {
  const { page, route, view, word } = props;
  const filters = filtersOf(route);
  const offset = Math.max(0, Number(route.query.offset) || 0);
  const found = useFound(props, filters, offset);
  const choose = (changed: Partial<Filters>) => replace(to([view], { ...filters, ...changed }));
  const filtered = FILTERS.some((name) => filters[name]);
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <Choose label="Table" value={filters.table} all="all" options={props.tables} onChoose={(table) => choose({ table })} />
        <Choose label="Field" value={filters.field} all="all" options={props.fields} onChoose={(field) => choose({ field })} />
        <Choose label="Rule" value={filters.rule} all="all" options={props.rules} onChoose={(rule) => choose({ rule })} />
        <Search value={filters.search} onSearch={(search) => choose({ search })} />
        {filtered && (
          <button type="button" onClick={() => replace(to([view]))}>
            Show all
          </button>
        )}
      </form>
      <p role="status" class="total">
        {found.waiting ? "Reading …" : `${counted(found.total, word)}${filtered ? " found" : ""}.`}
        {found.missing > 0 && (
          <>
            {" "}
            {counted(found.missing, "more is", "more are")} not in this file, which holds at most{" "}
            {counted(page.rows_of_group, "row")} of each group. Search all of them with{" "}
            <CommandLine command={completed(page, "stages ui")} />
          </>
        )}
      </p>
      {found.refusal && (
        <p class="banner bad" role="alert">
          {found.refusal.message} {found.refusal.hint && <Sentence text={found.refusal.hint} />}
        </p>
      )}
      {found.rows.length > 0 && (
        <Grid label={`Rows of ${view}`} heads={[...HEADS, ...props.more.map(([head]) => head)].map((text) => ({ text }))}>
          {found.rows.map((row, n) => (
            <tr key={n}>
              <td>{row.table}</td>
              <td class="key">
                <Key page={page} table={row.table} id={row.source_id} />
              </td>
              <td>{row.field}</td>
              <td>
                {row.rule}
                {props.mark?.(row)}
              </td>
              {props.more.map(([head, value]) => (
                <td key={head} class="value">
                  {value(row)}
                </td>
              ))}
            </tr>
          ))}
        </Grid>
      )}
      <Pager
        offset={offset}
        shown={found.rows.length}
        total={found.total}
        onGo={(next) => replace(to([view], { ...filters, offset: next || undefined }))}
      />
    </>
  );
}

function useFound<T extends AnyRow>(props: RowsProps<T>, filters: Filters, offset: number) {
  const { page, view, rows } = props;
  const { stage, ...rest } = filters;
  // Changes have no stage.
  const query = view === "rejects" ? { ...rest, stage } : rest;
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value));
  const asked = useAsked<RowsOf<T>>(
    page.live ? `/api/${view}` : undefined,
    { ...given, offset: String(offset), limit: String(AT_ONCE) },
    page,
  );
  if (page.live) {
    const { answer, waiting, refusal } = asked;
    return {
      rows: answer?.rows ?? [],
      total: answer?.total ?? 0,
      waiting: waiting && !answer,
      refusal,
      missing: 0,
    };
  }
  const found = rows.filter((row) => passes(row, filters));
  const all = props.counted(filters);
  return {
    rows: found.slice(offset, offset + AT_ONCE),
    total: found.length,
    waiting: false,
    refusal: undefined,
    // How many would match a search is unknown.
    missing: filters.search ? 0 : Math.max(0, all - found.length),
  };
}

function passes(row: AnyRow, filters: Filters): boolean {
  const words = filters.search.toLowerCase();
  return (
    (!filters.table || row.table === filters.table) &&
    (!filters.field || row.field === filters.field) &&
    (!filters.rule || row.rule === filters.rule) &&
    (!filters.stage || !("stage" in row) || row.stage === filters.stage) &&
    (!words || Object.values(row).some((value) => value?.toLowerCase().includes(words)))
  );
}

/** Searches once typing has paused for a moment. */
function Search({ value, onSearch }: { value: string; onSearch: (search: string) => void }) {
  const [typed, setTyped] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    // What this field has sent comes back as its value; keys typed since then must not be lost.
    if (value !== sent.current) setTyped(value);
    sent.current = value;
  }, [value]);
  useEffect(() => {
    if (typed === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = typed;
      onSearch(typed);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, onSearch]);
  return (
    <label class="field grows">
      <span>Search</span>
      <input type="search" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
    </label>
  );
}

interface PagerProps {
  readonly offset: number;
  readonly shown: number;
  readonly total: number;
  readonly onGo: (offset: number) => void;
}

function Pager({ offset, shown, total, onGo }: PagerProps) {
  if (total <= AT_ONCE && offset === 0) return null;
  const last = Math.max(0, Math.floor((total - 1) / AT_ONCE) * AT_ONCE);
  const button = (text: string, to_: number, off: boolean) => (
    <button type="button" disabled={off} onClick={() => onGo(to_)}>
      {text}
    </button>
  );
  return (
    <nav class="pager" aria-label="Pages">
      {button("First", 0, offset === 0)}
      {button("Previous", Math.max(0, offset - AT_ONCE), offset === 0)}
      <span class="figures">
        {shown ? `${count(offset + 1)} to ${count(offset + shown)} of ${count(total)}` : `none of ${count(total)}`}
      </span>
      {button("Next", offset + AT_ONCE, offset + AT_ONCE >= total)}
      {button("Last", last, offset + AT_ONCE >= total)}
    </nav>
  );
}

/** A row's key; on a live page, a link to everything about the row. */
function Key({ page, table, id }: { page: Page; table: string; id: string }) {
  const key = <code>{id}</code>;
  return page.live ? <a href={to(["row", table, id])}>{key}</a> : key;
}

/** Each name once, sorted. */
export function names(all: Iterable<string>): string[] {
  return [...new Set(all)].filter(Boolean).sort((a, b) => a.localeCompare(b));
}
