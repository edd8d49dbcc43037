/** Every view, light and dark, on a desktop and a phone. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { emptyPage, fullPage, SCRIPT } from "./pages.ts";
import { html, LivePage } from "./server.ts";
import { DESKTOP, PHONE, type Watched, watched } from "./support.ts";

const VIEWS = [
  "", "map", "map/customers", "references", "rejects", "changes", "verification", "runs", "assessment",
];
/** Variants of views: not checked with axe, since it has checked similar ones. */
const OTHERS = ["?table=orders", "?table=remarks", "map/remarks", "rejects?rule=required_null", "row", "nowhere"];
const ROWS = ["rejects", "changes", "row/customers/c-1", "row/customers/rejected-1"];

const folder = mkdtempSync(join(tmpdir(), "stages-page-"));
after(() => rmSync(folder, { recursive: true }));

/** Writes a page as a file, as `stages report --html` does. */
function written(name: string, page: Parameters<typeof html>[0]): string {
  const file = join(folder, `${name}.html`);
  writeFileSync(file, html(page));
  return pathToFileURL(file).href;
}

const FILES = {
  plain: written("plain", fullPage()),
  values: written("values", fullPage({ values: true })),
  empty: written("empty", emptyPage()),
};

/** Checks what a view must satisfy in any look; with `axe`, also that axe finds nothing. */
async function check(page: Watched, view: string, axe?: "everything" | "colours"): Promise<void> {
  await page.view(view);
  assert.equal(await page.tab.locator("h1").count(), 1);
  assert.ok((await page.sideways()) <= 0, `${view} is wider than the window`);
  assert.deepEqual(await page.broken(), [], `${view} breaks numbers`);
  assert.equal(await page.tab.evaluate("window.hacked"), undefined);
  if (axe) assert.deepEqual(await page.axe(axe), [], view);
}

for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"] as const) {
    const look = { viewport, colorScheme };
    // On a phone, elements and colours are the same; in dark mode, elements are the same.
    const axe = size === "phone" ? undefined : colorScheme === "dark" ? "colours" : "everything";
    describe(`${size}, ${colorScheme}`, () => {
      it("shows every view of a file", async (test) => {
        const page = await watched(test, look);
        await page.open(FILES.plain, FILES.plain);
        for (const view of VIEWS) await check(page, view, axe);
        for (const view of OTHERS) await check(page, view);
        page.fine();
      });

      it("shows the rows of a file with values", async (test) => {
        const page = await watched(test, look);
        await page.open(FILES.values, FILES.values);
        for (const view of ["rejects", "changes"]) await check(page, view);
        page.fine();
      });

      it("shows every view before anything is done", async (test) => {
        const page = await watched(test, look);
        await page.open(FILES.empty, FILES.empty);
        for (const view of VIEWS) await check(page, view, view === "" ? axe : undefined);
        page.fine();
      });

      it("shows the rows of the live page", async (test) => {
        const page = await watched(test, look);
        await page.open(liveAddress, liveAddress);
        await check(page, "");
        for (const view of ROWS) await check(page, view, axe);
        page.fine();
      });
    });
  }
}

const live = new LivePage(fullPage({ live: true, running: { command: "load", pid: 4711, since: "2026-05-01T09:28:00Z" } }));
let liveAddress = "";
before(async () => {
  liveAddress = await live.start();
});
after(() => live.stop());

