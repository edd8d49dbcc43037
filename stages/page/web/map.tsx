/** Which column becomes which field, and what has no place in Convex. */
import type { ViewProps } from "./app.tsx";
import { completed, Empty, Sentence } from "./command.tsx";
import type { MappedField, MappedTable, Page } from "./data.ts";
import { count, counted } from "./format.ts";
import { Markdown } from "./markdown.tsx";
import { to } from "./route.ts";
import { Choose, Grid, meaning, Num, Section, Tag } from "./ui.tsx";

export function Mapped({ page, route }: ViewProps) {
  const name = route.rest[0] ?? "";
  const chosen = page.map.find((each) => each.table === name);
  return (
    <>
      <Choose
        label="Table"
        value={chosen ? name : ""}
        all="all tables"
        options={page.map.map((each) => each.table)}
        onChoose={(table) => {
          location.hash = to(table ? ["map", table] : ["map"]);
        }}
      />
      {name && !chosen && <p>The plan has no table {name}.</p>}
      {chosen ? <OneTable page={page} mapped={chosen} /> : <AllTables page={page} />}
    </>
  );
}

/** Fields that the model gives no value. */
function empty(mapped: MappedTable): readonly MappedField[] {
  return mapped.fields.filter((field) => !field.sql);
}

function AllTables({ page }: { page: Page }) {
  return (
    <>
      <Section title="From which source to which table" id="tables">
        {page.map.length ? (
          <Grid
            label="Tables and what they are made from"
            heads={[
              { text: "Table" },
              { text: "Source" },
              { text: "Model" },
              { text: "Fields", number: true },
              { text: "Converted", number: true },
              { text: "Without a source", number: true },
              { text: "Columns not read", number: true },
            ]}
          >
            {page.map.map((mapped) => (
              <tr key={mapped.table}>
                <th scope="row">
                  <a href={to(["map", mapped.table])}>{mapped.table}</a>
                  {mapped.problem !== null && <> <Tag kind="warn">not known</Tag></>}
                </th>
                <td>{mapped.source}</td>
                <td>
                  <code>{mapped.model}</code>
                </td>
                <Num rows={mapped.fields.length} />
                <Num rows={mapped.fields.filter((field) => field.converted).length} />
                <Num rows={mapped.problem === null ? empty(mapped).length : null} />
                <Num rows={mapped.problem === null ? mapped.unread.length : null} />
              </tr>
            ))}
          </Grid>
        ) : (
          <Empty text="The plan has no tables yet. Write one:" command={completed(page, "stages init")} />
        )}
      </Section>
      <Section title="What Postgres did, and Convex will not" id="not-carried">
        {page.not_carried ? (
          <details open={page.not_carried.length < 4000}>
            <summary>not-carried.md</summary>
            <Markdown text={page.not_carried} />
          </details>
        ) : (
          <Empty
            text="There is no not-carried.md here. An assessment lists policies, triggers, constraints and the like:"
            command={completed(page, "stages assess --keep")}
          />
        )}
      </Section>
    </>
  );
}

function OneTable({ page, mapped }: { page: Page; mapped: MappedTable }) {
  const without = empty(mapped);
  const made = mapped.fields.filter((field) => field.sql);
  return (
    <>
      <p>
        <strong>{mapped.source}</strong> → <strong>{mapped.table}</strong>, by <code>{mapped.model}</code>:{" "}
        {counted(mapped.fields.length, "field")} from {counted(Object.keys(mapped.columns).length, "column")}.
      </p>
      {mapped.problem !== null && (
        <p class="banner warn">
          Which column makes which field is not known: <Sentence text={mapped.problem} />
        </p>
      )}
      <Section title="Columns to fields" id="fields">
        {made.length ? (
          <Grid
            label={`Columns to fields of ${mapped.table}`}
            heads={[
              { text: "Columns" },
              { text: "Field" },
              { text: "Type in Convex" },
              { text: "How" },
              { text: "Rejected", number: true },
              { text: "Changed", number: true },
            ]}
          >
            {made.map((field) => (
              <FieldRow key={field.name} page={page} mapped={mapped} field={field} />
            ))}
          </Grid>
        ) : (
          <Empty text="No field is known to be made from a column." />
        )}
      </Section>
      <Section title="Columns that no model reads" id="unread">
        {mapped.unread.length ? (
          <ul class="columns">
            {mapped.unread.map((column) => (
              <li key={column}>
                <code>{column}</code> <span class="dim">{mapped.columns[column]}</span>
              </li>
            ))}
          </ul>
        ) : (
          <Empty text="None: each column is read." />
        )}
      </Section>
      <Section title="Fields without a source" id="without">
        {without.length ? (
          <ul class="columns">
            {without.map((field) => (
              <li key={field.name}>
                <code>{field.name}</code> <span class="dim">{field.type}</span>{" "}
                {!field.optional && <Tag kind="warn">required</Tag>}
              </li>
            ))}
          </ul>
        ) : (
          <Empty text="None: the model gives each field a value." />
        )}
      </Section>
    </>
  );
}

interface FieldRowProps {
  readonly page: Page;
  readonly mapped: MappedTable;
  readonly field: MappedField;
}

function FieldRow({ page, mapped, field }: FieldRowProps) {
  const changed = field.changes.reduce((sum, each) => sum + each.rows, 0);
  return (
    <tr>
      <td>
        {field.columns.length ? (
          <ul class="plain">
            {field.columns.map((column) => (
              <li key={column}>
                <code>{column}</code> <span class="dim">{mapped.columns[column]}</span>
              </li>
            ))}
          </ul>
        ) : (
          <span class="dim">no column</span>
        )}
      </td>
      <th scope="row">
        <code>{field.name}</code>
      </th>
      <td>
        <code class="dim">{field.type}</code>
      </td>
      <td class="how">
        {field.converted ? <code class="sql">{field.sql}</code> : <span class="dim">as it is</span>}
        {field.changes.map((loss) => (
          <span class="dim block" key={loss.rule}>
            {loss.rule}: {meaning(page, loss.rule)}
          </span>
        ))}
      </td>
      <td class="number">
        {field.rejected ? (
          <a
            href={to(["rejects"], { table: mapped.table, field: field.name })}
            aria-label={`${counted(field.rejected, "row")} rejected for ${field.name}`}
          >
            {count(field.rejected)}
          </a>
        ) : (
          "0"
        )}
      </td>
      <td class="number">
        {changed ? (
          <a
            href={to(["changes"], { table: mapped.table, field: field.name })}
            aria-label={`${counted(changed, "value")} of ${field.name} changed`}
          >
            {count(changed)}
          </a>
        ) : (
          "0"
        )}
      </td>
    </tr>
  );
}
