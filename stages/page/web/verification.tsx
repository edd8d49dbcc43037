/** What verify counted, and how consistent the extract is. */
import type { ViewProps } from "./app.tsx";
import { completed, Empty, Sentence } from "./command.tsx";
import type { Page } from "./data.ts";
import { count } from "./format.ts";
import { Grid, Num, Section, Tag, Time } from "./ui.tsx";

/** In this order; others follow. */
const KINDS = ["verified", "missing", "changed", "mismatched", "duplicate", "dangling", "unaccounted", "removed", "unowned"];
const MEANINGS: Readonly<Record<string, string>> = {
  verified: "equal to what is staged",
  missing: "staged and loaded, or in the ledger, but no document",
  changed: "a document that differs from what is staged",
  mismatched: "load has recorded another document than the ledger",
  duplicate: "a second document equal to a loaded one",
  dangling: "refers to a document that does not exist",
  unaccounted: "a reference of the source that is neither bound, nor null, nor rejected",
  removed: "in the ledger, and no longer staged",
  unowned: "a document that the ledger does not know",
};

export function Verification({ page }: ViewProps) {
  return (
    <>
      <Section title="What verify counted" id="counts">
        {page.verified.length ? (
          <Counts page={page} />
        ) : (
          <Empty text="Nothing is verified yet." command={completed(page, "stages verify")} />
        )}
      </Section>
      <Section title="Consistency of the extract" id="consistency">
        {page.consistency_of.length ? (
          <Sources page={page} />
        ) : (
          <Empty text="Nothing is extracted yet." command={completed(page, "stages extract")} />
        )}
      </Section>
    </>
  );
}

function Counts({ page }: { page: Page }) {
  const seen = new Set(page.verified.flatMap((table) => Object.keys(table.counts)));
  const kinds = [...KINDS.filter((kind) => seen.has(kind)), ...[...seen].filter((kind) => !KINDS.includes(kind))];
  const stale = page.verified.filter((table) => table.stale);
  return (
    <>
      <Grid
        label="What verify counted, by table"
        heads={[{ text: "Table" }, { text: "Result" }, ...kinds.map((text) => ({ text, number: true }))]}
      >
        {page.verified.map((table) => (
          <tr key={table.table}>
            <th scope="row">{table.table}</th>
            <td>
              {table.wrong.length ? (
                <Tag kind="bad">! {table.wrong.join(", ")}</Tag>
              ) : table.stale ? (
                <Tag kind="warn">* stale</Tag>
              ) : (
                <Tag kind="good">✓ as staged</Tag>
              )}
            </td>
            {kinds.map((kind) =>
              table.wrong.includes(kind) ? (
                <td key={kind} class="number bad">
                  {count(table.counts[kind] ?? 0)}
                  <span aria-hidden="true">!</span>
                </td>
              ) : (
                <Num key={kind} rows={table.counts[kind]} />
              ),
            )}
          </tr>
        ))}
      </Grid>
      {stale.length > 0 && (
        <p class="why">
          <Tag kind="warn">* stale</Tag> verified before the last load:{" "}
          {stale.map((table) => table.table).join(", ")}.{" "}
          <Sentence text={completed(page, "stages verify")} />
        </p>
      )}
      <details>
        <summary>What the words mean</summary>
        <dl class="meanings">
          {kinds
            .filter((kind) => MEANINGS[kind])
            .map((kind) => (
              <div key={kind}>
                <dt>{kind}</dt>
                <dd>{MEANINGS[kind]}</dd>
              </div>
            ))}
        </dl>
      </details>
    </>
  );
}

function Sources({ page }: { page: Page }) {
  return (
    <>
      <p>Snapshot of all sources together: {page.consistency}.</p>
      <Grid
        label="How each source was read"
        heads={[
          { text: "Source" },
          { text: "Rows", number: true },
          { text: "Snapshot" },
          { text: "Transport" },
          { text: "Read (UTC)" },
          { text: "Since then" },
        ]}
      >
        {page.consistency_of.map((each) => (
          <tr key={each.source}>
            <th scope="row">{each.source}</th>
            <Num rows={each.rows} />
            <td>{each.snapshot}</td>
            <td>{each.transport}</td>
            <td>{each.read ? <Time iso={each.read} /> : "–"}</td>
            <td>
              {each.moved ? (
                <>
                  <Tag kind="warn">moved</Tag> {each.moved}
                </>
              ) : (
                <span class="dim">{each.read ? "nothing was seen to change" : "–"}</span>
              )}
            </td>
          </tr>
        ))}
      </Grid>
    </>
  );
}
