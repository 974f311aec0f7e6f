// Logs as a terminal would show them.
import { describe, expect, it } from "vitest";
import { plainText, terminalLines } from "./terminal";

const ESC = "\u001b";
const texts = (log: string) => terminalLines(log).lines.map((line) => line.map((span) => span.text).join(""));

describe("terminal", () => {
    it("has a line for each line, and none after the last line's end", () => {
        expect(texts("one\ntwo\n")).toEqual(["one", "two"]);
        expect(texts("one\n\ntwo")).toEqual(["one", "", "two"]);
        expect(texts("")).toEqual([]);
    });

    it("folds a progress bar to its last state", () => {
        expect(texts("  0%|    | 0/4\r 50%|##  | 2/4\r100%|####| 4/4\ndone\n")).toEqual(["100%|####| 4/4", "done"]);
    });

    it("folds progress bars that were written a line each, but not two different ones", () => {
        expect(texts("  0%|          | 0/3 [00:00<?, ?it/s]\n 67%|######7   | 2/3 [00:02<00:01,  1.20s/it]\n100%|##########| 3/3 [00:02<00:00,  1.25it/s]\nsaved\n")).toEqual(["100%|##########| 3/3 [00:02<00:00,  1.25it/s]", "saved"]);
        expect(texts("load:  50%|#   | 1/2 [x]\nrun:  50%|#   | 1/2 [x]").length).toBe(2);
    });

    it("writes over the line and keeps what is not reached, as a terminal does", () => {
        expect(texts("abcdef\rXY")).toEqual(["XYcdef"]);
        expect(texts(`abcdef\rXY${ESC}[K`)).toEqual(["XY"]);
        expect(texts("ab\bc")).toEqual(["ac"]);
        expect(texts("windows\r\nlines\r\n")).toEqual(["windows", "lines"]);
    });

    it("makes spans of colours, over line ends, until they are reset", () => {
        expect(terminalLines(`plain ${ESC}[1;31mred\nstill${ESC}[0m not`).lines).toEqual([
            [{ text: "plain " }, { colour: "red", bold: true, text: "red" }],
            [{ colour: "red", bold: true, text: "still" }, { text: " not" }],
        ]);
    });

    it("knows bright colours and drops 256 and true colours without eating what follows", () => {
        expect(terminalLines(`${ESC}[92mok${ESC}[39m ${ESC}[38;5;196;1mbold`).lines[0]).toEqual([{ colour: "green", text: "ok" }, { text: " " }, { bold: true, text: "bold" }]);
        expect(terminalLines(`${ESC}[38;2;1;2;3;4mx`).lines[0]).toEqual([{ underline: true, text: "x" }]);
    });

    it("drops cursor moves, titles, links and stray control characters", () => {
        expect(texts(`${ESC}[2J${ESC}]0;title\u0007a${ESC}[1A${ESC}]8;;http://x${ESC}\\b\u0000\u0007c${ESC}(`)).toEqual(["abc"]);
    });

    it("leaves markup as the text it is", () => {
        expect(terminalLines("<b onclick=x>&amp;</b>").lines[0]).toEqual([{ text: "<b onclick=x>&amp;</b>" }]);
    });

    it("keeps characters outside the basic plane whole", () => {
        expect(texts("😀😀\r🙂")).toEqual(["🙂😀"]);
    });

    it("keeps the last lines only, and says how many there were before", () => {
        const log = Array.from({ length: 5200 }, (_, index) => `line ${index}`).join("\n");
        const { lines, left_out } = terminalLines(log);
        expect(lines.length).toBe(5000);
        expect(left_out).toBe(200);
        expect(lines[0]![0]!.text).toBe("line 200");
        expect(lines.at(-1)![0]!.text).toBe("line 5199");
    });

    it("is quick and bounded for a hostile log", () => {
        const started = performance.now();
        expect(terminalLines(`${ESC}[`.repeat(400_000)).lines.length).toBe(1);
        expect(terminalLines("x\r".repeat(2_000_000)).lines.length).toBe(1);
        expect(terminalLines(`${ESC}]`.repeat(100_000)).lines.length).toBe(1);
        expect(performance.now() - started).toBeLessThan(5000);
    });

    it("gives all of it as plain text for copying", () => {
        expect(plainText(`a\rb\n${ESC}[31mred${ESC}[0m\n`)).toBe("b\nred");
    });
});
