/** Screenshots of every view:
 * `node --import tsx tests/page/browser/shots.ts FOLDER [PAGE.json|URL]`. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "../../../stages/page/web/data.ts";
import { launch } from "./browser.ts";
import { emptyPage, fullPage } from "./pages.ts";
import { LivePage } from "./server.ts";

const [folder = "/tmp/shots", given] = process.argv.slice(2);
const VIEWS = ["", "map", "map/customers", "references", "rejects", "changes", "row/customers/c-1", "row/customers/rejected-1", "verification", "runs", "assessment"];
mkdirSync(folder, { recursive: true });
const live = new LivePage(fullPage({ live: true, running: { command: "load", pid: 4711, since: "2026-05-01T09:28:00Z" } }));
const empty = new LivePage(emptyPage());
const browser = await launch(["/usr/share/fonts"]);
const file = new LivePage(given?.endsWith(".json") ? (JSON.parse(readFileSync(given, "utf8")) as Page) : fullPage());
const addresses = given
  ? { given: given.endsWith(".json") ? await file.start() : given }
  : { live: await live.start(), empty: await empty.start() };
for (const [name, address] of Object.entries(addresses)) {
  for (const scheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 800 } });
      const page = await context.newPage();
      page.on("console", (m) => console.log(m.type(), m.text()));
      page.on("pageerror", (e) => console.log(e));
      for (const view of name === "empty" ? ["", "rejects"] : VIEWS) {
        if (scheme === "dark" && width === 360 && view) continue;
        await page.goto(`${address}#/${view}`);
        await page.reload();
        await page.waitForSelector("h1");
        await page.waitForLoadState("networkidle");
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (over > 0) console.log(name, view, width, `sideways by ${over}`);
        await page.screenshot({ path: join(folder, `${name}-${view.replaceAll("/", "_") || "overview"}-${scheme}-${width}.png`), fullPage: true });
      }
      await context.close();
    }
  }
}
await browser.close();
await live.stop();
await empty.stop();
await file.stop();
