/** The live page: numbers that update, what stays unchanged, and a server that disappears. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fullPage } from "./pages.ts";
import { LivePage } from "./server.ts";
import { watched } from "./support.ts";

const RUNNING = { command: "load", pid: 4711, since: new Date().toISOString() };

describe("the live page", () => {
  it("moves with the load, and keeps place, focus and what is open", async (test) => {
    const live = new LivePage(fullPage({ live: true }));
    const address = await live.start();
    test.after(() => live.stop());
    const page = await watched(test, { viewport: { width: 1280, height: 500 } });
    await page.open(address, address);
    await page.tab.getByText("The same as a table").click();
    await page.tab.locator("#tables").scrollIntoViewIfNeeded();
    const link = page.tab.getByRole("link", { name: "orders", exact: true }).last();
    await link.focus();
    const place = await page.tab.evaluate("scrollY");
    assert.notEqual(place, 0);

    const tables = live.page.tables.map((table) =>
      table.name === "orders"
        ? { ...table, stages: { ...table.stages, load: { state: "running" as const, text: "900,001 of 1,198,002", why: null } } }
        : table,
    );
    live.change({ running: RUNNING, tables });
    await page.tab.getByText("900,001 of 1,198,002").waitFor();
    assert.match(await page.tab.locator(".banner").innerText(), /stages load is running \(pid 4711\), for \d+ /);
    assert.equal(await link.evaluate((each) => each === document.activeElement), true);
    assert.equal(await page.tab.locator("details[open]").count(), 1);
    page.fine();
  });

  it("reads nothing anew while nothing has changed", async (test) => {
    const live = new LivePage(fullPage({ live: true }));
    const address = await live.start();
    test.after(() => live.stop());
    const page = await watched(test);
    await page.open(`${address}#/rejects`, address);
    const asked = () => live.asked.filter((each) => each.startsWith("/api/rejects")).length;
    const unchanged = () =>
      page.tab.waitForResponse((response) => response.url().endsWith("/api/page") && response.status() === 304);
    await unchanged(); // what the first answer led to has been asked for by now
    const rows = asked();
    await unchanged();
    assert.equal(asked(), rows);
    page.fine();
  });

  it("says that the server is gone, and goes on when it is back", async (test) => {
    const live = new LivePage(fullPage({ live: true }));
    const address = await live.start();
    test.after(() => live.stop());
    const page = await watched(test);
    await page.open(address, address);
    live.refused = { status: 403, error: "this address needs the token that stages ui printed", hint: "" };
    await page.tab.getByText("stages ui no longer knows this page").waitFor();
    live.refused = { status: 400, error: "plan.toml, line 3: not TOML", hint: "edit it, then: stages check" };
    const alarm = page.tab.getByRole("alert");
    await alarm.getByText("The numbers below are old: plan.toml, line 3: not TOML.").waitFor();
    assert.deepEqual(await alarm.locator("code").allInnerTexts(), ["stages check"]);
    live.refused = undefined;
    await page.tab.getByRole("alert").waitFor({ state: "detached" });
    await live.stop();
    await page.tab.getByText("stages ui does not answer any more").waitFor();
    assert.deepEqual(await page.tab.getByRole("alert").locator("code").allInnerTexts(), ["stages --target prod ui"]);
    page.fine(/40[03]|ERR_CONNECTION_REFUSED/);
  });
});
