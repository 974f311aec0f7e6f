// What the points of the history say together. Pure.
import type { HistoryPoint } from "@/api/types";

type Counted = "created" | "succeeded" | "failed" | "canceled" | "requests" | "errors" | "throttled";
type Measured = "run_p50_s" | "run_p95_s" | "queue_p50_s" | "queue_p95_s" | "request_p50_ms" | "request_p99_ms";

export function sumOf(points: HistoryPoint[], name: Counted): number {
    return points.reduce((sum, point) => sum + point[name], 0);
}

/** The last value there is; null: nothing was measured. */
export function lastOf(points: HistoryPoint[], name: Measured): number | null {
    for (let index = points.length - 1; index >= 0; index--) {
        const value = points[index]![name];
        if (value !== null) return value;
    }
    return null;
}

/** Requests a minute of the last whole minute that is known. */
export function perMinute(points: HistoryPoint[], name: Counted, step_s: number): number | null {
    const steps = Math.max(1, Math.round(60 / step_s));
    const last = points.slice(-steps);
    return last.length === 0 ? null : (sumOf(last, name) * 60) / (last.length * step_s);
}

/** How many failed of those that succeeded or failed; null: none did. */
export function failedShare(points: HistoryPoint[]): number | null {
    const failed = sumOf(points, "failed");
    const ended = failed + sumOf(points, "succeeded");
    return ended === 0 ? null : failed / ended;
}
