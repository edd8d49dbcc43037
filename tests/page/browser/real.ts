/** Pages written or served by Python: STAGES_PAGES names them, as {name: address}. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DESKTOP, PHONE, type Watched, watched } from "./support.ts";

const VIEWS = ["", "map", "references", "rejects", "changes", "verification", "runs", "assessment"];
const PAGES = JSON.parse(process.env.STAGES_PAGES ?? "{}") as Record<string, string>;
/** The key of a row, as in tests/page/support.py. */
const MARKUP = "<script>alert(1)</script>\u2028&";

async function open(page: Watched, address: string): Promise<void> {
  const { origin } = new URL(address);
  await page.open(address, origin === "null" ? address : origin);
}

for (const [name, address] of Object.entries(PAGES)) {
  describe(name, () => {
    for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      it(`is shown on a ${size}, every view of it`, async (test) => {
        const page = await watched(test, { viewport, colorScheme: size === "phone" ? "dark" : "light" });
        await open(page, address);
        for (const view of VIEWS) {
          await page.view(view);
          assert.ok((await page.sideways()) <= 0, `${view} is wider than the window`);
          assert.ok((await page.tab.locator("main section, main .empty").count()) > 0, view);
        }
        page.fine();
      });
    }

    it("leads to its rejects, and finds one of them", async (test) => {
      const page = await watched(test);
      await open(page, address);
      await page.tab.getByRole("link", { name: /^Rejected/ }).click();
      await page.settled();
      const rows = page.tab.getByRole("table", { name: "Rows of rejects" }).locator("tbody tr");
      const key = await rows.last().locator("code").innerText();
      await page.tab.getByRole("searchbox").fill(key);
      await page.tab.waitForFunction(() => location.hash.includes("search="));
      await page.settled();
      for (const found of await rows.allInnerTexts()) assert.ok(found.includes(key));
      page.fine();
    });
  });
}

for (const [name, address] of Object.entries(PAGES).filter(([, each]) => each.startsWith("http:"))) {
  describe(`a row of ${name}`, () => {
    it("that is rejected has its whole way shown", async (test) => {
      const page = await watched(test);
      await open(page, address);
      await page.view("rejects");
      await page.tab.getByRole("table", { name: "Rows of rejects" }).getByRole("link").first().click();
      await page.tab.getByText("It is rejected, and is no document.").waitFor({ timeout: 60_000 });
      await page.tab.getByRole("heading", { name: "What the model gives for the row" }).waitFor();
      page.fine();
    });
  });
}

const people = Object.entries(PAGES).filter(([name]) => name === "people, live");
for (const [name, address] of people) {
  describe(`a row of ${name}, whose key is markup`, () => {
    it("is text", async (test) => {
      const page = await watched(test);
      page.tab.on("dialog", (dialog) => page.wrong.push(dialog.message()));
      await open(page, address);
      await page.view(`row/people/${encodeURIComponent(MARKUP)}`);
      await page.tab.getByRole("heading", { name: "Source people" }).waitFor({ timeout: 60_000 });
      assert.ok((await page.tab.locator("p.key code").textContent()) === MARKUP);
      page.fine();
    });
  });
}
