/** The page as Python writes it, and serves it by the same API, on made-up data. */
import { execFileSync } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page, RejectRow } from "../../../stages/page/web/data.ts";
import { changeRow, MANY, rejectRow, shownRow } from "./pages.ts";

const ROOT = new URL("../../../", import.meta.url);
const DATA = '<script id="page-data" type="application/json">';
const TEMPLATES = JSON.parse(
  execFileSync(process.env.PYTHON ?? ".venv/bin/python", ["-m", "tests.page.template"], { cwd: ROOT, encoding: "utf8" }),
) as Record<"live" | "file", string>;

/** The whole page as one text of HTML: what Python writes, around other data. */
export function html(page: Page): string {
  const data = JSON.stringify(page).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const [before, rest] = TEMPLATES[page.live ? "live" : "file"].split(DATA);
  return `${before}${DATA}${data}${rest!.slice(rest!.indexOf("</script>"))}`;
}

/** A live server that a test can stop, and whose page it can change. */
export class LivePage {
  page: Page;
  /** All requests, in order. */
  readonly asked: string[] = [];
  /** The error that everything is answered with. */
  refused: { status: number; error: string; hint: string } | undefined;
  #version = 1;
  readonly #server: Server;

  constructor(page: Page) {
    this.page = page;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  change(page: Partial<Page>): void {
    this.page = { ...this.page, ...page };
    this.#version += 1;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://127.0.0.1");
    this.asked.push(`${pathname}?${searchParams}`);
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "Content-Type": "application/json", ETag: `"${this.#version}"` });
      response.end(JSON.stringify(body));
    };
    if (this.refused) return json(this.refused.status, this.refused);
    if (pathname === "/") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
      response.end(html(this.page));
      return;
    }
    if (pathname === "/api/page") {
      if (request.headers["if-none-match"] === `"${this.#version}"`) {
        response.writeHead(304).end();
        return;
      }
      return json(200, this.page);
    }
    const query = Object.fromEntries(searchParams);
    if (pathname === "/api/rejects") return json(200, rejects(query));
    if (pathname === "/api/changes") return json(200, rows(changeRow, 47_131, query));
    if (pathname === "/api/row") {
      const { table = "", key = "", convex } = query;
      if (key === "nobody") {
        return json(404, { error: `${table} has no row nobody`, hint: `stages --target prod show ${table}` });
      }
      return json(200, shownRow(table, key, convex === "1"));
    }
    json(404, { error: `there is no ${pathname}`, hint: "" });
  }
}

function rows<T>(row: (n: number) => T, total: number, { offset = "0", limit = "50" }: Record<string, string>) {
  const first = Number(offset);
  const length = Math.max(0, Math.min(Number(limit), total - first));
  return { total, rows: Array.from({ length }, (_, n) => row(first + n)) };
}

function rejects(query: Record<string, string>): { total: number; rows: RejectRow[] } {
  const { rule, search } = query;
  // One in four rows has the other rule.
  if (rule === "infinite_time") return rows((n) => rejectRow(n * 4), MANY / 4, query);
  if (search) {
    const found = Number(/\d+/.exec(search)?.[0] ?? 0);
    return rows(() => rejectRow(found), 1, query);
  }
  return rows(rejectRow, MANY, query);
}
