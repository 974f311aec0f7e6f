// Ranges of days.
import { describe, expect, it } from "vitest";
import { everyDay, filled, lastDays, NOTHING, presetOf, rangeOf } from "@/features/usage/days";

const NOW_MS = Date.parse("2026-03-02T23:30:00Z");

describe("ranges", () => {
    it("count back from today, today among them", () => {
        expect(lastDays(7, NOW_MS)).toEqual({ from: "2026-02-24", to: "2026-03-02" });
        expect(everyDay(lastDays(90, NOW_MS))).toHaveLength(90);
        expect(presetOf(lastDays(90, NOW_MS), NOW_MS)).toBe(90);
        expect(presetOf({ from: "2026-01-01", to: "2026-03-02" }, NOW_MS)).toBeNull();
    });
    it("come from the address when they are ranges", () => {
        expect(rangeOf("2026-01-01", "2026-01-31", NOW_MS)).toEqual({ from: "2026-01-01", to: "2026-01-31" });
        for (const [from, to] of [["2026-02-30", "2026-03-01"], ["2026-02-02", "2026-02-01"], ["now", "2026-02-01"], ["1990-01-01", "2026-01-01"], [undefined, "2026-01-01"]])
            expect(rangeOf(from, to, NOW_MS)).toEqual(lastDays(30, NOW_MS));
    });
});

describe("filled", () => {
    it("has every day, with zeros where nothing ran", () => {
        const rows = [{ ...NOTHING, day: "2026-02-28", runs: 2, succeeded: 2 }];
        const days = filled(rows, { from: "2026-02-27", to: "2026-03-01" });
        expect(days.map((each) => [each.day, each.runs])).toEqual([["2026-02-27", 0], ["2026-02-28", 2], ["2026-03-01", 0]]);
    });
});
