/** Small parts that the views share. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Page, RuleMeaning, StageCell } from "./data.ts";
import { count, counted, time } from "./format.ts";

/** How many items of a long list are shown at first. */
const FIRST = 12;

type Children = { children: ComponentChildren };

export function Section({ title, id, children }: Children & { title: string; id: string }) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

/** A box for what may be wider than the screen: it scrolls, by keyboard too. */
export function Scroll({ label, children }: Children & { label: string }) {
  return (
    <div class="scroll" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

/** A column's head: `number` is aligned to the right. */
export interface Head {
  readonly text: string;
  readonly number?: boolean;
}

export function Grid({ label, heads, children }: Children & { label: string; heads: readonly Head[] }) {
  return (
    <Scroll label={label}>
      <table>
        <caption class="unseen">{label}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head.text} scope="col" class={head.number ? "number" : ""}>
                {head.text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </Scroll>
  );
}

export function Num({ rows }: { rows: number | null | undefined }) {
  return <td class="number">{rows === null || rows === undefined ? "–" : count(rows)}</td>;
}

interface FoldedProps<T> {
  readonly items: readonly T[];
  readonly word: string;
  readonly show: (item: T) => ComponentChildren;
}

/** The first items of a long list, and a button for the others. */
export function Folded<T>({ items, word, show }: FoldedProps<T>) {
  const [all, setAll] = useState(false);
  const shown = all ? items : items.slice(0, FIRST);
  const more = items.length - shown.length;
  return (
    <>
      <div class="groups">{shown.map(show)}</div>
      {more > 0 && (
        <button type="button" class="more" onClick={() => setAll(true)}>
          Show {counted(more, `more ${word}`)}
        </button>
      )}
    </>
  );
}

const STATES: Readonly<Record<StageCell["state"], { mark: string; word: string }>> = {
  none: { mark: "–", word: "not yet" },
  running: { mark: "▸", word: "running" },
  partial: { mark: "◐", word: "not all" },
  complete: { mark: "✓", word: "complete" },
  stale: { mark: "*", word: "stale" },
  failed: { mark: "!", word: "failed" },
};

/** The mark of a state is read out as its word. */
export function State({ cell }: { cell: StageCell }) {
  const { mark, word } = STATES[cell.state];
  // The text, which `stages status` also prints, may end in the same mark.
  const text = cell.text.endsWith(mark) ? cell.text.slice(0, -mark.length) : cell.text;
  return (
    <span class={`state ${cell.state}`} title={cell.why ?? word}>
      <span class="figures">{text}</span>
      {cell.state === "none" && text ? null : (
        <span class="mark" aria-hidden="true">
          {mark}
        </span>
      )}
      <span class="unseen"> {word}</span>
    </span>
  );
}

export function Tag({ kind, children }: Children & { kind: "good" | "warn" | "bad" | "plain" }) {
  return <span class={`tag ${kind}`}>{children}</span>;
}

export function Time({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} class="figures">
      {time(iso)}
    </time>
  );
}

/** `orders.total`, or the table alone. */
export function fieldName(table: string, field: string): string {
  return field ? `${table}.${field}` : table;
}

/** What a rule means, as a sentence; empty for an unknown one. */
export function meaning(page: Page, rule: string): string {
  return sentence(page.rules[rule]?.meaning ?? "");
}

/** With a capital and a period. */
export function sentence(text: string): string {
  if (!text) return "";
  const whole = text[0]?.toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

export function RuleText({ rule }: { rule: RuleMeaning | undefined }) {
  if (!rule) return null;
  return (
    <p class="dim">
      {sentence(rule.meaning)} Cause: {sentence(rule.cause)}
    </p>
  );
}

interface Choice {
  readonly label: string;
  readonly value: string;
  readonly all: string;
  readonly options: readonly string[];
  readonly onChoose: (value: string) => void;
}

/** A choice of one name, or all. An option that is chosen but gone stays in the list. */
export function Choose({ label, value, all, options, onChoose }: Choice) {
  const listed = value && !options.includes(value) ? [value, ...options] : options;
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {all && <option value="">{all}</option>}
        {listed.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Name and value pairs. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
