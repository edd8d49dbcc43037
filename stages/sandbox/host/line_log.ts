/**
 * A private append-only file of JSON lines, which survives a kill: an incomplete line is cut off
 * when the file is next opened, and so are all lines of an incomplete group.
 *
 * Nothing is synced to disk: a power cut may lose the last lines, as it may the sandbox's rows.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";

const CHUNK = 1024 * 1024;
const NEWLINE = 0x0a;
const BEGIN = '{"begin":true}';
const END = '{"end":true}';

/** A write failed, for example on a full disk; the file is unchanged. */
export class NotWritten extends Error {
  constructor(file: string, cause: unknown) {
    const words = cause instanceof Error ? cause.message : String(cause);
    super(`${file} can't be written: ${words}`);
  }
}

export type ReadLine = (json: string, number: number) => void;

export class LineLog {
  private size: number;
  private groups = 0;
  private waiting: string[] = [];
  private waitingLength = 0;

  private constructor(
    private file: string,
    private descriptor: number,
  ) {
    this.size = fstatSync(descriptor).size;
  }

  /** Creates a file, or empties an existing one. */
  static create(file: string): LineLog {
    return new LineLog(file, openSync(file, "w+", 0o600));
  }

  /**
   * Opens an existing file, and calls `read` for each line with its number in the file, from 1;
   * returns null if there is no file.
   */
  static open(file: string, read: ReadLine): LineLog | null {
    if (!existsSync(file)) return null;
    const log = new LineLog(file, openSync(file, "r+"));
    // Cut only after reading: a file that `read` refuses stays unchanged.
    log.cut(readWhole(log.descriptor, read));
    return log;
  }

  /** Appends a line of JSON. If it throws NotWritten, the line is not in the file. */
  append(json: string): void {
    const text = `${json}\n`;
    this.waiting.push(text);
    this.waitingLength += text.length;
    if (this.groups > 0 && this.waitingLength < CHUNK) return;
    try {
      this.flush();
    } catch (error) {
      this.waiting.pop();
      this.waitingLength -= text.length;
      throw error;
    }
  }

  /** Keeps or drops as a group all lines appended until `act` ends, whoever appends them. */
  async together<T>(act: () => Promise<T>): Promise<T> {
    if (this.groups === 0) this.append(BEGIN);
    this.groups += 1;
    try {
      return await act();
    } finally {
      this.groups -= 1;
      if (this.groups === 0) {
        // If it can't be written now, it stays queued: without it the group would be dropped.
        this.waiting.push(`${END}\n`);
        this.flush();
      }
    }
  }

  get isGrouping(): boolean {
    return this.groups > 0;
  }

  /** Atomically replaces all lines of the file. */
  rewrite(lines: Iterable<string>): void {
    const next = LineLog.create(`${this.file}.new`);
    next.groups = 1; // so that it buffers
    try {
      for (const json of lines) next.append(json);
      next.flush();
      next.rename(this.file);
    } catch (error) {
      closeSync(next.descriptor);
      throw error;
    }
    closeSync(this.descriptor);
    this.descriptor = next.descriptor;
    this.size = next.size;
    this.waiting = [];
    this.waitingLength = 0;
  }

  rename(file: string): void {
    renameSync(this.file, file);
    this.file = file;
  }

  private flush(): void {
    const bytes = Buffer.from(this.waiting.join(""));
    let written = 0;
    try {
      while (written < bytes.length) {
        const at = this.size + written;
        written += writeSync(this.descriptor, bytes, written, bytes.length - written, at);
      }
    } catch (error) {
      this.cut(this.size);
      throw new NotWritten(this.file, error);
    }
    this.size += written;
    this.waiting = [];
    this.waitingLength = 0;
  }

  private cut(size: number): void {
    ftruncateSync(this.descriptor, size);
    this.size = size;
  }
}

/** Reads lines as `LineLog.open` does, from a file that another process may be writing. */
export function readLog(file: string, read: ReadLine): true | null {
  if (!existsSync(file)) return null;
  const descriptor = openSync(file, "r");
  try {
    readWhole(descriptor, read);
  } finally {
    closeSync(descriptor);
  }
  return true;
}

/** Calls `read` for the complete lines and groups; returns the offset where they end. */
function readWhole(descriptor: number, read: ReadLine): number {
  const whole = wholeSize(descriptor);
  let number = 0;
  for (const { line, end } of linesOf(descriptor)) {
    if (end > whole) break;
    number += 1;
    if (line !== BEGIN && line !== END) read(line, number);
  }
  return whole;
}

/** The offset where the complete lines and groups of a file end. */
function wholeSize(descriptor: number): number {
  let whole = 0;
  let group: number | null = null;
  for (const { line, start, end } of linesOf(descriptor)) {
    if (line === BEGIN) group ??= start;
    else if (line === END) group = null;
    whole = group ?? end;
  }
  return whole;
}

/** Every complete line, with the offsets of its first byte and of the byte after its newline. */
function* linesOf(descriptor: number): Generator<{ line: string; start: number; end: number }> {
  let start = 0;
  let pieces: Buffer[] = [];
  const chunk = Buffer.alloc(CHUNK);
  for (let at = 0; ;) {
    const count = readSync(descriptor, chunk, 0, CHUNK, at);
    if (count === 0) return;
    let from = 0;
    for (;;) {
      const to = chunk.subarray(0, count).indexOf(NEWLINE, from);
      if (to < 0) break;
      const line = Buffer.concat([...pieces, chunk.subarray(from, to)]).toString("utf8");
      pieces = [];
      from = to + 1;
      const end = at + from;
      yield { line, start, end };
      start = end;
    }
    if (from < count) pieces.push(Buffer.from(chunk.subarray(from, count)));
    at += count;
  }
}
