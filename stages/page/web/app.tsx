/** The frame of every view: source and target, the menu, and whether a command is running. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentType } from "preact";
import { Assessed } from "./assessment.tsx";
import { Changes } from "./changes.tsx";
import { completed, CommandLine, Sentence } from "./command.tsx";
import type { Page } from "./data.ts";
import { duration, secondsBetween } from "./format.ts";
import { type Connection, usePage } from "./live.ts";
import { Mapped } from "./map.tsx";
import { Overview } from "./overview.tsx";
import { References } from "./references.tsx";
import { Rejects } from "./rejects.tsx";
import { type Route, to, useRoute } from "./route.ts";
import { Row } from "./row.tsx";
import { Runs } from "./runs.tsx";
import { Time } from "./ui.tsx";
import { Verification } from "./verification.tsx";

/** What the server answers to a page whose token it does not know. */
const FORBIDDEN = 403;

export interface ViewProps {
  readonly page: Page;
  readonly route: Route;
}

interface View {
  readonly name: string;
  readonly title: string;
  readonly show: ComponentType<ViewProps>;
}

const VIEWS: readonly View[] = [
  { name: "overview", title: "Overview", show: Overview },
  { name: "map", title: "Map", show: Mapped },
  { name: "references", title: "References", show: References },
  { name: "rejects", title: "Rejects", show: Rejects },
  { name: "changes", title: "Changes", show: Changes },
  { name: "row", title: "Row", show: Row },
  { name: "verification", title: "Verification", show: Verification },
  { name: "runs", title: "Runs", show: Runs },
  { name: "assessment", title: "Assessment", show: Assessed },
];

export function App({ first }: { first: Page }) {
  const { page, connection } = usePage(first);
  const route = useRoute();
  const view = VIEWS.find((each) => each.name === route.view);
  const heading = useRef<HTMLHeadingElement>(null);
  const place = [route.view, ...route.rest].join("/");
  const before = useRef(place);
  const title = view?.title ?? "Not found";
  const source = page.source ?? "no source yet";
  const target = page.target ?? "no target yet";
  useEffect(() => {
    document.title = `${title} · ${source} → ${target} · stages`;
  }, [title, source, target]);
  useEffect(() => {
    if (before.current === place) return;
    before.current = place;
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [place]);
  const skip = (event: Event) => {
    event.preventDefault();
    heading.current?.focus();
  };
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <header>
        <div class="wide">
          <p class="where">
            <strong>stages</strong>
            <span class="ends">
              {source} <span aria-label="to">→</span> {target}
            </span>
            <Made page={page} connection={connection} />
          </p>
          <nav aria-label="Views">
            <ul>
              {VIEWS.filter((each) => page.live || each.name !== "row").map((each) => (
                <li key={each.name}>
                  <a
                    href={to(each.name === "overview" ? [] : [each.name])}
                    aria-current={each.name === view?.name ? "page" : undefined}
                  >
                    {each.title}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
        </div>
      </header>
      <main class="wide" id="content">
        <Alarm page={page} connection={connection} />
        <Running page={page} />
        {page.problems.map((problem) => (
          <p key={problem} class="banner warn">
            <Sentence text={problem} />
          </p>
        ))}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {view ? <view.show page={page} route={route} /> : <p>There is no such view here.</p>}
      </main>
      <footer>
        <div class="wide">
          <p>
            {page.values
              ? "This page shows values of rows."
              : "This file holds source keys, rules and counts, and no values."}{" "}
            Times are in UTC. Made by stages {page.version} from {page.plan}.
          </p>
        </div>
      </footer>
    </>
  );
}

function Made({ page, connection }: { page: Page; connection: Connection }) {
  if (!page.live) {
    return (
      <span class="made">
        as of <Time iso={page.made} /> UTC
      </span>
    );
  }
  const word = connection === "there" ? "live" : "not live";
  return (
    <span class="made">
      <span class={connection === "there" ? "dot" : "dot off"} aria-hidden="true" /> {word}, last change <Time iso={page.made} /> UTC
    </span>
  );
}

/** Why a live page is no longer live. */
function Alarm({ page, connection }: { page: Page; connection: Connection }) {
  if (connection === "there") return null;
  if (connection !== "gone" && connection.status !== FORBIDDEN) {
    return (
      <div class="banner bad" role="alert">
        <p>
          The numbers below are old: {connection.message}. {connection.hint && <Sentence text={connection.hint} />}
        </p>
      </div>
    );
  }
  return (
    <div class="banner bad" role="alert">
      <p>
        {connection === "gone"
          ? "stages ui does not answer any more, so the numbers below are old. Start it again: "
          : "stages ui no longer knows this page. Open the address that it printed when it started, or start it again: "}
        <CommandLine command={completed(page, "stages ui")} />
      </p>
    </div>
  );
}

function Running({ page }: { page: Page }) {
  const { running } = page;
  const now = useNow(page.live && running !== null);
  if (!running) return null;
  const since = secondsBetween(running.since, page.live ? now : page.made);
  const begun = running.command.startsWith("stages") ? running.command : `stages ${running.command}`;
  return (
    <div class="banner good">
      <p>
        <span class="mark" aria-hidden="true">
          ▸
        </span>{" "}
        <strong>{begun}</strong> is running (pid {running.pid}), for{" "}
        <span class="figures">{duration(Math.floor(since))}</span>
      </p>
    </div>
  );
}

/** The time, in ms, read again every second while `ticking`. */
function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!ticking) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
