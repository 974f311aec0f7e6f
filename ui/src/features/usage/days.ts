// Days of usage: ranges, every day of one, and the numbers of days without any. Days are those of UTC, as the server counts. Pure.
import type { UsageNumbers } from "@/api/types";

const DAY_MS = 86_400_000;
export const RANGES = [7, 30, 90] as const;
export const DEFAULT_DAYS = 30;
const RANGE_DAYS_MAX = 3660; // the server's

export interface Range {
    from: string; // "2026-11-21"
    to: string;
}

export function dayOf(at_ms: number): string {
    return new Date(at_ms).toISOString().slice(0, 10);
}

function msOf(day: string | undefined): number | null {
    if (!day || !/^\d{4}-\d{2}-\d{2}$/.test(day)) return null;
    const at = Date.parse(`${day}T00:00:00Z`);
    return Number.isNaN(at) || dayOf(at) !== day ? null : at;
}

/** The last `days` days, today among them. */
export function lastDays(days: number, now_ms: number): Range {
    return { from: dayOf(now_ms - (days - 1) * DAY_MS), to: dayOf(now_ms) };
}

/** A range from the address; the last 30 days when it is none. */
export function rangeOf(from: string | undefined, to: string | undefined, now_ms: number): Range {
    const first = msOf(from);
    const last = msOf(to);
    if (first === null || last === null || first > last || (last - first) / DAY_MS >= RANGE_DAYS_MAX) return lastDays(DEFAULT_DAYS, now_ms);
    return { from: dayOf(first), to: dayOf(last) };
}

/** Which of RANGES it is; null: another one. */
export function presetOf(range: Range, now_ms: number): number | null {
    return RANGES.find((days) => lastDays(days, now_ms).from === range.from && lastDays(days, now_ms).to === range.to) ?? null;
}

export function everyDay(range: Range): string[] {
    const days: string[] = [];
    const last = msOf(range.to) ?? 0;
    for (let at = msOf(range.from) ?? 1; at <= last; at += DAY_MS) days.push(dayOf(at));
    return days;
}

export const NOTHING: UsageNumbers = { runs: 0, succeeded: 0, failed: 0, predict_time: 0, images: 0, cost: 0 };

/** Rows by day, those without any runs between them. */
export function filled<Row extends UsageNumbers & { day?: string }>(rows: Row[], range: Range): (UsageNumbers & { day: string })[] {
    const by_day = new Map(rows.map((row) => [row.day, row]));
    return everyDay(range).map((day) => ({ ...NOTHING, ...by_day.get(day), day }));
}
