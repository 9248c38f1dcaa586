// Numbers, times and sizes for people.
import { type Duration, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Exactness, type RowCount } from "@holdfast/core_pb";

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `12,345`. */
export function count(value: bigint | number): string {
  return whole.format(value);
}

/** `12,345` while that is short, else `1.2M`. */
export function shortCount(value: bigint | number): string {
  return Number(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** `1 row`, `2 rows`. */
export function plural(value: bigint | number, one: string, many = `${one}s`): string {
  return `${whole.format(value)} ${Number(value) === 1 ? one : many}`;
}

/** Orphan rows as they were obtained: `8`, `≈ 1,200`, `not counted`. */
export function rows(value: RowCount | undefined): string {
  if (!value || value.exactness === Exactness.NOT_COUNTED || value.exactness === Exactness.UNSPECIFIED) return "not counted";
  return value.exactness === Exactness.ESTIMATED ? `≈ ${count(value.value)}` : count(value.value);
}

/** The number of a count, 0 when there is none. */
export function valueOf(value: RowCount | undefined): number {
  return value && value.exactness !== Exactness.NOT_COUNTED ? Number(value.value) : 0;
}

export function dateOf(time: Timestamp | undefined): Date | undefined {
  return time ? timestampDate(time) : undefined;
}

export function absolute(date: Date): string {
  return moment.format(date);
}

export function clockTime(date: Date): string {
  return clock.format(date);
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];

/** `5 minutes ago`, `in 3 hours`. */
export function ago(date: Date, now = Date.now()): string {
  let amount = (date.getTime() - now) / 1000;
  if (Math.abs(amount) < 10) return "just now";
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return absolute(date);
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function span(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return total % 60 ? `${Math.floor(total / 60)} min ${total % 60} s` : `${total / 60} min`;
  const minutes = Math.round((total % 3600) / 60);
  return minutes ? `${Math.floor(total / 3600)} h ${minutes} min` : `${Math.floor(total / 3600)} h`;
}

export function secondsOf(duration: Duration | undefined): number {
  return duration ? Number(duration.seconds) + duration.nanos / 1e9 : 0;
}

/** `1.2 MB`. */
export function bytes(value: bigint): string {
  let size = Number(value);
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit] ?? ""}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 1 ? value.toFixed(1) : Math.round(value)} %`;
}

/** The last characters of an id: those that differ between neighbours. */
export function shortId(id: string): string {
  return id.slice(-6);
}
