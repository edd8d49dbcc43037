/** Commands in sentences, each with a button that copies it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "./data.ts";

// `stages --target prod load --yes NAME`, up to where the sentence goes on. A word may be quoted.
const NAMES =
  "assess|check|clean|extract|init|load|rejects|report|rollback|sandbox|show|sql|status|transform|ui|verify";
const WORD = `(?:'[^']*'|"[^"]*"|[^\\s;,()'"])+`;
const ENDS = "again|and|first|for|is|or|to|until|which|with";
const COMMAND = new RegExp(
  `\\bstages (?:--${WORD} ${WORD} )*(?:${NAMES})\\b(?: (?!(?:${ENDS})\\b)${WORD})*`,
  "g",
);
const GLOBAL = /\bstages((?: --(?:project|data|target) (?:'[^']*'|\S+))+)/;

/** A command for this project: with the global options that its next command has. */
export function completed(page: Page, command: string): string {
  const options = GLOBAL.exec(page.next)?.[1] ?? "";
  return command.replace(/^stages/, `stages${options}`);
}

export function Copy({ text, what = "Copy" }: { text: string; what?: string }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await toClipboard(text);
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" class="copy" aria-label={`${what}: ${text}`} onClick={copy}>
      <span aria-live="polite">{copied ? "Copied" : what}</span>
    </button>
  );
}

async function toClipboard(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A browser may not allow this for a page opened from a file.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

export function CommandLine({ command }: { command: string }) {
  return (
    <span class="command">
      <code>{command}</code>
      <Copy text={command} />
    </span>
  );
}

/** A sentence, in which each command can be copied. */
export function Sentence({ text }: { text: string }) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(COMMAND)) {
    parts.push(text.slice(end, match.index));
    const command = match[0].replace(/[.:]$/, "");
    parts.push(<CommandLine key={match.index} command={command} />);
    end = match.index + command.length;
  }
  return (
    <>
      {parts}
      {text.slice(end)}
    </>
  );
}

/** Shown in place of something that does not exist yet. */
export function Empty({ text, command }: { text: string; command?: string }) {
  return (
    <p class="empty">
      {text} {command !== undefined && <CommandLine command={command} />}
    </p>
  );
}
