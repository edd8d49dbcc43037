/** What fell out, or was changed, for one reason: how much, why and where. */
import { useState } from "preact/hooks";
import type { Loss, Page } from "./data.ts";
import { count } from "./format.ts";
import { to } from "./route.ts";
import { fieldName, Grid, meaning, Num } from "./ui.tsx";

/** How many places of a rule are shown at first. */
const SHOWN = 4;

/** Rows of one rule, by where they fell out. */
export interface ByRule {
  readonly rule: string;
  readonly rows: number;
  readonly places: readonly { readonly name: string; readonly rows: number; readonly query: Query }[];
}

type Query = Readonly<Record<string, string>>;

/** Losses by rule, the most rows first; places are tables, or fields if there is only one table. */
export function byRule(tables: readonly (readonly [name: string, losses: readonly Loss[]])[]): ByRule[] {
  const rules = new Map<string, Map<string, { rows: number; query: Query }>>();
  for (const [table, losses] of tables) {
    for (const { rule, field, rows } of losses) {
      const places = rules.get(rule) ?? new Map<string, { rows: number; query: Query }>();
      const name = tables.length > 1 ? table : fieldName(table, field);
      const query = { table, rule, ...(tables.length > 1 ? {} : { field }) };
      places.set(name, { rows: (places.get(name)?.rows ?? 0) + rows, query });
      rules.set(rule, places);
    }
  }
  const all = [...rules].map(([rule, places]) => ({
    rule,
    rows: [...places.values()].reduce((sum, place) => sum + place.rows, 0),
    places: [...places].map(([name, place]) => ({ name, ...place })).sort((a, b) => b.rows - a.rows),
  }));
  return all.sort((a, b) => b.rows - a.rows);
}

interface LossesProps {
  readonly page: Page;
  readonly losses: readonly ByRule[];
  readonly view: "rejects" | "changes";
  readonly what: string;
}

export function Losses({ page, losses, view, what }: LossesProps) {
  return (
    <Grid
      label={what}
      heads={[{ text: view === "rejects" ? "Rows" : "Values", number: true }, { text: "Why" }, { text: "Where" }]}
    >
      {losses.map((loss) => (
        <tr key={loss.rule}>
          <Num rows={loss.rows} />
          <td class="prose">
            <a href={to([view], { rule: loss.rule })}>{loss.rule}</a>
            <span class="dim block">{meaning(page, loss.rule)}</span>
          </td>
          <td class="prose">
            <Places places={loss.places} view={view} />
          </td>
        </tr>
      ))}
    </Grid>
  );
}

function Places({ places, view }: { places: ByRule["places"]; view: string }) {
  const [all, setAll] = useState(false);
  const shown = all ? places : places.slice(0, SHOWN);
  const more = places.length - shown.length;
  return (
    <>
      {shown.map(({ name, rows, query }, n) => (
        <span key={name}>
          {n > 0 && ", "}
          <a href={to([view], query)}>{name}</a>{" "}
          <span class="figures">{count(rows)}</span>
        </span>
      ))}
      {more > 0 && (
        <>
          {" "}
          <button type="button" class="copy" onClick={() => setAll(true)}>
            and {count(more)} more
          </button>
        </>
      )}
    </>
  );
}
