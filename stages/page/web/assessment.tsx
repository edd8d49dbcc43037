/** What `stages assess` found before anything was moved. */
import type { ViewProps } from "./app.tsx";
import type { AssessedTable, Assessment } from "./assessed.ts";
import { completed, Empty } from "./command.tsx";
import { count, counted, duration, size } from "./format.ts";
import { Facts, Grid, Num, Section, Tag } from "./ui.tsx";

type Verdict = AssessedTable["verdict"];

interface Said {
  /** Of one table, and of several. */
  readonly one: string;
  readonly several: string;
  readonly mark: string;
  readonly kind: "good" | "warn" | "bad" | "plain";
}

const VERDICTS: Readonly<Record<Verdict, Said>> = {
  ready: { one: "ready", several: "ready", mark: "✓", kind: "good" },
  unknown: { one: "unknown", several: "unknown", mark: "?", kind: "plain" },
  decisions: { one: "needs decisions", several: "need decisions", mark: "*", kind: "warn" },
  work: { one: "needs work", several: "need work", mark: "!", kind: "warn" },
  "not possible": { one: "not possible", several: "not possible", mark: "!", kind: "bad" },
};

export function Assessed({ page }: ViewProps) {
  // `stages assess --json` printed it, so it has these fields.
  const found = page.assessment as Assessment | null;
  if (!found) {
    return (
      <Empty
        text="No assessment is kept here. It lists what will not carry over and problems in the data, and estimates what the move costs:"
        command={completed(page, "stages assess --keep")}
      />
    );
  }
  return (
    <>
      <Whole found={found} />
      <Section title="To rebuild by hand" id="rebuild">
        {found.rebuild.length ? (
          <Grid
            label="To rebuild by hand"
            heads={[{ text: "Number", number: true }, { text: "What" }, { text: "In Convex" }, { text: "Names" }]}
          >
            {found.rebuild.map((each) => (
              <tr key={each.kind}>
                <Num rows={each.count} />
                <th scope="row">{each.heading}</th>
                <td class="prose">{each.counterpart}</td>
                <td class="prose dim">{few(each.names)}</td>
              </tr>
            ))}
          </Grid>
        ) : (
          <Empty text="Nothing to rebuild was found." />
        )}
      </Section>
      <Section title="Problems in the data" id="risks">
        {found.risks.length ? (
          <Grid label="Problems in the data" heads={["Where", "What", "Seen", "Known from"].map((text) => ({ text }))}>
            {found.risks.map((risk, n) => (
              <tr key={n}>
                <th scope="row">
                  {risk.table}
                  {risk.columns.length > 0 && `.${risk.columns.join(", ")}`}
                </th>
                <td class="prose">{risk.text}</td>
                <td>
                  {risk.seen !== null && `${count(risk.seen)}${risk.looked === null ? "" : ` of ${count(risk.looked)}`}`}
                </td>
                <td>{risk.basis}</td>
              </tr>
            ))}
          </Grid>
        ) : (
          <Empty text="Nothing was found that a conversion would reject or change." />
        )}
      </Section>
      <Section title="Tables" id="assessed">
        <Grid
          label="Assessed tables"
          heads={[
            { text: "Table" },
            { text: "Verdict" },
            { text: "Rows", number: true },
            { text: "In Convex", number: true },
            { text: "Why" },
          ]}
        >
          {found.tables.map((table) => (
            <tr key={table.name}>
              <th scope="row">{table.name}</th>
              <td>
                <VerdictTag verdict={table.verdict} />
              </td>
              <td class="number">
                {table.rows_are === "estimated" && "about "}
                {table.rows === null ? "–" : count(table.rows)}
              </td>
              <td class="number">{table.stored_bytes === null ? "–" : size(table.stored_bytes)}</td>
              <td class="prose dim">{table.reasons.join("; ")}</td>
            </tr>
          ))}
        </Grid>
      </Section>
    </>
  );
}

function few(names: readonly string[]): string {
  const more = names.length - 5;
  return names.slice(0, 5).join(", ") + (more > 0 ? `, and ${count(more)} more` : "");
}

function VerdictTag({ verdict }: { verdict: Verdict }) {
  const { one, mark, kind } = VERDICTS[verdict];
  return (
    <Tag kind={kind}>
      {mark} {one}
    </Tag>
  );
}

function Whole({ found }: { found: Assessment }) {
  const { cost } = found;
  const verdicts = (Object.keys(VERDICTS) as Verdict[]).filter((verdict) => found.verdicts[verdict]);
  const minutes = Object.entries(cost.minutes).map(([at, value]) => `${duration(value * 60)} at ${at}`);
  return (
    <>
      {found.partial && (
        <p class="banner warn">
          Read over REST, where policies, triggers, functions, constraints, indexes and sizes can't be
          seen: a table may need more than its verdict says.
        </p>
      )}
      <Facts
        facts={[
          ["Tables", verdicts.map((verdict) => `${found.verdicts[verdict]} ${VERDICTS[verdict].several}`).join(" · ")],
          ["Documents", `${counted(cost.documents, "document")} of ${size(cost.document_bytes)}`],
          ["Stored in Convex", `${size(cost.stored_bytes)}, with indexes and ledger`],
          ["Reading", duration(cost.reading_seconds)],
          ["Writing", minutes.join(", ")],
          ["Recommended", [cost.road === "import" ? "an import" : "through functions", ...cost.why].join(": ")],
        ]}
      />
      {found.skipped.length > 0 && (
        <details>
          <summary>Not looked at</summary>
          <ul>
            {found.skipped.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
