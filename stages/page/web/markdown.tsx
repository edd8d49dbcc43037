/** Markdown as elements. HTML in it is shown as text. */
import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Scroll } from "./ui.tsx";

const SAFE = /^(?:https?:|mailto:)/i;
const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};

/** `text` below a heading of this page: its own headings start at the third level. */
export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text), [text]);
  return <div class="markdown">{tokens.map(block)}</div>;
}

function block(token: Token, key: number): ComponentChildren {
  switch (token.type) {
    case "heading": {
      const Level = (token as Tokens.Heading).depth > 1 ? "h4" : "h3";
      return <Level key={key}>{inline(token)}</Level>;
    }
    case "paragraph":
      return <p key={key}>{inline(token)}</p>;
    case "code":
      return (
        <Scroll key={key} label="Code">
          <pre>
            <code>{(token as Tokens.Code).text}</code>
          </pre>
        </Scroll>
      );
    case "list": {
      const list = token as Tokens.List;
      const Kind = list.ordered ? "ol" : "ul";
      return (
        <Kind key={key}>
          {list.items.map((item, n) => (
            <li key={n}>{item.tokens.map(block)}</li>
          ))}
        </Kind>
      );
    }
    case "blockquote":
      return <blockquote key={key}>{(token as Tokens.Blockquote).tokens.map(block)}</blockquote>;
    case "table":
      return <MarkdownTable key={key} table={token as Tokens.Table} />;
    case "hr":
      return <hr key={key} />;
    case "space":
    case "def":
      return null;
    case "text":
      return <span key={key}>{inline(token)}</span>;
    default:
      return <p key={key}>{token.raw}</p>;
  }
}

function MarkdownTable({ table }: { table: Tokens.Table }) {
  return (
    <Scroll label="Table">
      <table>
        <thead>
          <tr>
            {table.header.map((cell, n) => (
              <th key={n} scope="col">
                {cell.tokens.map(span)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, n) => (
            <tr key={n}>
              {row.map((cell, at) => (
                <td key={at}>{cell.tokens.map(span)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function inline(token: Token): ComponentChildren {
  const tokens = (token as Tokens.Generic).tokens;
  return tokens ? tokens.map(span) : plain(token);
}

/** Decodes `&lt;` and the like, which marked leaves for HTML to decode. */
function plain(token: Token): string {
  const text = (token as Tokens.Text).text ?? token.raw;
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}

function span(token: Token, key: number): ComponentChildren {
  switch (token.type) {
    case "strong":
      return <strong key={key}>{inline(token)}</strong>;
    case "em":
      return <em key={key}>{inline(token)}</em>;
    case "del":
      return <del key={key}>{inline(token)}</del>;
    case "codespan":
      return <code key={key}>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br key={key} />;
    case "link": {
      const { href } = token as Tokens.Link;
      if (!SAFE.test(href)) return <span key={key}>{inline(token)}</span>;
      return (
        <a key={key} href={href} rel="noreferrer">
          {inline(token)}
        </a>
      );
    }
    case "text":
    case "escape":
      return inline(token);
    default:
      return token.raw;
  }
}
