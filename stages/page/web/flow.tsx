/** The rows from the source to Convex, as a Sankey diagram. */
import { sankey, sankeyLinkHorizontal, type SankeyLink, type SankeyNode } from "d3-sankey";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { completed, Empty } from "./command.tsx";
import type { Flow, Page, Table } from "./data.ts";
import { count } from "./format.ts";
import { to } from "./route.ts";
import { Grid, Num, Scroll } from "./ui.tsx";

/** `way`: on the way to Convex. `wait`: may go on. `out`: left out on purpose. `bad`: lost. */
type Kind = "way" | "wait" | "out" | "bad";

interface Place {
  readonly id: string;
  readonly label: string;
  readonly column: number;
  readonly kind: Kind;
  readonly rows: number;
  readonly href?: string;
}

interface Step {
  readonly source: string;
  readonly target: string;
  readonly rows: number;
  readonly value: number;
}

type Drawn = SankeyNode<Place, Step>;
type Link = SankeyLink<Place, Step>;

/** The labels of the last column are to its right. */
const LABEL = 104;
/** On a narrower screen the diagram scrolls. */
const NARROWEST = 560;
const BAR = 10;
/** Room for the two lines of a label. */
const GAP = 34;
/** The smallest share of the diagram, so that one row in a million is visible. */
const LEAST = 0.004;

export function FlowOfRows(props: { page: Page; tables: readonly Table[]; table: Table | undefined }) {
  const { page, tables, table } = props;
  const { places, steps } = useMemo(() => flowOf(tables, table), [tables, table]);
  if (!places.length) {
    return <Empty text="Nothing is extracted yet." command={completed(page, "stages extract")} />;
  }
  return (
    <>
      <Diagram places={places} steps={steps} />
      <details>
        <summary>The same as a table</summary>
        <Grid
          label="The flow of rows"
          heads={[{ text: "From" }, { text: "To" }, { text: "Rows", number: true }]}
        >
          {steps.map((step) => (
            <tr key={`${step.source} ${step.target}`}>
              <td>{places.find((each) => each.id === step.source)?.label}</td>
              <td>{places.find((each) => each.id === step.target)?.label}</td>
              <Num rows={step.rows} />
            </tr>
          ))}
        </Grid>
      </details>
    </>
  );
}

type Counted = Exclude<keyof Flow, "source">;

/** The sum of a count over all tables, or over those of one grain. */
function total(tables: readonly Table[], name: Counted | "source", grain?: Table["grain"]): number {
  const counted = tables.filter((table) => grain === undefined || table.grain === grain);
  return counted.reduce((sum, table) => sum + (table.flow[name] ?? 0), 0);
}

