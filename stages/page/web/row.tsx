/** Everything about one row, as `stages show` prints it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ViewProps } from "./app.tsx";
import { completed, Empty, Sentence } from "./command.tsx";
import type { Page } from "./data.ts";
import { counted } from "./format.ts";
import { ask, Refusal, useAsked } from "./live.ts";
import { to } from "./route.ts";
import type { Referrers, Shown, ShownField } from "./shown.ts";
import { Grid, RuleText, Section, Tag } from "./ui.tsx";

type WholeRow = Shown & { readonly differs: readonly string[] };
type Kind = "good" | "warn" | "bad" | "plain";

export function Row({ page, route }: ViewProps) {
  const [table = "", key = ""] = route.rest;
  if (!page.live) {
    return (
      <Empty
        text="A row is shown by the live page, or on the terminal:"
        command={completed(page, table && key ? `stages show ${quoted(table)} ${quoted(key)}` : "stages ui")}
      />
    );
  }
  return (
    <>
      <Find page={page} table={table} id={key} key={`${table} ${key}`} />
      {table && key ? (
        <Found page={page} table={table} id={key} key={`found ${table} ${key}`} />
      ) : (
        <p class="empty">Name a table and a row: its key at the source, or its Convex id.</p>
      )}
    </>
  );
}

/** A word, quoted for a shell if necessary. */
function quoted(word: string): string {
  return /^[\w.:@/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function Find({ page, table, id }: { page: Page; table: string; id: string }) {
  const tables = page.tables.map((each) => each.name);
  const others = page.graph.nodes.filter((node) => node.kind === "reference").map((node) => node.name);
  const all = [...tables, ...others];
  const find = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    location.hash = to(["row", String(form.get("table")), String(form.get("key")).trim()]);
  };
  return (
    <form class="filters" role="search" onSubmit={find}>
      <label class="field">
        <span>Table</span>
        <select name="table">
          {(table && !all.includes(table) ? [table, ...all] : all).map((name) => (
            <option key={name} value={name} selected={name === table}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field grows">
        <span>Source key or Convex id</span>
        <input name="key" defaultValue={id} required autocomplete="off" spellcheck={false} />
      </label>
      <button type="submit">Show</button>
    </form>
  );
}

function Found({ page, table, id }: { page: Page; table: string; id: string }) {
  const files = useAsked<WholeRow>("/api/row", { table, key: id }, page);
  const [asked, setAsked] = useState<{ row?: WholeRow; refusal?: Refusal; waiting?: boolean }>({});
  const askConvex = async () => {
    setAsked({ waiting: true });
    try {
      setAsked({ row: await ask<WholeRow>("/api/row", { table, key: id, convex: "1" }) });
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal(0, "stages ui does not answer", "stages ui");
      setAsked({ refusal });
    }
  };
  const refusal = asked.refusal ?? files.refusal;
  const row = asked.row ?? files.answer;
  return (
    <>
      {refusal && (
        <p class="banner bad" role="alert">
          {refusal.message} {refusal.hint && <Sentence text={refusal.hint} />}
        </p>
      )}
      {!row && !refusal && <p role="status">Reading …</p>}
      {row && <Whole page={page} row={row} />}
      {row?.convex_id && (
        <p>
          <button type="button" disabled={asked.waiting} onClick={askConvex}>
            {asked.waiting ? "Asking Convex …" : "Ask Convex what it has now"}
          </button>
        </p>
      )}
    </>
  );
}

/** Sentences on the state of the row. */
function standing(row: WholeRow): { kind: Kind; text: string }[] {
  const said: { kind: Kind; text: string }[] = [];
  const say = (kind: Kind, text: string) => said.push({ kind, text });
  if (row.kind === "source") {
    say("plain", "The plan only reads this source: it becomes no document of its own.");
    return said;
  }
  if (row.kind === "reference") {
    if (row.loaded === null && row.convex_id) {
      say("plain", `Convex had it before; found by the key model ${row.model}.`);
    }
  } else if (row.rejects.length && !row.document) say("bad", "It is rejected, and is no document.");
  else if (!row.document) say("warn", "It is not transformed yet.");
  else if (row.loaded) say("good", `It is a document, and loaded (${row.loaded}).`);
  else say("warn", "It is a document, and not loaded yet.");
  if (row.stale) say("warn", `What is staged is older than ${row.stale}.`);
  if (!row.convex_id) return said;
  if (row.not_asked) say("plain", `Convex was not asked: ${row.not_asked}.`);
  else if (row.now === null) say("bad", "Convex has no document with this id any more.");
  else if (row.differs.length) say("warn", `Convex has other values in ${row.differs.join(", ")}.`);
  else if (row.bound) say("good", "Convex has it as it is staged.");
  return said;
}

const MARKS: Readonly<Record<Kind, string>> = { good: "✓", warn: "*", bad: "!", plain: "·" };

function Whole({ page, row }: { page: Page; row: WholeRow }) {
  return (
    <>
      <p class="key">
        <strong>{row.table}</strong> <code>{row.source_id}</code>
        {row.convex_id && (
          <>
            {" "}
            → <code>{row.convex_id}</code>
          </>
        )}
      </p>
      <ul class="standing">
        {standing(row).map(({ kind, text }) => (
          <li key={text} class={kind}>
            <span aria-hidden="true">{MARKS[kind]}</span> {text}
          </li>
        ))}
      </ul>
      <RejectsOf page={page} row={row} />
      <Differences row={row} />
      <Source row={row} />
      <Fields row={row} />
      <ChangesOf page={page} row={row} />
      <References row={row} />
      <ReferredBy row={row} />
    </>
  );
}

function RejectsOf({ page, row }: { page: Page; row: WholeRow }) {
  if (!row.rejects.length) return null;
  return (
    <Section title="Rejected" id="rejected">
      {row.rejects.map((each) => (
        <div key={`${each.stage} ${each.field} ${each.rule}`} class="reject">
          <p>
            <Tag kind="bad">! {each.rule}</Tag> {each.field && <strong>{each.field}: </strong>}
            <span class="value">{each.reason}</span> <span class="dim">at {each.stage}</span>
          </p>
          <RuleText rule={page.rules[each.rule]} />
          <p>
            Fix: <Sentence text={each.edit} />
          </p>
        </div>
      ))}
    </Section>
  );
}

function Value({ value }: { value: string | null }) {
  return value === null ? <i class="dim">null</i> : <span class="value">{value}</span>;
}

function Source({ row }: { row: WholeRow }) {
  if (!row.source) return null;
  const why = row.kind === "table" ? "No row of its own has this key." : "There is no such row.";
  return (
    <Section title={`Source ${row.source}`} id="source">
      {row.row.length ? (
        <Grid label="The source row" heads={["Column", "Type", "Value"].map((text) => ({ text }))}>
          {row.row.map((each) => (
            <tr key={each.column}>
              <th scope="row">{each.column}</th>
              <td class="dim">{each.type}</td>
              <td>
                <Value value={each.value} />
              </td>
            </tr>
          ))}
        </Grid>
      ) : (
        <p class="empty">{why}</p>
      )}
    </Section>
  );
}

function staged(row: WholeRow, field: ShownField): ComponentChildren {
  if (row.document === null) return <Value value={field.given} />;
  return <Value value={json(row.document, field.name)} />;
}

function json(document: Readonly<Record<string, unknown>>, name: string): string {
  return name in document ? JSON.stringify(document[name]) : "absent";
}

function Fields({ row }: { row: WholeRow }) {
  if (!row.fields.length) return null;
  const what = row.document ? "The document, and what makes it" : "What the model gives for the row";
  return (
    <Section title={what} id="fields">
      <p class="dim">{row.model}</p>
      <Grid label={what} heads={["Field", "Value", "Model"].map((text) => ({ text }))}>
        {row.fields.map((field) => (
          <tr key={field.name}>
            <th scope="row">{field.name}</th>
            <td>{staged(row, field)}</td>
            <td class="how">
              {field.lines.map((piece) => (
                <span class="block" key={`${piece.first} ${piece.last}`}>
                  <span class="dim">
                    {piece.first === piece.last ? `line ${piece.first}` : `lines ${piece.first}-${piece.last}`}
                  </span>{" "}
                  <code class="sql">{piece.text}</code>
                </span>
              ))}
            </td>
          </tr>
        ))}
      </Grid>
    </Section>
  );
}

function ChangesOf({ page, row }: { page: Page; row: WholeRow }) {
  if (!row.changes.length) return null;
  return (
    <Section title="Changed on the way" id="changed">
      <Grid label="Changed values" heads={["Field", "Rule", "Old", "New"].map((text) => ({ text }))}>
        {row.changes.map((each) => (
          <tr key={`${each.field} ${each.rule} ${each.old}`}>
            <th scope="row">{each.field}</th>
            <td title={page.rules[each.rule]?.meaning}>{each.rule}</td>
            <td>
              <Value value={each.old} />
            </td>
            <td>
              <Value value={each.new} />
            </td>
          </tr>
        ))}
      </Grid>
    </Section>
  );
}

function References({ row }: { row: WholeRow }) {
  if (!row.references.length) return null;
  return (
    <Section title="Refers to" id="refers-to">
      <Grid label="What the row refers to" heads={["Field", "Row", "In Convex"].map((text) => ({ text }))}>
        {row.references.map((each) => (
          <tr key={`${each.field} ${each.table} ${each.source_id}`}>
            <th scope="row">{each.field}</th>
            <td>
              {each.table}{" "}
              <a href={to(["row", each.table, each.source_id])}>
                <code>{each.source_id}</code>
              </a>
            </td>
            <td>
              {each.convex_id ? (
                <code>{each.convex_id}</code>
              ) : (
                <Tag kind="warn">{each.state === "document" ? "not loaded yet" : each.state}</Tag>
              )}
            </td>
          </tr>
        ))}
      </Grid>
    </Section>
  );
}

function ReferredBy({ row }: { row: WholeRow }) {
  if (!row.referrers.length) return null;
  return (
    <Section title="Referred to by" id="referred-by">
      <Grid label="What refers to the row" heads={["Field", "Rows", "Keys"].map((text) => ({ text }))}>
        {row.referrers.map((each) => (
          <ReferrersRow key={`${each.table} ${each.field}`} each={each} />
        ))}
      </Grid>
    </Section>
  );
}

function ReferrersRow({ each }: { each: Referrers }) {
  return (
    <tr>
      <th scope="row">
        {each.table}.{each.field}
      </th>
      <td>
        {each.rows > 0 && counted(each.rows, "row")}{" "}
        {each.rejected > 0 && <Tag kind="bad">! {counted(each.rejected, "is", "are")} rejected because of it</Tag>}
      </td>
      <td>
        {each.first.map((id, n) => (
          <span key={id}>
            {n > 0 && ", "}
            <a href={to(["row", each.table, id])}>
              <code>{id}</code>
            </a>
          </span>
        ))}
        {each.rows > each.first.length && ", …"}
      </td>
    </tr>
  );
}

function Differences({ row }: { row: WholeRow }) {
  const { bound, now } = row;
  if (!row.differs.length || !bound || !now) return null;
  return (
    <Section title="Convex has now" id="differences">
      <Grid label="Fields that differ in Convex" heads={["Field", "Staged", "In Convex"].map((text) => ({ text }))}>
        {row.differs.map((name) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="value">{json(bound, name)}</td>
            <td class="value">{json(now, name)}</td>
          </tr>
        ))}
      </Grid>
    </Section>
  );
}
