/** The page: reads the data that Python has put into it, and shows it. */
import { render } from "preact";
import { App } from "./app.tsx";
import type { Page } from "./data.ts";

const FORMAT = 1;

function start(): void {
  const root = document.getElementById("app");
  const data = document.getElementById("page-data");
  if (!root || !data) return;
  const page = JSON.parse(data.textContent ?? "") as Page;
  if (page.format !== FORMAT) {
    render(<main>This page's data has format {page.format}, and its program shows {FORMAT}.</main>, root);
    return;
  }
  render(<App first={page} />, root);
}

start();
