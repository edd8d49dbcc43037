/** Numbers, times and sizes as the page shows them, the same in every locale. */

const NUMBER = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** With thousands separators. */
export function count(rows: number): string {
  return NUMBER.format(rows);
}

/** `1 row`, `2,000 rows`. */
export function counted(rows: number, word: string, words = `${word}s`): string {
  return `${count(rows)} ${rows === 1 ? word : words}`;
}

/** A rate or an average: at most one digit after the point, and none from 100 on. */
export function rate(value: number): string {
  return value < 100 ? SHORT.format(value) : count(Math.round(value));
}

/** Bytes, in units of 1,000. */
export function size(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const at = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${rate(bytes / 1000 ** at)} ${units[at]}`;
}

/** Seconds: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 days`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${SHORT.format(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return together(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 2 * 86400) {
    return together(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  }
  return `${Math.floor(whole / 86400)} days`;
}

function together(first: number, unit: string, second: number, smaller: string): string {
  return second ? `${first} ${unit} ${second} ${smaller}` : `${first} ${unit}`;
}

/** An ISO time, in UTC: `2026-05-01 12:30:00`. */
export function time(iso: string): string {
  const moment = new Date(iso);
  return Number.isNaN(moment.valueOf()) ? iso : moment.toISOString().slice(0, 19).replace("T", " ");
}

export function secondsBetween(earlier: string, later: string | number): number {
  return Math.max(0, (new Date(later).valueOf() - new Date(earlier).valueOf()) / 1000);
}