/** Every place that has rows, in the order in which its column shows them, and the steps there. */
function flowOf(tables: readonly Table[], table: Table | undefined) {
  const places: Place[] = [];
  const steps: Step[] = [];
  const all = (name: Counted) => total(tables, name);
  const rejects = (query: Record<string, string>) => to(["rejects"], { table: table?.name, ...query });
  const source = total(tables, "source", "row");
  const made = total(tables, "source", "derived");
  const least = Math.max(source + made, all("documents")) * LEAST;

  /** A place with rows from others; if `from` is empty, one where rows begin. */
  const add = (
    place: Omit<Place, "rows">,
    from: Readonly<Record<string, number>>,
    rows = Object.values(from).reduce((sum, each) => sum + Math.max(0, each), 0),
  ) => {
    if (rows <= 0) return;
    places.push({ ...place, rows });
    for (const [origin, number] of Object.entries(from)) {
      const value = Math.max(number, least);
      if (number > 0) steps.push({ source: origin, target: place.id, rows: number, value });
    }
  };
  /** A count for rows of the source, and for those of models that make their own. */
  const ofBoth = (name: Counted) => ({ made: total(tables, name, "derived"), source: total(tables, name, "row") });

  const ends = (["documents", "rejected", "dropped"] as const).map(ofBoth);
  const filtered = ofBoth("filtered");
  const left = (origin: "source" | "made", rows: number) =>
    rows - filtered[origin] - ends.reduce((sum, end) => sum + end[origin], 0);
  add({ id: "made", label: "Made by models", column: 0, kind: "way" }, {}, made);
  add({ id: "source", label: "Source rows", column: 0, kind: "way" }, {}, source);

  const [documents, rejected, dropped] = ends;
  add({ id: "documents", label: "Documents", column: 1, kind: "way" }, documents ?? {});
  add(
    { id: "left", label: "Not transformed", column: 1, kind: "wait" },
    { made: left("made", made), source: left("source", source) },
  );
  add({ id: "filtered", label: "Filtered", column: 1, kind: "out" }, filtered);
  add(
    { id: "dropped", label: "Dropped", column: 1, kind: "out", href: rejects({ rule: "dropped_on_purpose" }) },
    dropped ?? {},
  );
  add(
    { id: "rejected", label: "Rejected", column: 1, kind: "bad", href: rejects({ stage: "transform" }) },
    rejected ?? {},
  );

  const sent = (id: Counted, label: string, kind: Kind, href?: string) =>
    add({ id, label, column: 2, kind, ...(href && { href }) }, { documents: all(id) });
  sent("loaded", "Loaded", "way");
  sent("not_sent", "Not sent yet", "wait");
  sent("held_back", "Held back", "wait", rejects({ rule: "held_back" }));
  sent("conflict", "Conflicts", "bad", rejects({ stage: "load" }));
  sent("refused", "Refused", "bad", rejects({ stage: "load" }));

  const compared = (id: string, label: string, kind: Kind, rows: number, href?: string) =>
    add({ id, label, column: 3, kind, ...(href && { href }) }, { loaded: rows });
  compared("verified", "Verified", "way", Math.min(all("verified"), all("loaded")));
  compared("unverified", "Not verified", "wait", all("loaded") - all("verified") - all("wrong"));
  compared("wrong", "Wrong", "bad", Math.min(all("wrong"), all("loaded")), to(["verification"]));
  return { places, steps };
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setWidth(Math.floor(element.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { box, width };
}

function Diagram({ places, steps }: { places: readonly Place[]; steps: readonly Step[] }) {
  const { box, width } = useWidth();
  const drawn = Math.max(width, NARROWEST);
  const columns = [0, 1, 2, 3].map((column) => places.filter((each) => each.column === column).length);
  const height = Math.max(220, Math.max(...columns) * (GAP + 22));
  const laid = useMemo(() => {
    if (!width) return undefined;
    const right = drawn - LABEL;
    return sankey<Place, Step>()
      .nodeId((node) => node.id)
      .nodeAlign((node) => node.column)
      .nodeSort(null as unknown as undefined)
      .nodeWidth(BAR)
      .nodePadding(GAP)
      .extent([[0, GAP / 2], [right, height - GAP]])({
      nodes: places.map((each) => ({ ...each })),
      links: steps.map((each) => ({ ...each })),
    });
  }, [places, steps, width, height]);
  const path = sankeyLinkHorizontal<Place, Step>();
  return (
    <div ref={box}>
      <Scroll label="Diagram of the flow of rows">
      {laid && (
        <svg class="flow" width={drawn} height={height} role="group" aria-label="From the source to Convex">
          <g aria-hidden="true">
            {laid.links.map((link) => (
              <LinkShape key={`${placeOf(link.source).id} ${placeOf(link.target).id}`} link={link} path={path(link)} />
            ))}
          </g>
          {laid.nodes.map((node) => (
            <PlaceShape key={node.id} node={node} />
          ))}
        </svg>
      )}
      </Scroll>
    </div>
  );
}

/** Once laid out, the ends of a link are the places themselves. */
function placeOf(end: Link["source"]): Drawn {
  return end as Drawn;
}

function LinkShape({ link, path }: { link: Link; path: string | null }) {
  const target = placeOf(link.target);
  return (
    <path class={`link ${target.kind}`} d={path ?? ""} stroke-width={Math.max(1.5, link.width ?? 0)}>
      <title>{`${placeOf(link.source).label} → ${target.label}: ${count(link.rows)}`}</title>
    </path>
  );
}

function PlaceShape({ node }: { node: Drawn }) {
  const { x0 = 0, x1 = 0, y0 = 0, y1 = 0, kind, label, rows, href } = node;
  const shape = (
    <>
      <rect class={`place ${kind}`} x={x0} y={y0} width={x1 - x0} height={Math.max(2, y1 - y0)} />
      <text x={x1 + 6} y={(y0 + y1) / 2 - 2}>
        <tspan class="name">{label}</tspan>{" "}
        <tspan class="figures" x={x1 + 6} dy="1.2em">
          {count(rows)}
        </tspan>
      </text>
    </>
  );
  return href ? (
    <a href={href}>{shape}</a>
  ) : (
    <g>{shape}</g>
  );
}
