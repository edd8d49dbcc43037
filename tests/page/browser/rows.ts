/** Rejects and changes: groups, filters, search and paging; and a single row. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { fullPage, MANY, SCRIPT } from "./pages.ts";
import { html, LivePage } from "./server.ts";
import { type Watched, watched } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "stages-rows-"));
const FILE = join(folder, "page.html");
writeFileSync(FILE, html(fullPage({ values: true })));
after(() => rmSync(folder, { recursive: true }));

const live = new LivePage(fullPage({ live: true }));
let address = "";
before(async () => {
  address = await live.start();
});
after(() => live.stop());

const total = (page: Watched) => page.tab.getByRole("status").first().innerText();
const table = (page: Watched, name: string) => page.tab.getByRole("table", { name, exact: true }).locator("tbody tr");

describe("rejects of the live page", () => {
  it("are paged through the server, a million of them", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/rejects`, address);
    await page.settled();
    assert.equal(await total(page), "1,000,000 rejects.");
    await page.tab.getByRole("button", { name: "Next" }).click();
    await page.tab.getByText("51 to 100 of 1,000,000").waitFor();
    assert.match(await table(page, "Rows of rejects").first().innerText(), /customer-50\b/);
    await page.tab.getByRole("button", { name: "Last" }).click();
    await page.tab.getByText("999,951 to 1,000,000 of 1,000,000").waitFor();
    assert.match(await table(page, "Rows of rejects").last().innerText(), new RegExp(`customer-${MANY - 1}\\b`));
    page.fine();
  });

  it("are filtered and searched by the server, and say so in the address", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/rejects?offset=100`, address);
    await page.settled();
    await page.tab.getByRole("combobox", { name: "Rule" }).selectOption("infinite_time");
    await page.tab.getByText("250,000 rejects found.").waitFor();
    assert.equal(await page.tab.evaluate("location.hash"), "#/rejects?rule=infinite_time");
    assert.ok(live.asked.includes("/api/rejects?rule=infinite_time&offset=0&limit=50"));
    await page.tab.getByRole("button", { name: "Show all" }).click();
    const search = page.tab.getByRole("searchbox");
    await search.pressSequentially("customer-77");
    await page.tab.waitForFunction(() => location.hash === "#/rejects?search=customer-77");
    await page.settled();
    await page.tab.getByText("1 reject found.").waitFor();
    assert.equal(await search.evaluate((each) => each === document.activeElement), true);
    assert.match(await table(page, "Rows of rejects").first().innerText(), /customer-77\b/);
    page.fine();
  });

  it("have causes before what follows, with rule and fix", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/rejects`, address);
    const headings = await page.tab.locator("main h2").allInnerTexts();
    assert.deepEqual(headings, ["Tables that failed", "Causes", "What follows from them", "Rows"]);
    const cause = page.tab.locator("details", { hasText: "customers.email" });
    await cause.locator("summary").click();
    const text = await cause.innerText();
    assert.match(text, /The value is null, and the field takes no null\. Cause: The source has nulls/);
    assert.match(text, /6,375 more rows are rejected because of them: 6,375 orders\./);
    assert.match(text, /Fix: models\/customers\.sql, the source, or convex\/schema\.ts/);
    assert.ok(text.includes(SCRIPT));
    await cause.getByRole("link", { name: "Show these 640 rows" }).click();
    assert.equal(await page.tab.evaluate("location.hash"), "#/rejects?table=customers&rule=required_null&field=email");
    page.fine();
  });
});

describe("rejects of a file", () => {
  it("are searched among those that it holds, and say how many it does not", async (test) => {
    const page = await watched(test);
    await page.open(`${pathToFileURL(FILE)}#/rejects`, "file:");
    assert.match(await total(page), /^200 rejects\. 10,007,103 more are not in this file/);
    await page.tab.getByRole("searchbox").fill("CUSTOMER-19");
    await page.tab.getByText("11 rejects found.").waitFor();
    assert.equal(await table(page, "Rows of rejects").count(), 11);
    await page.tab.getByRole("searchbox").fill("");
    await page.tab.getByRole("button", { name: "Next" }).click();
    await page.tab.getByText("51 to 100 of 200").waitFor();
    page.fine();
  });
});

describe("changes", () => {
  it("show old and new, and are filtered by field", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/changes`, address);
    await page.settled();
    assert.equal(await total(page), "47,131 changes.");
    assert.match(await table(page, "Rows of changes").nth(1).innerText(), /123451\+00\s+1704901663123/);
    await page.tab.getByRole("combobox", { name: "Field" }).selectOption("weight");
    await page.tab.waitForFunction(() => location.hash === "#/changes?field=weight");
    assert.equal(await table(page, "What was changed").count(), 1);
    page.fine();
  });
});

describe("a row", () => {
  it("is found by its key, and leads to its parents and children", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/row`, address);
    await page.tab.getByRole("combobox", { name: "Table" }).selectOption("customers");
    await page.tab.getByLabel("Source key or Convex id").fill("rejected-1");
    await page.tab.keyboard.press("Enter");
    await page.tab.getByText("It is rejected, and is no document.").waitFor();
    assert.ok((await page.tab.locator("main").innerText()).includes(SCRIPT));
    await page.tab.getByRole("link", { name: "ws-1" }).click();
    assert.equal(await page.tab.evaluate("location.hash"), "#/row/workspaces/ws-1");
    await page.tab.getByRole("link", { name: "order-2" }).click();
    await page.tab.getByText("It is a document, and loaded (inserted).").waitFor();
    page.fine();
  });

  it("is asked of Convex only when that is wanted", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/row/customers/c-1`, address);
    await page.tab.getByText("Convex was not asked").waitFor();
    assert.ok(!live.asked.some((each) => each.includes("convex=1")));
    await page.tab.getByRole("button", { name: "Ask Convex" }).click();
    await page.tab.getByText("Convex has other values in email.").waitFor();
    assert.match(await table(page, "Fields that differ in Convex").innerText(), /"a@example\.com"\s+"b@example\.com"/);
    page.fine();
  });

  it("that is not there is said so, with a command", async (test) => {
    const page = await watched(test);
    await page.open(`${address}#/row/customers/nobody`, address);
    await page.tab.getByText("customers has no row nobody").waitFor();
    assert.deepEqual(await page.tab.getByRole("alert").locator("code").allInnerTexts(), ["stages --target prod show customers"]);
    page.fine(/404/);
  });
});
