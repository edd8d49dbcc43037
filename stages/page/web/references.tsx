/** The graph of references: the load order, and references whose parent does not exist. */
import type { ViewProps } from "./app.tsx";
import { Empty } from "./command.tsx";
import type { Edge, Graph } from "./data.ts";
import { counted } from "./format.ts";
import { GraphOfTables } from "./graph.tsx";
import { to } from "./route.ts";
import { Grid, Num, Section, Tag } from "./ui.tsx";

export function References({ page }: ViewProps) {
  const { graph } = page;
  if (!graph.edges.length) {
    return (
      <>
        <Empty text="No table refers to another: they can be loaded in any order." />
        {graph.nodes.length > 0 && <LoadOrder graph={graph} />}
      </>
    );
  }
  const orphans = graph.edges.filter((edge) => edge.orphans > 0);
  return (
    <>
      <p>
        {counted(graph.edges.length, "reference")} between {counted(graph.nodes.length, "table")}.{" "}
        {graph.cycles.length ? `${counted(graph.cycles.length, "cycle")}.` : "No cycles."}{" "}
        {orphans.length
          ? `${counted(orphans.reduce((sum, edge) => sum + edge.orphans, 0), "row")} ${"name a parent that does not exist."}`
          : "No orphans."}
      </p>
      <Section title="Graph" id="graph">
        <GraphOfTables graph={graph} />
      </Section>
      {graph.cycles.length > 0 && (
        <Section title="Cycles" id="cycles">
          <p class="dim">
            Tables that refer to each other, or to themselves. Their documents are loaded first, and
            these references bound in a second pass.
          </p>
          <ul>
            {graph.cycles.map((cycle) => (
              <li key={cycle.join(" ")}>
                {[...cycle, cycle[0]].join(" → ")}
              </li>
            ))}
          </ul>
        </Section>
      )}
      <LoadOrder graph={graph} />
      <Section title="References" id="references">
        <Grid
          label="References"
          heads={[
            { text: "Field" },
            { text: "Refers to" },
            { text: "Kind" },
            { text: "Bound", number: true },
            { text: "Orphans", number: true },
          ]}
        >
          {graph.edges.map((edge) => (
            <EdgeRow key={`${edge.source} ${edge.field} ${edge.target}`} edge={edge} />
          ))}
        </Grid>
      </Section>
    </>
  );
}

function EdgeRow({ edge }: { edge: Edge }) {
  return (
    <tr>
      <th scope="row">
        {edge.source}.{edge.field}
      </th>
      <td>{edge.target}</td>
      <td>
        {edge.required ? "required" : "optional"}
        {edge.second_pass && <span class="dim">, bound in a second pass</span>}
      </td>
      <Num rows={edge.bound} />
      <td class="number">
        {edge.orphans ? (
          <a
            href={to(["rejects"], { table: edge.source, field: edge.field })}
            aria-label={`${counted(edge.orphans, "orphan")} of ${edge.source}.${edge.field}`}
          >
            <Tag kind="bad">{edge.orphans.toLocaleString("en-US")}</Tag>
          </a>
        ) : (
          "0"
        )}
      </td>
    </tr>
  );
}

function LoadOrder({ graph }: { graph: Graph }) {
  const levels = [...new Set(graph.nodes.map((node) => node.level))].sort((a, b) => a - b);
  const listed = levels
    .map((level) => ({
      level,
      tables: graph.nodes.filter((node) => node.level === level && node.kind === "table"),
    }))
    .filter(({ tables }) => tables.length);
  return (
    <Section title="Load order" id="order">
      <p class="dim">Tables of one step can be loaded at the same time.</p>
      <ol>
        {listed.map(({ level, tables }) => (
          <li key={level}>{tables.map((table) => table.name).join(", ")}</li>
        ))}
      </ol>
    </Section>
  );
}
