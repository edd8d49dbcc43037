/** What the page asks of `stages ui`. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ChangeRow, Page, RejectRow } from "./data.ts";

const EVERY_MS = 2000;

/** `gone`: nothing answers. A Refusal is what the server answers: that it does not know the page's
 * token, or that it can't read the migration as it is now. */
export type Connection = "there" | "gone" | Refusal;

/** An answer that is an error: a sentence, and a command that helps. */
export class Refusal extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, message: string, hint: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** GET with a query. Throws Refusal, or TypeError if nothing answers. */
export async function ask<T>(
  path: string,
  query: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<T> {
  const address = `${path}?${new URLSearchParams(query)}`;
  const answer = await fetch(address, { cache: "no-store", ...(signal && { signal }) });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

async function refusal(answer: Response): Promise<Refusal> {
  try {
    const { error, hint } = (await answer.json()) as { error?: string; hint?: string };
    if (error) return new Refusal(answer.status, error, hint ?? "");
  } catch {
    // Not JSON: only the status is known.
  }
  return new Refusal(answer.status, `stages ui answered ${answer.status}`, "");
}

/** The page; if it is live, read again every two seconds while it is visible. */
export function usePage(first: Page): { page: Page; connection: Connection } {
  const [page, setPage] = useState(first);
  const [connection, setConnection] = useState<Connection>("there");
  useEffect(() => {
    if (!first.live) return undefined;
    let tag = "";
    let timer = 0;
    let asking = false;
    const read = async () => {
      const headers = tag ? { "If-None-Match": tag } : undefined;
      const answer = await fetch("/api/page", { cache: "no-store", ...(headers && { headers }) });
      if (answer.ok) {
        tag = answer.headers.get("ETag") ?? "";
        setPage((await answer.json()) as Page);
      }
      setConnection(answer.ok || answer.status === 304 ? "there" : await refusal(answer));
    };
    const poll = async () => {
      clearTimeout(timer);
      if (asking || document.visibilityState === "hidden") return;
      asking = true;
      try {
        await read();
      } catch {
        setConnection("gone");
      }
      asking = false;
      timer = setTimeout(poll, EVERY_MS);
    };
    document.addEventListener("visibilitychange", poll);
    timer = setTimeout(poll, EVERY_MS);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", poll);
    };
  }, [first]);
  return { page, connection };
}

export interface Asked<T> {
  /** The last answer, kept while the next one is awaited; undefined before the first. */
  readonly answer: T | undefined;
  readonly waiting: boolean;
  readonly refusal: Refusal | undefined;
}

/** One answer, requested again when the address or `version` changes; none if the path is
 * undefined. An answer to another address is not shown. */
export function useAsked<T>(
  path: string | undefined,
  query: Readonly<Record<string, string>>,
  version: unknown,
): Asked<T> {
  const address = path === undefined ? "" : `${path}?${new URLSearchParams(query)}`;
  const [asked, setAsked] = useState<Asked<T> & { readonly of: string }>({
    answer: undefined,
    waiting: true,
    refusal: undefined,
    of: "",
  });
  const queryNow = useRef(query);
  queryNow.current = query;
  useEffect(() => {
    if (path === undefined) return undefined;
    const stop = new AbortController();
    ask<T>(path, queryNow.current, stop.signal).then(
      (answer) => setAsked({ answer, waiting: false, refusal: undefined, of: address }),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        const refusal =
          error instanceof Refusal ? error : new Refusal(0, "stages ui does not answer", "stages ui");
        setAsked((before) => ({ ...before, waiting: false, refusal, of: address }));
      },
    );
    return () => stop.abort();
  }, [address, version]);
  return asked.of === address ? asked : { answer: undefined, waiting: true, refusal: undefined };
}

export interface RowsOf<T extends RejectRow | ChangeRow> {
  readonly total: number;
  readonly rows: readonly T[];
}
