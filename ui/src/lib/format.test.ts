// Sizes, times and numbers as people read them.
import { describe, expect, it } from "vitest";
import { formatAgo, formatBytes, formatMilliseconds, formatMoney, formatSeconds } from "@/lib/format";

describe("numbers as text", () => {
    it("of sizes, in decimal units", () => {
        expect([0, 999, 1000, 1_440_000, 33_000_000, 999_600_000, 2.1e9].map((bytes) => formatBytes(bytes, "en"))).toEqual(["0 B", "999 B", "1 kB", "1.4 MB", "33 MB", "1 GB", "2.1 GB"]);
        expect(formatBytes(1_440_000, "ru")).toBe("1,4 МБ");
    });
    it("of times", () => {
        expect([0.344, 5.21, 48.4, 60, 185, 7440, Number.NaN].map((seconds) => formatSeconds(seconds, "en"))).toEqual(["0.34 s", "5.2 s", "48 s", "1 min", "3 min 5 s", "2 h 4 min", "–"]);
        expect(formatSeconds(185, "ru")).toBe("3 мин 5 с");
        expect(formatSeconds(5.21, "vi")).toBe("5,2 giây");
        expect([0.84, 34.2, 1200].map((ms) => formatMilliseconds(ms, "en"))).toEqual(["0.8 ms", "34 ms", "1.2 s"]);
    });
    it("of money, with enough digits for small prices", () => {
        expect(formatMoney(0, "en")).toBe("$0.00");
        expect(formatMoney(0.0025, "en")).toBe("$0.0025");
        expect(formatMoney(12.5, "en")).toBe("$12.50");
    });
    it("of moments ago", () => {
        const now_ms = Date.parse("2026-11-21T12:00:00Z");
        expect(formatAgo("2026-11-21T11:57:00Z", "en", now_ms)).toBe("3 minutes ago");
        expect(formatAgo("2026-11-20T12:00:00Z", "ru", now_ms)).toBe("вчера");
        expect(formatAgo("nonsense", "en", now_ms)).toBe("–");
    });
});
