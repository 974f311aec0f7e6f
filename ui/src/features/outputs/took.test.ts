// How long a prediction took: ended, under way, not begun.
import { describe, expect, it } from "vitest";
import type { Prediction } from "@/api/types";
import { tookSeconds } from "./took";

describe("tookSeconds", () => {
    it("tells how long a run took, takes so far, or that it has not begun", () => {
        const run = { started_at: "2026-11-21T20:00:00Z", completed_at: "2026-11-21T20:00:03Z" } as Prediction;
        expect(tookSeconds({ ...run, metrics: { predict_time: 2.5 } })).toBe(2.5);
        expect(tookSeconds(run)).toBe(3);
        expect(tookSeconds({ ...run, completed_at: undefined }, Date.parse("2026-11-21T20:00:10Z"))).toBe(10);
        expect(tookSeconds({} as Prediction)).toBeNull();
    });
});
