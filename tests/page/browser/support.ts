/** Shared by all tests of the page: one browser, and tabs that record what goes wrong. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, type TestContext } from "node:test";
import type { Browser, BrowserContext, Page as Tab } from "playwright-core";
import { launch } from "./browser.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

let started: Promise<Browser> | undefined;
after(async () => (await started)?.close());

export interface Look {
  readonly colorScheme?: "light" | "dark";
  readonly viewport?: { readonly width: number; readonly height: number };
}

/** A tab that records problems: console messages, page errors, and requests to other origins. */
export class Watched {
  readonly tab: Tab;
  readonly context: BrowserContext;
  readonly wrong: string[] = [];

  constructor(context: BrowserContext, tab: Tab) {
    this.context = context;
    this.tab = tab;
    tab.on("console", (message) => {
      if (message.type() !== "debug") this.wrong.push(`${message.type()}: ${message.text()}`);
    });
    tab.on("pageerror", (error) => this.wrong.push(`${error}`));
  }

  /** Opens an address; any request not to `origin` counts as a problem. */
  async open(address: string, origin: string): Promise<void> {
    this.tab.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("data:")) this.wrong.push(`asked for ${url}`);
    });
    await this.tab.goto(address);
    await this.tab.waitForSelector("h1");
  }

  /** Opens a view by its address. */
  async view(name: string): Promise<void> {
    await this.tab.evaluate((hash) => location.replace(hash), `#/${name}`);
    await this.tab.waitForFunction((hash) => location.hash === hash, `#/${name}`);
    await this.settled();
  }

  /** Waits until everything is loaded and drawn. */
  async settled(): Promise<void> {
    await this.tab.waitForFunction(() => !/Reading …|Asking Convex …/.test(document.body.innerText));
    await this.tab.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
  }

  /** How many pixels the page is wider than its window. */
  async sideways(): Promise<number> {
    return this.tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  }

  /** Numbers that are broken into several lines. */
  async broken(): Promise<string[]> {
    return this.tab.evaluate(() =>
      [...document.querySelectorAll(".number")]
        .filter((each) => {
          const text = document.createRange();
          text.selectNodeContents(each);
          const tops = [...text.getClientRects()].map((rect) => Math.round(rect.top));
          return each.childElementCount === 0 && new Set(tops).size > 1;
        })
        .map((each) => each.textContent ?? ""),
    );
  }

  /** axe's findings, one per line: for everything, or for colours only. */
  async axe(what: "everything" | "colours"): Promise<string[]> {
    if (!(await this.tab.evaluate("'axe' in window"))) await this.tab.evaluate(AXE);
    const all = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const runOnly = what === "colours" ? ["color-contrast"] : all;
    return this.tab.evaluate(async (only) => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run({ runOnly: only });
      return violations.flatMap((each) =>
        each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 160)} ${node.failureSummary?.replace(/\s+/g, " ")}`),
      );
    }, runOnly);
  }

  /** Usable elements that Tab does not reach, and other elements that it reaches, as HTML. */
  async keyboard(): Promise<{ missed: string[]; besides: string[] }> {
    await this.tab.locator(".skip").focus();
    const reached = await this.tab.evaluateHandle(() => new Set<Element | null>([document.activeElement]));
    let more = true;
    while (more) {
      await this.tab.keyboard.press("Tab");
      more = await reached.evaluate((all) => {
        const at = document.activeElement;
        if (at === document.body || all.has(at)) return false;
        all.add(at);
        return true;
      });
    }
    return reached.evaluate((all) => {
      const usable = "a[href], button:not(:disabled), select, input, summary, [tabindex='0']";
      const shown = [...document.querySelectorAll(usable)].filter((each) => each.checkVisibility());
      const missed = shown.filter((each) => !all.has(each));
      const besides = [...all].filter((each) => each !== null && !shown.includes(each));
      return {
        missed: missed.map((each) => each.outerHTML.slice(0, 200)),
        besides: besides.map((each) => each?.outerHTML.slice(0, 200) ?? ""),
      };
    });
  }

  /** Asserts that nothing went wrong, except messages that match `meant`. */
  fine(meant = /^$/): void {
    assert.deepEqual(this.wrong.filter((each) => !meant.test(each)), []);
  }
}

/** A tab that is closed after the test. */
export async function watched(test: TestContext, look: Look = {}): Promise<Watched> {
  started ??= launch();
  const browser = await started;
  const context = await browser.newContext({
    colorScheme: look.colorScheme ?? "light",
    viewport: look.viewport ?? DESKTOP,
    reducedMotion: "reduce",
  });
  test.after(() => context.close());
  const tab = await context.newPage();
  tab.setDefaultTimeout(60_000);
  return new Watched(context, tab);
}