describe("every view", () => {
  it("is reached by keyboard, with all that can be used in it", async (test) => {
    const page = await watched(test);
    await page.open(FILES.plain, "file:");
    for (const view of ["", "map/customers", "references", "rejects?rule=infinite_time", "runs"]) {
      await page.view(view);
      assert.deepEqual(await page.keyboard(), { missed: [], besides: [] }, view);
    }
    page.fine();
  });

  it("is opened from the menu, begins at its heading, and skips the menu", async (test) => {
    const page = await watched(test);
    await page.open(FILES.plain, "file:");
    await page.tab.getByRole("link", { name: "Rejects", exact: true }).focus();
    await page.tab.keyboard.press("Enter");
    await page.tab.locator("h1:focus", { hasText: "Rejects" }).waitFor();
    assert.match(await page.tab.title(), /^Rejects · ggmpbjlxmdkhujyasilm → prod/);
    await page.tab.locator(".skip").focus();
    await page.tab.keyboard.press("Enter");
    assert.equal(await page.tab.evaluate("document.activeElement.tagName"), "H1");
    assert.equal(await page.tab.evaluate("location.hash"), "#/rejects");
    page.fine();
  });

  it("says whether values are included, before anything else of the rows", async (test) => {
    const page = await watched(test);
    await page.open(FILES.plain, "file:");
    const verdict = page.tab.getByRole("region", { name: "Verdict" });
    assert.match(await verdict.innerText(), /This file holds source keys, rules and counts, and no values\./);
    await page.tab.goto(FILES.values);
    assert.match(await verdict.innerText(), /This page shows values of rows\./);
    page.fine();
  });

  it("shows markup of a row, a model or not-carried.md as text", async (test) => {
    const page = await watched(test);
    await page.open(FILES.values, "file:");
    for (const view of ["rejects", "changes", "map"]) {
      await page.view(view);
      assert.ok((await page.tab.locator("main").innerText()).includes(SCRIPT), view);
    }
    assert.equal(await page.tab.locator("main script, main img, main b").count(), 0);
    assert.equal(await page.tab.getByText("not a link").evaluate((each) => each.tagName), "SPAN");
    assert.equal(await page.tab.getByRole("link", { name: "this is" }).getAttribute("href"), "https://example.com/");
    page.fine();
  });

  it("names what could not be read, with the command that makes it again", async (test) => {
    const page = await watched(test);
    const problems = ["transform/orders/manifest.json is damaged; make it again: stages --target prod transform orders"];
    await page.open(written("problems", fullPage({ problems })), "file:");
    for (const view of ["", "rejects"]) {
      await page.view(view);
      assert.match(await page.tab.locator(".banner").innerText(), /^transform\/orders\/manifest\.json is damaged/);
      assert.deepEqual(await page.tab.locator(".banner code").allInnerTexts(), ["stages --target prod transform orders"]);
    }
    page.fine();
  });

  it("copies the next command", async (test) => {
    const page = await watched(test);
    await page.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: liveAddress });
    await page.open(liveAddress, liveAddress);
    const button = page.tab.getByRole("region", { name: "Verdict" }).getByRole("button");
    const copied = page.tab.getByText("Copied").waitFor(); // shown for a moment only
    await button.click();
    await copied;
    assert.equal(await page.tab.evaluate("navigator.clipboard.readText()"), "stages --target prod load");
    page.fine();
  });

  it("marks only commands as such", async (test) => {
    const page = await watched(test);
    const tables = fullPage().tables.map((table) => ({
      ...table,
      stages: {
        ...table.stages,
        load: {
          state: "failed" as const, text: "0",
          why: "transformed before stages itself changed; run stages --data 'my data' load orders, which failed; see stages rejects.",
        },
      },
    }));
    await page.open(written("commands", fullPage({ tables, next: "nothing: see stages report" })), "file:");
    assert.deepEqual(await page.tab.locator("#tables ~ .why").first().locator("code").allInnerTexts(), [
      "stages --data 'my data' load orders", "stages rejects",
    ]);
    page.fine();
  });
});

describe("the flow of rows", () => {
  it("leads from what fell out to its rejects", async (test) => {
    const page = await watched(test);
    await page.open(`${FILES.plain}#/?table=orders`, "file:");
    await page.tab.getByRole("link", { name: "Rejected 6,375" }).click();
    assert.equal(await page.tab.evaluate("location.hash"), "#/rejects?table=orders&stage=transform");
    page.fine();
  });

  it("counts every row of every table once", async (test) => {
    const page = await watched(test);
    await page.open(FILES.plain, "file:");
    await page.tab.getByText("The same as a table").click();
    const rows = await page.tab.getByRole("table", { name: "The flow of rows" }).locator("tbody tr").allInnerTexts();
    const flow = Object.fromEntries(
      rows.map((row) => {
        const [from, upTo, number] = row.split("\t");
        return [`${from} → ${upTo}`, Number(number?.replaceAll(",", ""))];
      }),
    );
    const sum = (from: string) =>
      Object.entries(flow).reduce((all, [way, number]) => all + (way.startsWith(`${from} →`) ? number : 0), 0);
    const page_ = fullPage();
    const sources = page_.tables.filter((table) => table.grain === "row");
    assert.equal(sum("Source rows"), sources.reduce((all, table) => all + (table.flow.source ?? 0), 0));
    assert.equal(flow["Made by models → Documents"], 3100);
    assert.equal(sum("Documents"), page_.flow.documents);
    assert.equal(sum("Loaded"), page_.flow.loaded);
    page.fine();
  });
});
