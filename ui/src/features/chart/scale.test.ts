// Axes with round numbers, and points on them.
import { describe, expect, it } from "vitest";
import { areaPath, averaged, linear, linePath, nearest, roundStep, stretches, thinned, timeTicks, valueTicks } from "@/features/chart/scale";

describe("value axis", () => {
    it("has round numbers that reach the largest value", () => {
        expect(valueTicks(9.3)).toEqual([0, 5, 10]);
        expect(valueTicks(4)).toEqual([0, 1, 2, 3, 4]);
        expect(valueTicks(0.00031)).toEqual([0, 0.0001, 0.0002, 0.0003, 0.0004]);
        expect(valueTicks(1.6e10)).toEqual([0, 5e9, 1e10, 1.5e10, 2e10]);
    });
    it("is there when all values are zero", () => {
        expect(valueTicks(0)).toEqual([0, 1]);
        expect(roundStep(0, 4)).toBe(1);
        expect(roundStep(Number.NaN, 4)).toBe(1);
    });
    it("has only whole numbers for counts", () => {
        expect(valueTicks(1, 4, true)).toEqual([0, 1]);
        expect(valueTicks(3, 4, true)).toEqual([0, 1, 2, 3]);
        for (const tick of valueTicks(7, 4, true)) expect(Number.isInteger(tick)).toBe(true);
    });
    it.each([1, 3, 7, 12, 99, 101, 0.07, 5e6])("has between 2 and 8 ticks, evenly, for %d", (largest) => {
        const ticks = valueTicks(largest);
        expect(ticks.at(-1)!).toBeGreaterThanOrEqual(largest);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(8);
    });
});

describe("time axis", () => {
    const start = Date.parse("2026-11-21T10:07:00Z");
    it("has round times", () => {
        const ticks = timeTicks(start, start + 2 * 3_600_000, 6).map((at) => new Date(at).toISOString().slice(11, 16));
        expect(ticks).toEqual(["10:20", "10:40", "11:00", "11:20", "11:40", "12:00"]);
    });
    it("is round in the time zone that is shown, not in UTC", () => {
        const ticks = timeTicks(start, start + 86_400_000, 6, 5.5 * 3_600_000).map((at) => new Date(at + 5.5 * 3_600_000).toISOString().slice(11, 16));
        expect(ticks).toEqual(["16:00", "20:00", "00:00", "04:00", "08:00", "12:00"]);
    });
    it("is empty when no time passes", () => {
        expect(timeTicks(5, 5, 6)).toEqual([]);
    });
    it("is thinned from the end", () => {
        expect(thinned([1, 2, 3, 4, 5], 2)).toEqual([2, 5]);
        expect(thinned([1, 2], 5)).toEqual([1, 2]);
        expect(thinned([1, 2, 3], 0)).toEqual([3]);
    });
});

describe("paths", () => {
    const y = linear([0, 10], [100, 0]);
    it("break where there is no value", () => {
        expect(stretches([null, 1, 2, null, 3, null])).toEqual([[1, 2], [4, 4]]);
        expect(stretches([])).toEqual([]);
        expect(linePath([0, 10, 20, 30, 40], [1, 2, null, 4, null], y)).toBe("M0 90L10 80M30 60h0");
    });
    it("of areas go down to zero", () => {
        expect(areaPath([0, 10], [5, 10], y)).toBe("M0 50L10 0L10 100L0 100Z");
    });
});

describe("nearest", () => {
    it("finds the moment next to the pointer", () => {
        const times = [0, 10, 20, 40];
        expect([-5, 4, 6, 29, 31, 99].map((at) => nearest(times, at))).toEqual([0, 0, 1, 2, 3, 3]);
        expect(nearest([7], 100)).toBe(0);
    });
});

describe("averaged", () => {
    it("puts together what belongs to one round step, however many there are", () => {
        expect(averaged([59_000, 60_000, 70_000, 120_000], [1, 2, 3, 4], 60_000)).toEqual({ times: [0, 60_000, 120_000], values: [1, 2.5, 4] });
    });
});
