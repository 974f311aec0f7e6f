// The CSV of the usage page: quoting, and cells that a spreadsheet would run.
import { describe, expect, it } from "vitest";
import { toCsv } from "@/features/usage/csv";

describe("toCsv", () => {
    it("ends lines as the standard has it, and leaves missing values empty", () => {
        expect(toCsv(["day", "runs"], [["2026-11-21", 3], [null, undefined]])).toBe("day,runs\r\n2026-11-21,3\r\n,\r\n");
    });
    it("quotes commas, quotes, line ends and outer space", () => {
        expect(toCsv(["a"], [['say "hi", you'], ["two\nlines"], [" x"]])).toBe('a\r\n"say ""hi"", you"\r\n"two\nlines"\r\n" x"\r\n');
    });
    it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])("makes %j harmless", (text) => {
        const line = toCsv(["a"], [[text]]).slice("a\r\n".length);
        expect(line.replace(/^"/, "").startsWith("'")).toBe(true);
    });
    it("keeps negative and small numbers as numbers", () => {
        expect(toCsv(["a"], [[-0.5], [0.000001]])).toBe("a\r\n-0.5\r\n0.000001\r\n");
    });
    it("makes formulas with commas and quotes harmless, too", () => {
        expect(toCsv(["a"], [['=HYPERLINK("http://evil","x")']])).toBe('a\r\n"\'=HYPERLINK(""http://evil"",""x"")"\r\n');
    });
});
