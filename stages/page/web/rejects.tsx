/** What was rejected: causes, then what follows from them, then the rows. */
import type { ViewProps } from "./app.tsx";
import { completed, Empty, Sentence } from "./command.tsx";
import type { Page, RejectGroup } from "./data.ts";
import { count, counted } from "./format.ts";
import { to } from "./route.ts";
import { names, Rows } from "./rows.tsx";
import { fieldName, Folded, RuleText, Section, Tag } from "./ui.tsx";

/** The rule of a table in which a stage failed. */
const FAILED = "failed";

export function Rejects({ page, route }: ViewProps) {
  const { table = "", rule = "", field = "", stage = "" } = route.query;
  const groups = page.reject_groups.filter(
    (group) =>
      (!table || group.table === table) &&
      (!rule || group.rule === rule) &&
      (!field || group.field === field) &&
      (!stage || group.stage === stage),
  );
  const counted_ = page.reject_groups.filter((group) => group.rule !== FAILED);
  if (!page.reject_groups.length) return <Nothing page={page} />;
  return (
    <>
      <Groups page={page} groups={groups} />
      {counted_.length > 0 && (
        <Section title="Rows" id="rows">
          <Rows
            page={page}
            route={route}
            view="rejects"
            word="reject"
            rows={page.rejects}
            counted={() => groups.reduce((sum, group) => sum + group.rows, 0)}
            tables={names(counted_.map((group) => group.table))}
            fields={names(counted_.filter((group) => !table || group.table === table).map((group) => group.field))}
            rules={names(counted_.map((group) => group.rule))}
            mark={(row) => row.stage === "load" && <span class="dim"> at load</span>}
            more={page.values ? [["Reason", (row) => row.reason]] : []}
          />
        </Section>
      )}
    </>
  );
}

function Nothing({ page }: { page: Page }) {
  const started = page.tables.some((table) => table.stages.transform.state !== "none");
  return started ? (
    <Empty text="No row is rejected." />
  ) : (
    <Empty
      text="Nothing is transformed yet, so what is rejected is not known yet."
      command={completed(page, "stages transform")}
    />
  );
}

function Groups({ page, groups }: { page: Page; groups: readonly RejectGroup[] }) {
  const failed = groups.filter((group) => group.rule === FAILED);
  const causes = groups.filter((group) => group.rule !== FAILED && !group.follows_from.length);
  const symptoms = groups.filter((group) => group.follows_from.length > 0);
  const sum = (all: readonly RejectGroup[]) => all.reduce((rows, group) => rows + group.rows, 0);
  const own = sum(causes);
  const others = sum(symptoms);
  return (
    <>
      {failed.length > 0 && (
        <Section title="Tables that failed" id="failed">
          <List page={page} groups={failed} />
        </Section>
      )}
      {own + others > 0 && (
        <p>
          {counted(own + others, "row is", "rows are")} rejected
          {others > 0 && `: ${count(own)} by themselves, ${count(others)} because of others`}.
        </p>
      )}
      {causes.length > 0 && (
        <Section title="Causes" id="causes">
          <List page={page} groups={causes} />
        </Section>
      )}
      {symptoms.length > 0 && (
        <Section title="What follows from them" id="symptoms">
          <List page={page} groups={symptoms} />
        </Section>
      )}
      {!groups.length && <p>No group of rejects matches.</p>}
    </>
  );
}

function List({ page, groups }: { page: Page; groups: readonly RejectGroup[] }) {
  return (
    <Folded
      items={groups}
      word="group"
      show={(group) => (
        <Group key={`${group.table} ${group.stage} ${group.field} ${group.rule}`} page={page} group={group} />
      )}
    />
  );
}

function Group({ page, group }: { page: Page; group: RejectGroup }) {
  const { table, rule, field, stage, rows, because, follows_from: causes } = group;
  const more = because.reduce((sum, cause) => sum + cause.rows, 0);
  return (
    <details>
      <summary>
        <span class="number">{rule === FAILED ? "–" : count(rows)}</span>
        <span class="grow">
          <strong>{fieldName(table, field)}</strong> <span class="rule">{rule}</span>
          {stage !== "transform" && <span class="dim"> at {stage}</span>}
          {more > 0 && <Tag kind="warn">{counted(more, "more follows", "more follow")}</Tag>}
        </span>
      </summary>
      <div class="inside">
        <RuleText rule={page.rules[rule]} />
        {because.length > 0 && (
          <p>
            {counted(more, "more row is", "more rows are")} rejected because of {rows === 1 ? "it" : "them"}:{" "}
            {because.map((cause) => `${count(cause.rows)} ${cause.table}`).join(", ")}.
          </p>
        )}
        {causes.length > 0 && (
          <p>
            Because of rejects of{" "}
            {causes.map((cause, n) => (
              <span key={cause}>
                {n > 0 && ", "}
                <a href={to(["rejects"], { table: cause })}>{cause}</a>
              </span>
            ))}
            . Fix those first.
          </p>
        )}
        {group.reasons.length > 0 && (
          <ul class="reasons">
            {group.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
        <p>
          Fix: <Sentence text={group.edit} />
        </p>
        {rule !== FAILED && (
          <p>
            <a href={to(["rejects"], { table, rule, field })}>Show these {counted(rows, "row")}</a>
          </p>
        )}
      </div>
    </details>
  );
}
