// Numbers of the tiles and graphs.
import { describe, expect, it } from "vitest";
import type { HistoryPoint } from "@/api/types";
import { failedShare, lastOf, perMinute, sumOf } from "@/features/operations/numbers";

function point(more: Partial<HistoryPoint>): HistoryPoint {
    const none = { run_p50_s: null, run_p95_s: null, queue_p50_s: null, queue_p95_s: null, request_p50_ms: null, request_p99_ms: null };
    return { at: "2026-11-21T10:00:00Z", created: 0, succeeded: 0, failed: 0, canceled: 0, waiting: 0, requests: 0, errors: 0, throttled: 0, memory_bytes: 0, ...none, ...more };
}

describe("numbers of the history", () => {
    it("are summed", () => {
        expect(sumOf([point({ failed: 1 }), point({ failed: 2 })], "failed")).toBe(3);
        expect(failedShare([point({ failed: 1, succeeded: 2 }), point({ succeeded: 1 })])).toBe(0.25);
        expect(failedShare([point({ canceled: 3 })])).toBeNull();
    });
    it("skip what was not measured", () => {
        expect(lastOf([point({ run_p50_s: 2 }), point({ run_p50_s: 3 }), point({})], "run_p50_s")).toBe(3);
        expect(lastOf([point({})], "run_p50_s")).toBeNull();
    });
    it("are by the minute whatever the step", () => {
        const steps = Array.from({ length: 12 }, (_, index) => point({ requests: index < 6 ? 100 : 2 }));
        expect(perMinute(steps, "requests", 10)).toBe(12);
        expect(perMinute([point({ requests: 60 })], "requests", 120)).toBe(30);
        expect(perMinute([point({ requests: 5 })], "requests", 10)).toBe(30);
        expect(perMinute([], "requests", 10)).toBeNull();
    });
});
