/** Values that a conversion changed. */
import type { ViewProps } from "./app.tsx";
import { completed, Empty } from "./command.tsx";
import type { Loss, Page } from "./data.ts";
import { counted } from "./format.ts";
import { byRule, Losses } from "./losses.tsx";
import { names, Rows } from "./rows.tsx";
import { Section } from "./ui.tsx";

export function Changes({ page, route }: ViewProps) {
  const { table = "", rule = "", field = "" } = route.query;
  const all = Object.entries(page.change_groups).filter(([, losses]) => losses.length);
  if (!all.length) return <Nothing page={page} />;
  const tables = all
    .filter(([name]) => !table || name === table)
    .map(([name, losses]): [string, readonly Loss[]] => [
      name,
      losses.filter((loss) => (!rule || loss.rule === rule) && (!field || loss.field === field)),
    ]);
  const rules = byRule(tables);
  const sum = rules.reduce((total, each) => total + each.rows, 0);
  const fields = all.filter(([name]) => !table || name === table).flatMap(([, losses]) => losses);
  return (
    <>
      <p>
        {counted(sum, "value is", "values are")} not in Convex exactly as in the source. The document
        has the changed value, and the row is loaded.
      </p>
      <Section title="Rules" id="rules">
        {rules.length ? (
          <Losses page={page} losses={rules} view="changes" what="What was changed" />
        ) : (
          <p>No change matches.</p>
        )}
      </Section>
      <Section title="Values" id="values">
        <Rows
          page={page}
          route={route}
          view="changes"
          word="change"
          rows={page.changes}
          counted={() => sum}
          tables={names(all.map(([name]) => name))}
          fields={names(fields.map((loss) => loss.field))}
          rules={names(all.flatMap(([, losses]) => losses.map((loss) => loss.rule)))}
          more={page.values ? [["Old", (row) => row.old ?? <i>null</i>], ["New", (row) => row.new ?? <i>null</i>]] : []}
        />
      </Section>
    </>
  );
}

function Nothing({ page }: { page: Page }) {
  const started = page.tables.some((table) => table.stages.transform.state !== "none");
  return started ? (
    <Empty text="No value is changed: all of them are in the documents exactly as they are in the source." />
  ) : (
    <Empty
      text="Nothing is transformed yet, so what changes is not known yet."
      command={completed(page, "stages transform")}
    />
  );
}
