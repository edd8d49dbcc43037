/** Tables as boxes, with one column per level, and references as arrows to the parent. */
import { Graph as Layout, layout } from "@dagrejs/dagre";
import { useMemo, useState } from "preact/hooks";
import type { Edge, Graph, Node } from "./data.ts";
import { counted } from "./format.ts";
import { to } from "./route.ts";
import { Scroll } from "./ui.tsx";

const HEIGHT = 40;
const CHARACTER = 7.6;
const MARGIN = 14;
/** An invisible parent of all, which puts each table into the column of its level. */
const ROOT = "\n";

interface Box {
  readonly node: Node;
  /** Rows that name a parent that does not exist. */
  readonly orphans: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

interface Arrow {
  readonly source: string;
  readonly target: string;
  readonly fields: readonly Edge[];
  readonly path: string;
}

export function GraphOfTables({ graph }: { graph: Graph }) {
  const drawn = useMemo(() => laidOut(graph), [graph]);
  const [near, setNear] = useState<string>();
  const inCycle = new Set(graph.cycles.flat());
  const leave = () => setNear(undefined);
  return (
    <>
      <Scroll label="Graph of references">
        <svg
          class={`graph ${near === undefined ? "" : "one"}`}
          width={drawn.width}
          height={drawn.height}
          role="group"
          aria-label="Graph of references, an arrow from each table to those that it refers to"
        >
          <defs>
            <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M0 0 8 4 0 8z" class="tip" />
            </marker>
          </defs>
          {drawn.arrows.map((arrow) => (
            <ArrowShape
              key={`${arrow.source} ${arrow.target}`}
              arrow={arrow}
              near={near === arrow.source || near === arrow.target}
            />
          ))}
          {drawn.boxes.map((box) => (
            <BoxShape
              key={box.node.name}
              box={box}
              inCycle={inCycle.has(box.node.name)}
              onEnter={() => setNear(box.node.name)}
              onLeave={leave}
            />
          ))}
        </svg>
      </Scroll>
      <ul class="legend">
        <li>
          <Key kind="required" /> required
        </li>
        <li>
          <Key kind="optional" /> optional
        </li>
        <li>
          <Key kind="optional cyclic" /> bound in a second pass
        </li>
        <li>
          <span class="swatch cycle" aria-hidden="true">
            ↻
          </span>{" "}
          in a cycle
        </li>
        <li>
          <span class="swatch known" aria-hidden="true" /> in Convex already
        </li>
      </ul>
    </>
  );
}

function Key({ kind }: { kind: string }) {
  return (
    <svg width="34" height="10" aria-hidden="true" class="graph">
      <path class={`arrow ${kind}`} d="M0 5H33" />
    </svg>
  );
}

/** All fields between the same two tables become one arrow. */
function pairs(edges: readonly Edge[]): Edge[][] {
  const found = new Map<string, Edge[]>();
  for (const edge of edges) {
    const key = `${edge.source}\n${edge.target}`;
    found.set(key, [...(found.get(key) ?? []), edge]);
  }
  return [...found.values()];
}

function laidOut(graph: Graph) {
  const names = new Map(graph.nodes.map((node) => [node.name, node]));
  const longest = Math.max(8, ...graph.nodes.map((node) => node.name.length));
  const width = Math.max(180, Math.ceil(longest * CHARACTER) + 2 * MARGIN);
  const plan = new Layout();
  plan.setGraph({ rankdir: "LR", nodesep: 14, ranksep: graph.cycles.length ? 72 : 40, edgesep: 8, marginx: 2, marginy: 2 });
  plan.setDefaultEdgeLabel(() => ({}));
  plan.setNode(ROOT, { width: 1, height: 1 });
  for (const node of graph.nodes) plan.setNode(node.name, { width, height: HEIGHT });
  const all = pairs(graph.edges).filter((each) => each[0] && names.has(each[0].source) && names.has(each[0].target));
  const columns = [...new Set(graph.nodes.map(depth))].sort((a, b) => a - b);
  const column = (name: string) => columns.indexOf(depth(names.get(name)));
  const span = ({ source, target }: Edge) => column(source) - column(target);
  const down = all.filter((each) => each[0] && span(each[0]) > 0);
  for (const [edge] of down) {
    if (edge) plan.setEdge(edge.target, edge.source, { minlen: span(edge), weight: 2 });
  }
  // Those without a parent in an earlier column are attached to the root.
  const children = new Set(down.map((each) => each[0]?.source));
  for (const { name } of graph.nodes) {
    if (!children.has(name)) plan.setEdge(ROOT, name, { minlen: column(name) + 1, weight: 1 });
  }
  layout(plan);
  const orphans = new Map<string, number>();
  for (const edge of graph.edges) {
    orphans.set(edge.source, (orphans.get(edge.source) ?? 0) + edge.orphans);
  }
  // Without the column of the root.
  const left = Math.min(...graph.nodes.map((node) => plan.node(node.name).x)) - width / 2 - 2;
  const boxes: Box[] = graph.nodes.map((node) => {
    const { x, y } = plan.node(node.name);
    return { node, orphans: orphans.get(node.name) ?? 0, x: x - left, y, width };
  });
  /** The points by which dagre leads an arrow past other boxes, the child's end first. */
  const bends = (edge: Edge): Point[] => {
    const points: Point[] = plan.edge(edge.target, edge.source).points ?? [];
    return points.slice(1, -1).map(({ x, y }) => ({ x: x - left, y })).reverse();
  };
  const at = new Map(boxes.map((box) => [box.node.name, box]));
  let lowest = Math.max(...boxes.map((box) => box.y + HEIGHT / 2));
  const arrows = all.flatMap((fields): Arrow[] => {
    const [edge] = fields;
    const from = edge && at.get(edge.source);
    const upTo = edge && at.get(edge.target);
    if (!edge || !from || !upTo) return [];
    const bent = span(edge) > 0 ? bends(edge) : [];
    lowest = Math.max(lowest, ...bent.map((point) => point.y));
    const path = span(edge) > 0 ? toParent(from, upTo, bent) : beside(from, upTo);
    return [{ source: edge.source, target: edge.target, fields, path }];
  });
  return {
    boxes,
    arrows,
    width: Math.max(...boxes.map((box) => box.x + box.width / 2)) + (all.length > down.length ? 48 : 4),
    height: lowest + 4,
  };
}

/** Tables that Convex already has come before all that are loaded. */
function depth(node: Node | undefined): number {
  return !node || node.kind === "reference" ? -1 : node.level;
}

type Point = { readonly x: number; readonly y: number };

/** From the left side of the child to the right side of the parent. */
function toParent(from: Box, upTo: Box, bends: readonly Point[]): string {
  const start = { x: from.x - from.width / 2, y: from.y };
  const end = { x: upTo.x + upTo.width / 2, y: upTo.y };
  return curve([start, ...bends, end]);
}

/** Smooth through all points, flat at both ends. */
function curve(points: readonly Point[]): string {
  return points
    .map((point, n) => {
      const before = points[n - 1];
      if (!before) return `M${point.x} ${point.y}`;
      const middle = (before.x + point.x) / 2;
      return `C${middle} ${before.y} ${middle} ${point.y} ${point.x} ${point.y}`;
    })
    .join("");
}

/** Out of the right side and back into it: to a table of the same level, or a later one. */
function beside(from: Box, upTo: Box): string {
  const start = { x: from.x + from.width / 2, y: from.y - (from === upTo ? 8 : 0) };
  const end = { x: upTo.x + upTo.width / 2, y: upTo.y + 8 };
  const out = Math.max(start.x, end.x) + 44;
  return `M${start.x} ${start.y}C${out} ${start.y} ${out} ${end.y} ${end.x} ${end.y}`;
}

function ArrowShape({ arrow, near }: { arrow: Arrow; near: boolean }) {
  const required = arrow.fields.some((field) => field.required);
  const later = arrow.fields.some((field) => field.second_pass);
  const kinds = [required ? "required" : "optional", later && "cyclic", near && "near"];
  return (
    <path class={`arrow ${kinds.filter(Boolean).join(" ")}`} d={arrow.path} marker-end="url(#tip)">
      <title>{`${arrow.source}.${arrow.fields.map((each) => each.field).join(", ")} → ${arrow.target}`}</title>
    </path>
  );
}

interface BoxProps {
  readonly box: Box;
  readonly inCycle: boolean;
  readonly onEnter: () => void;
  readonly onLeave: () => void;
}

function BoxShape({ box, inCycle, onEnter, onLeave }: BoxProps) {
  const { node, orphans, x, y, width } = box;
  const known = node.kind === "reference";
  const amount = node.documents === null ? "" : counted(node.documents, "document");
  const below = amount || (known ? "in Convex already" : "no documents yet");
  const shape = (
    <>
      <rect x={x - width / 2} y={y - HEIGHT / 2} width={width} height={HEIGHT} rx="4" />
      <text x={x - width / 2 + 10} y={y - 4} class="name">
        {node.name}
      </text>{" "}
      <text x={x - width / 2 + 10} y={y + 12} class="figures">
        {below}
        {orphans > 0 && <tspan class="orphans"> · {counted(orphans, "orphan")}</tspan>}
      </text>
      {inCycle && (
        <text x={x + width / 2 - 18} y={y + 12} class="mark" aria-hidden="true">
          ↻
        </text>
      )}
    </>
  );
  const pointed = { onMouseEnter: onEnter, onMouseLeave: onLeave };
  const kind = `box ${known ? "known" : ""} ${inCycle ? "cycle" : ""}`;
  return known ? (
    <g class={kind} {...pointed}>
      {shape}
    </g>
  ) : (
    <a class={kind} href={to(["map", node.name])} {...pointed} onFocus={onEnter} onBlur={onLeave}>
      {shape}
    </a>
  );
}
