/** Where the migration stands: the next command, the flow of rows, a line per table. */
import type { ViewProps } from "./app.tsx";
import { completed, Empty, Sentence } from "./command.tsx";
import type { Page, Table } from "./data.ts";
import { FlowOfRows } from "./flow.tsx";
import { count, counted } from "./format.ts";
import { byRule, Losses } from "./losses.tsx";
import { replace, to } from "./route.ts";
import { Choose, Facts, Grid, Section, State, Tag } from "./ui.tsx";

const STAGES = ["extract", "transform", "load", "verify"] as const;

export function Overview({ page, route }: ViewProps) {
  const name = route.query.table ?? "";
  const table = page.tables.find((each) => each.name === name);
  return (
    <>
      <Verdict page={page} />
      <Section title="The flow of rows" id="flow">
        <Choose
          label="Table"
          value={table?.name ?? ""}
          all="all tables together"
          options={page.tables.map((each) => each.name)}
          onChoose={(chosen) => replace(to([], { table: chosen }))}
        />
        <FlowOfRows page={page} tables={table ? [table] : page.tables} table={table} />
      </Section>
      <FellOut page={page} tables={table ? [table] : page.tables} key={name} />
      <Section title="Tables" id="tables">
        {page.tables.length ? (
          <Tables page={page} />
        ) : (
          <Empty text="The plan has no tables yet. Write one:" command={completed(page, "stages init")} />
        )}
      </Section>
    </>
  );
}

function Verdict({ page }: { page: Page }) {
  const { verdict, finished } = page;
  const sentence = verdict && verdict[0]?.toUpperCase() + verdict.slice(1);
  return (
    <section aria-label="Verdict" class={`verdict ${finished ? "good" : "warn"}`}>
      <p class="sentence">
        <span aria-hidden="true">{finished ? "✓" : "→"}</span> {sentence}
      </p>
      <p>
        Next: <Sentence text={page.next.replace(`: ${verdict};`, ";")} />
      </p>
      <Facts
        facts={[
          ["Source", page.source ?? "none yet"],
          ["Snapshot", page.consistency],
          ["Target", page.target ?? "none yet"],
          [
            "Values",
            page.values
              ? "This page shows values of rows."
              : "This file holds source keys, rules and counts, and no values.",
          ],
        ]}
      />
    </section>
  );
}

/** What fell out, and what was changed: by rule, the most rows first. */
function FellOut({ page, tables }: { page: Page; tables: readonly Table[] }) {
  const losses = byRule(tables.map((table) => [table.name, table.losses]));
  const changes = byRule(tables.map((table) => [table.name, table.changes]));
  const started = page.tables.some((table) => table.stages.transform.state !== "none");
  if (!started) {
    return (
      <Section title="What fell out, and why" id="fell-out">
        <Empty
          text="Nothing is transformed yet, so what falls out is not known yet."
          command={completed(page, "stages transform")}
        />
      </Section>
    );
  }
  return (
    <div class="pair">
      <Section title="What fell out, and why" id="fell-out">
        {losses.length ? (
          <Losses page={page} losses={losses} view="rejects" what="What fell out" />
        ) : (
          <Empty text="No row fell out." />
        )}
      </Section>
      <Section title="What was changed on the way" id="changed">
        {changes.length ? (
          <Losses page={page} losses={changes} view="changes" what="What was changed" />
        ) : (
          <Empty text="No value was changed." />
        )}
      </Section>
    </div>
  );
}

function Tables({ page }: { page: Page }) {
  const wrong = page.tables.flatMap((table) =>
    STAGES.flatMap((stage) => {
      const { state, why } = table.stages[stage];
      return why ? [{ table: table.name, stage, state, why }] : [];
    }),
  );
  const reasons = new Map<string, typeof wrong>();
  for (const each of wrong) {
    const key = `${each.stage} ${each.why}`;
    reasons.set(key, [...(reasons.get(key) ?? []), each]);
  }
  return (
    <>
      <Grid
        label="Tables and stages"
        heads={[
          { text: "Table" },
          { text: "Extracted", number: true },
          { text: "Transformed", number: true },
          { text: "Loaded", number: true },
          { text: "Verified", number: true },
          { text: "Fell out", number: true },
          { text: "Changed", number: true },
        ]}
      >
        {page.tables.map((table) => (
          <TableRow key={table.name} table={table} />
        ))}
      </Grid>
      {[...reasons.values()].map((same) => (
        <Why key={`${same[0]?.stage} ${same[0]?.why}`} same={same} whole={page.tables.length} />
      ))}
    </>
  );
}

type Wrong = { readonly table: string; readonly stage: string; readonly state: string; readonly why: string };

/** One reason, and the tables that it applies to. */
function Why({ same, whole }: { same: readonly Wrong[]; whole: number }) {
  const [first] = same;
  if (!first) return null;
  const failed = first.state === "failed";
  const names = same.length === whole && whole > 1 ? "all tables" : same.map((each) => each.table).join(", ");
  return (
    <p class="why">
      <Tag kind={failed ? "bad" : first.state === "none" ? "plain" : "warn"}>
        {failed ? "!" : first.state === "none" ? "–" : "*"} {first.stage}
      </Tag>{" "}
      {names}: <Sentence text={first.why} />
    </p>
  );
}

function TableRow({ table }: { table: Table }) {
  const { flow } = table;
  const fell = flow.rejected + flow.dropped + flow.refused + flow.conflict + flow.held_back;
  const changed = table.changes.reduce((sum, each) => sum + each.rows, 0);
  const none = table.stages.transform.state === "none" ? "–" : "0";
  return (
    <tr>
      <th scope="row">
        <a href={to(["map", table.name])}>{table.name}</a>
        {table.source !== table.name && <span class="dim from"> from {table.source}</span>}
      </th>
      {STAGES.map((stage) => (
        <td key={stage} class="number">
          <State cell={table.stages[stage]} />
        </td>
      ))}
      <td class="number">
        {fell ? (
          <a href={to(["rejects"], { table: table.name })} aria-label={`${counted(fell, "row")} fell out of ${table.name}`}>
            {count(fell)}
          </a>
        ) : (
          none
        )}
      </td>
      <td class="number">
        {changed ? (
          <a href={to(["changes"], { table: table.name })} aria-label={`${counted(changed, "value")} changed in ${table.name}`}>
            {count(changed)}
          </a>
        ) : (
          none
        )}
      </td>
    </tr>
  );
}
