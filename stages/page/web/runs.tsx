/** Every finished command, with timings and throughput, and the settings. */
import { scaleBand, scaleLinear } from "d3-scale";
import type { ViewProps } from "./app.tsx";
import { completed, Empty } from "./command.tsx";
import type { HistoryRun, Page, Setting } from "./data.ts";
import { count, counted, duration, rate, size, time } from "./format.ts";
import { Grid, Section, Tag, Time } from "./ui.tsx";

const CHARTED = ["extract", "transform", "load", "verify"];
/** How many runs of a command are charted: the newest. */
const BARS = 30;
const WIDTH = 300;
const HEIGHT = 72;

export function Runs({ page }: ViewProps) {
  const newest = [...page.history].sort((a, b) => b.started.localeCompare(a.started));
  return (
    <>
      {newest.length ? (
        <>
          <Charts runs={newest} />
          <Section title="Finished commands" id="history">
            <History runs={newest} />
          </Section>
        </>
      ) : (
        <Section title="Finished commands" id="history">
          <Empty text="No command has finished yet." command={completed(page, "stages extract")} />
        </Section>
      )}
      <Section title="Settings" id="settings">
        {page.settings.length ? <Settings page={page} /> : <Empty text="There are no settings." />}
      </Section>
    </>
  );
}

function rowsOf(run: HistoryRun): number {
  return Object.values(run.rows).reduce((sum, rows) => sum + rows, 0);
}

/** Rows per second; 0 for a run that moved none, or took no time. */
function speed(run: HistoryRun): number {
  return run.seconds ? rowsOf(run) / run.seconds : 0;
}

function Charts({ runs }: { runs: readonly HistoryRun[] }) {
  const charted = CHARTED.map((command) => ({
    command,
    runs: runs.filter((run) => run.command === command && run.seconds !== null).slice(0, BARS).reverse(),
  })).filter((each) => each.runs.length);
  if (!charted.length) return null;
  return (
    <Section title="Timings and throughput" id="timings">
      <p class="dim">
        Each bar is one run, the newest on the right. A hatched bar is a run that did not end with “done”.
      </p>
      <div class="charts">
        {charted.map((each) => (
          <figure key={each.command}>
            <figcaption>{each.command}</figcaption>
            <Bars
              what={`Duration of ${each.command}`}
              most="longest"
              runs={each.runs}
              of={(run) => run.seconds ?? 0}
              text={duration}
            />
            <Bars
              what={`Throughput of ${each.command}`}
              most="fastest"
              runs={each.runs}
              of={speed}
              text={(value) => `${rate(value)} rows/s`}
            />
          </figure>
        ))}
      </div>
    </Section>
  );
}

interface BarsProps {
  readonly what: string;
  /** What the greatest value is called. */
  readonly most: string;
  readonly runs: readonly HistoryRun[];
  readonly of: (run: HistoryRun) => number;
  readonly text: (value: number) => string;
}

function Bars({ what, most, runs, of, text }: BarsProps) {
  const greatest = Math.max(0, ...runs.map(of));
  const last = runs.at(-1);
  if (!greatest || !last) return null;
  const x = scaleBand<number>()
    .domain([...Array(Math.max(runs.length, 12)).keys()])
    .range([0, WIDTH])
    .padding(0.2);
  const y = scaleLinear().domain([0, greatest]).range([0, HEIGHT]);
  const words = `latest${runs.length > 1 ? `, ${text(greatest)} ${most}` : ""}`;
  const spoken = `${what}: ${text(of(last))} ${words}, of ${counted(runs.length, "run")}`;
  return (
    <div class="bars">
      <p>
        <span class="figures">{text(of(last))}</span> <span class="dim">{words}</span>
      </p>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 1}`} role="img" aria-label={spoken}>
        <defs>
          <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="2.5" height="5" class="hatch" />
          </pattern>
        </defs>
        <path class="axis" d={`M0 ${HEIGHT + 0.5}H${WIDTH}`} />
        {runs.map((run, n) => {
          const height = Math.max(1, y(of(run)));
          return (
            <rect
              key={run.started}
              class={`bar ${run.outcome === "done" ? "done" : "short"}`}
              x={x(n)}
              y={HEIGHT - height}
              width={x.bandwidth()}
              height={height}
            >
              <title>{`${time(run.started)}: ${text(of(run))}, ${run.outcome}`}</title>
            </rect>
          );
        })}
      </svg>
    </div>
  );
}

const OUTCOMES = {
  done: { kind: "good", mark: "✓" },
  "fell short": { kind: "warn", mark: "!" },
  stopped: { kind: "warn", mark: "◐" },
  refused: { kind: "bad", mark: "!" },
  killed: { kind: "bad", mark: "✗" },
} as const;

function History({ runs }: { runs: readonly HistoryRun[] }) {
  return (
    <Grid
      label="Finished commands"
      heads={[
        { text: "Started (UTC)" },
        { text: "Command" },
        { text: "Target" },
        { text: "Outcome" },
        { text: "Time", number: true },
        { text: "Rows", number: true },
        { text: "Rows a second", number: true },
        { text: "Bytes", number: true },
        { text: "Version" },
      ]}
    >
      {runs.map((run) => {
        const { kind, mark } = OUTCOMES[run.outcome];
        const rows = rowsOf(run);
        const tables = Object.entries(run.rows).map(([table, number]) => `${table}: ${count(number)}`);
        return (
          <tr key={`${run.started} ${run.command}`}>
            <td>
              <Time iso={run.started} />
            </td>
            <th scope="row">{run.command}</th>
            <td>{run.target}</td>
            <td class="prose">
              <Tag kind={kind}>
                {mark} {run.outcome}
              </Tag>{" "}
              {run.message}
            </td>
            <td class="number">{run.seconds === null ? "–" : duration(run.seconds)}</td>
            <td class="number" title={tables.join("\n")}>
              {run.seconds === null ? "–" : count(rows)}
            </td>
            <td class="number">{rows ? rate(speed(run)) : "–"}</td>
            <td class="number">{run.bytes ? size(run.bytes) : "–"}</td>
            <td>{run.version}</td>
          </tr>
        );
      })}
    </Grid>
  );
}

function Settings({ page }: { page: Page }) {
  return (
    <Grid label="Settings" heads={["Setting", "Value", "Found in"].map((text) => ({ text }))}>
      {page.settings.map((setting) => (
        <tr key={setting.name}>
          <th scope="row">
            <code>{setting.name}</code>
          </th>
          <td>
            <Shown setting={setting} />
          </td>
          <td>{setting.where ?? <span class="dim">not set</span>}</td>
        </tr>
      ))}
    </Grid>
  );
}

function Shown({ setting }: { setting: Setting }) {
  if (setting.where === null) return <span class="dim">–</span>;
  if (setting.shown !== null) return <code>{setting.shown}</code>;
  return <span class="dim">{setting.secret ? "a secret, not shown" : "not shown"}</span>;
}
